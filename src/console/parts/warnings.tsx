import { FILE_WARNINGS } from "../../docs/fileWords.ts";
import type { File } from "../../files/file.ts";
import { Sentence } from "./sentence.tsx";

export function Warnings({ of }: { of: File["warnings"] }) {
  if (of.length === 0) return null;
  return (
    <>
      <h3>Warnings</h3>
      <ul class="plainlist">
        {of.map((warning) => (
          <li key={warning}>
            <code>{warning}</code> <Sentence of={FILE_WARNINGS[warning]} />
          </li>
        ))}
      </ul>
    </>
  );
}
