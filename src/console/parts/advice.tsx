import { FILE_ADVICE, RETRY_CAN_HELP } from "../../docs/fileWords.ts";
import type { File } from "../../files/file.ts";
import { Sentence } from "./sentence.tsx";

/** Returns whether to offer a retry. */
export function canRetry({ status, error }: File): boolean {
  return (status === "failed" || status === "skipped") && error !== null && error.retryable;
}

/** Says what to do about the error of a file. Mentions a retry only when the console offers one. */
export function Advice({ file }: { file: File }) {
  if (file.error === null) return null;
  const { code, retryable } = file.error;
  return RETRY_CAN_HELP[code] && !retryable ? (
    <>We no longer store its bytes or its URL. Ping the file again.</>
  ) : (
    <Sentence text={FILE_ADVICE[code]} />
  );
}
