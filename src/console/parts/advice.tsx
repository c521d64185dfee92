import { FILE_ERRORS } from "../../docs/fileWords.ts";
import type { File } from "../../files/file.ts";
import { Sentence } from "./sentence.tsx";

export function Advice({ of }: { of: File }) {
  if (of.error === null) return null;
  return (
    <>
      <Sentence of={FILE_ERRORS[of.error.code]} />{" "}
      {of.error.retryable
        ? "Its source is still kept: it can be tried again."
        : "Ping it again with a fresh URL."}
    </>
  );
}
