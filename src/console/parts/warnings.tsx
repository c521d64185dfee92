import { FILE_WARNINGS } from "../../docs/fileWords.ts";
import type { File } from "../../files/file.ts";
import { Sentence } from "./sentence.tsx";

export function Warnings({ warnings }: { warnings: File["warnings"] }) {
  if (warnings.length === 0) return null;
  return (
    <>
      <h3>Warnings</h3>
      <ul class="plainlist">
        {warnings.map((warning) => (
          <li key={warning}>
            <code>{warning}</code> <Sentence text={FILE_WARNINGS[warning]} />
          </li>
        ))}
      </ul>
    </>
  );
}
