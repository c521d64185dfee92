import type { File, FileStatus } from "../../files/file.ts";
import type { Api } from "../api.ts";
import { withQuery } from "../withQuery.ts";
import { bytes, number, localTime } from "../format.ts";
import { useList } from "../load.ts";
import { FilterField, List, Table } from "../parts/list.tsx";
import { Heading, Status } from "../parts/page.tsx";
import { addressOf, go, type Place } from "../router.ts";

const EVERY_MS = 5_000;
const STATUSES: readonly FileStatus[] = ["held", "queued", "imported", "failed", "skipped"];

export function FilesView({ api, place }: { api: Api; place: Place }) {
  const { user_id = "", source = "", status = "", summary_id = "" } = place.query;
  // A summary_id identifies a file only with its user and source. Without them it filters the loaded rows.
  const exact = user_id !== "" && source !== "" ? summary_id : "";
  const list = useList<File>(
    api,
    withQuery("/api/files/", { user_id, source, status, summary_id: exact }),
    EVERY_MS,
  );
  const narrow = (change: Record<string, string>) => go(["files"], { ...place.query, ...change });
  const matching = (rows: File[]) => rows.filter((file) => file.summary_id.includes(summary_id));
  return (
    <>
      <Heading title="Files" />
      <div class="filters">
        <FilterField label="User" value={user_id} onValue={(value) => narrow({ user_id: value })} />
        <FilterField label="Source" value={source} onValue={(value) => narrow({ source: value })} />
        <FilterField
          label="Status"
          value={status}
          options={STATUSES}
          onValue={(value) => narrow({ status: value })}
        />
        <FilterField
          label="Summary id"
          value={summary_id}
          onValue={(value) => narrow({ summary_id: value })}
        />
      </div>
      {summary_id !== "" && exact === "" && (
        <p class="note">
          Only the files listed below are searched. To search all files for this summary id, also enter the
          user and the source.
        </p>
      )}
      <List
        list={list}
        empty={user_id + source + status + exact === "" ? "No files yet." : "No files match these filters."}
      >
        {(rows) =>
          matching(rows).length === 0 ? (
            <p class="empty">
              {rows.length === 1
                ? "The listed file does not match this summary id."
                : `None of the ${number(rows.length)} listed files matches this summary id.`}
            </p>
          ) : (
            <Table
              label="Files"
              head={[
                "Summary id",
                "Status",
                "User",
                "Source",
                "Received",
                ["Attempts", "number"],
                ["Size", "number"],
              ]}
            >
              {matching(rows).map((file) => (
                <tr key={file.file_id}>
                  <td>
                    <a href={addressOf(["files", file.file_id])}>{file.summary_id}</a>
                  </td>
                  <td>
                    <Status status={file.status} /> <FaultCode file={file} />
                  </td>
                  <td>{file.user_id}</td>
                  <td>{file.source}</td>
                  <td>{localTime(file.received_at)}</td>
                  <td class="number">{number(file.attempts)}</td>
                  <td class="number">{bytes(file.size_in_bytes)}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </List>
    </>
  );
}

/** The code of the file's error, or of a queued file's last attempt. */
function FaultCode({ file }: { file: File }) {
  const fault = file.error ?? file.last_error;
  return fault === null ? null : <code>{fault.code}</code>;
}
