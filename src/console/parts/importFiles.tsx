import { FILE_STATUSES_SHOWN, titleOf, type ShownStatus } from "./fileStatuses.ts";
import type { File } from "../../files/file.ts";
import type { Import } from "../../imports/import.ts";
import { NONE, number } from "../format.ts";
import type { LoadedList } from "../load.ts";
import { addressOf, go } from "../router.ts";
import { List, Table } from "./list.tsx";
import { Status } from "./page.tsx";

/** The files of an import, all or those of one status. The status is part of the address. */
export function ImportFiles({
  row,
  list,
  status,
}: {
  row: Import;
  list: LoadedList<File>;
  status: ShownStatus;
}) {
  const { total, pending, imported, failed, skipped } = row.files;
  const counts = { "": total, imported, failed, queued: pending, skipped };
  return (
    <section>
      <h2>Files</h2>
      <div class="chips" role="group" aria-label="Files by status">
        {FILE_STATUSES_SHOWN.filter((one) => one === "" || counts[one] > 0 || one === status).map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={one === status}
            onClick={() => go(["imports", row.import_id], { files: one })}
          >
            {titleOf(one)} <span class="numbers">{number(counts[one])}</span>
          </button>
        ))}
      </div>
      <List
        list={list}
        empty={status === "" ? "No files belong to this import." : "No files have this status."}
      >
        {(rows) => (
          <Table
            label={status === "" ? "Files of the import" : `${titleOf(status)} files`}
            head={["File", "Status", ["Attempts", "number"], "Reason"]}
          >
            {rows.map((file) => (
              <tr key={file.file_id}>
                <td>
                  <a href={addressOf(["files", file.file_id])}>{file.summary_id}</a>
                </td>
                <td>
                  <Status status={file.status} />
                </td>
                <td class="number">{number(file.attempts)}</td>
                <td>
                  <Reason file={file} />
                </td>
              </tr>
            ))}
          </Table>
        )}
      </List>
    </section>
  );
}

function Reason({ file: { error, last_error } }: { file: File }) {
  const shown = error ?? last_error;
  return shown === null ? (
    <>{NONE}</>
  ) : (
    <span title={shown.detail}>
      <code>{shown.code}</code>
    </span>
  );
}
