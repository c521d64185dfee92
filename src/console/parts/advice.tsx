import { FILE_ADVICE } from "../../docs/fileWords.ts";
import type { File } from "../../files/file.ts";
import { Sentence } from "./sentence.tsx";

/** Whether to offer a retry: something is kept to try again with, and it can end otherwise. */
export function canRetry({ status, error }: File): boolean {
  return status === "failed" && error !== null && error.retryable && FILE_ADVICE[error.code].retryCanHelp;
}

/** What to do about a file's error; it speaks of a retry only where one is offered. */
export function Advice({ of }: { of: File }) {
  if (of.error === null) return null;
  if (of.status !== "failed") return <>It is tried again by itself.</>;
  const { advice, retryCanHelp } = FILE_ADVICE[of.error.code];
  return retryCanHelp && !of.error.retryable ? (
    <>Nothing of it is kept to try again with: ping it again.</>
  ) : (
    <Sentence of={advice} />
  );
}
