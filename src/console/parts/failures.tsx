import { FILE_ERRORS } from "../../docs/fileWords.ts";
import type { File, FileError } from "../../files/file.ts";
import { counted, number } from "../format.ts";
import type { LoadedList } from "../load.ts";
import { addressOf } from "../router.ts";
import { Advice } from "./advice.tsx";
import { Empty, ProblemBox } from "./page.tsx";
import { Sentence } from "./sentence.tsx";

/** A group with at most this many files shows them without a click. */
const OPEN_FILES = 5;

interface Group {
  key: string;
  files: [File, ...File[]];
  error: FileError;
}

/** Groups files by the error and by whether a retry is possible, the largest group first. */
function groupsOf(files: readonly File[]): Group[] {
  const groups = new Map<string, Group>();
  for (const file of files) {
    const { error } = file;
    if (error === null) continue;
    const key = `${error.code} ${error.retryable}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { key, files: [file], error });
    else group.files.push(file);
  }
  return [...groups.values()].toSorted((a, b) => b.files.length - a.files.length);
}

/** Failed files of an import by their error, with one piece of advice for each. `count`: number of failed files. */
export function FailureGroups({
  list,
  count,
  importId,
}: {
  list: LoadedList<File>;
  count: number;
  importId: string;
}) {
  const rows = list.rows ?? [];
  return (
    <>
      <ProblemBox problem={list.problem} />
      {rows.length === 0 && count === 0 && <Empty>No files failed.</Empty>}
      <ul class="plainlist failures" aria-label="Failures by error">
        {groupsOf(rows).map((group) => (
          <li key={group.key} class="failure">
            <strong>{number(group.files.length)}</strong>
            <div>
              <a
                href={addressOf(["files"], {
                  status: "failed",
                  error_code: group.error.code,
                  import_id: importId,
                })}
              >
                <code>{group.error.code}</code>
              </a>{" "}
              <span class="soft">
                <Sentence text={FILE_ERRORS[group.error.code]} />
              </span>
              <p>
                <b>What to do:</b> <Advice file={group.files[0]} />
              </p>
              <details open={group.files.length <= OPEN_FILES}>
                <summary>{counted(group.files.length, "file")}</summary>
                <ul class="plainlist files">
                  {group.files.map((file) => (
                    <li key={file.file_id}>
                      <a href={addressOf(["files", file.file_id])}>{file.summary_id}</a>{" "}
                      <span class="soft">{file.error?.detail}</span>
                    </li>
                  ))}
                </ul>
              </details>
            </div>
          </li>
        ))}
      </ul>
      {list.loadMore !== null && (
        <button type="button" onClick={() => void list.loadMore?.()}>
          Load more failed files
        </button>
      )}
    </>
  );
}
