import { useEffect } from "preact/hooks";
import type { File, FileStatus } from "../../files/file.ts";
import type { Import } from "../../imports/import.ts";
import type { Api } from "../api.ts";
import { useList } from "../load.ts";
import { addressOf } from "../router.ts";
import { withQuery } from "../withQuery.ts";
import { Advice, canRetry } from "./advice.tsx";
import { List, Table } from "./list.tsx";
import { Action, Empty } from "./page.tsx";

const WORDS = {
  failed: { title: "Failures", label: "Failed files", none: "No files failed." },
  skipped: { title: "Skipped files", label: "Skipped files", none: "No files were skipped." },
} satisfies Partial<Record<FileStatus, object>>;

/** Files of an import that failed or were skipped, with the reasons. Polls them until the import is completed. */
export function ImportFiles({
  api,
  path,
  row,
  status,
  everyMs,
  onRetry,
}: {
  api: Api;
  path: string;
  row: Import;
  status: keyof typeof WORDS;
  everyMs: number;
  onRetry: () => Promise<void>;
}) {
  const isCompleted = row.completed_at !== null;
  const query = { import_id: row.import_id, status };
  const files = useList<File>(api, withQuery("/api/files/", query), everyMs, () => !isCompleted);
  // Reads the files once more at the end: the list may lack the last one.
  const count = row.files[status];
  useEffect(() => {
    if (isCompleted) void files.reload();
  }, [isCompleted, count]);
  const { title, label, none } = WORDS[status];
  return (
    <section>
      <h2>{title}</h2>
      {files.rows?.some(canRetry) && (
        <Action
          api={api}
          path={`${path}retry/`}
          done="Queued again."
          onDone={async () => {
            await Promise.all([onRetry(), files.reload()]);
          }}
        >
          {row.status === "cancelled" ? "Retry failed and skipped files" : "Retry failed files"}
        </Action>
      )}
      {files.rows?.length === 0 && status === "failed" && count > 0 ? (
        <Empty>
          The failed files were retried or pinged again. Reload the page to see whether they failed again.
        </Empty>
      ) : (
        <List list={files} empty={none}>
          {(rows) => (
            <Table label={label} head={["File", status === "failed" ? "Error" : "Reason", "What to do"]}>
              {rows.map((file) => (
                <tr key={file.file_id}>
                  <td>
                    <a href={addressOf(["files", file.file_id])}>{file.summary_id}</a>
                  </td>
                  <td class="wide">
                    <code>{file.error?.code}</code> {file.error?.detail}
                  </td>
                  <td class="wide">
                    <Advice file={file} />
                  </td>
                </tr>
              ))}
            </Table>
          )}
        </List>
      )}
    </section>
  );
}
