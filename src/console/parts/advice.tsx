import { FILE_ADVICE } from "../../docs/fileWords.ts";
import type { File } from "../../files/file.ts";
import { Sentence } from "./sentence.tsx";

/** Returns whether to offer a retry: the bytes or the URL are stored, and another attempt can succeed. */
export function canRetry({ status, error }: File): boolean {
  return status === "failed" && error !== null && error.retryable && FILE_ADVICE[error.code].retryCanHelp;
}

/** Says what to do about the error of a file. Mentions a retry only when the console offers one. */
export function Advice({ file }: { file: File }) {
  if (file.error === null) return null;
  if (file.status !== "failed") return <>We retry this file automatically.</>;
  const { advice, retryCanHelp } = FILE_ADVICE[file.error.code];
  return retryCanHelp && !file.error.retryable ? (
    <>We no longer store its bytes or its URL. Ping the file again.</>
  ) : (
    <Sentence text={advice} />
  );
}
