import { FILE_ERRORS } from "../../docs/fileWords.ts";
import type { File, FileStatus } from "../../files/file.ts";
import type { Api } from "../api.ts";
import { dayRange } from "../days.ts";
import { withQuery } from "../withQuery.ts";
import { bytes } from "../format.ts";
import { useList } from "../load.ts";
import { Code } from "../parts/code.tsx";
import { UserLink } from "../parts/id.tsx";
import { DayFields, FilterField, Filters, List, Table, UserField } from "../parts/list.tsx";
import { Heading, Status } from "../parts/page.tsx";
import { Select } from "../parts/select.tsx";
import { When } from "../parts/when.tsx";
import { addressOf, go, type Place } from "../router.ts";

const EVERY_MS = 5_000;
const STATUSES: readonly FileStatus[] = ["held", "queued", "imported", "failed", "skipped"];

export function FilesView({ api, place }: { api: Api; place: Place }) {
  const {
    user_id = "",
    source = "",
    status = "",
    name = "",
    from = "",
    to = "",
    import_id = "",
    error_code = "",
  } = place.query;
  const { start, end } = dayRange(from, to);
  const list = useList<File>(
    api,
    withQuery("/api/files/", {
      user_id,
      source,
      status,
      import_id,
      error_code,
      name_contains: name,
      received_after: start?.toISOString() ?? "",
      received_before: end?.toISOString() ?? "",
    }),
    EVERY_MS,
  );
  const narrow = (change: Record<string, string>) => go(["files"], { ...place.query, ...change });
  const isFiltered = user_id + source + status + name + from + to + import_id + error_code !== "";
  return (
    <>
      <Heading title="Files">{isFiltered && <a href={addressOf(["files"])}>Clear filters</a>}</Heading>
      <Filters isFiltered={isFiltered}>
        <FilterField
          label="Name"
          value={name}
          placeholder="Part of a name"
          onValue={(value) => narrow({ name: value })}
        />
        <UserField api={api} value={user_id} onValue={(value) => narrow({ user_id: value })} />
        <FilterField label="Source" value={source} onValue={(value) => narrow({ source: value })} />
        <FilterField
          label="Status"
          value={status}
          options={STATUSES}
          onValue={(value) => narrow({ status: value })}
        />
        <Select
          label="Error"
          value={error_code}
          options={[["", "Any"], ...Object.keys(FILE_ERRORS).map((code) => [code, code] as const)]}
          onValue={(value) => narrow({ error_code: value })}
        />
        <DayFields what="Received" from={from} to={to} onChange={narrow} />
      </Filters>
      {import_id !== "" && (
        <p class="note">
          Only files of <a href={addressOf(["imports", import_id])}>one import</a>.
        </p>
      )}
      <List list={list} empty={isFiltered ? <NoMatch of="files" /> : "No files yet."}>
        {(rows) => <FileTable label="Files" files={rows} />}
      </List>
    </>
  );
}

export function NoMatch({ of }: { of: string }) {
  return <>No {of} match these filters. The user and the source must match exactly.</>;
}

/** A table of files. `isOfUser` leaves out the user, who has a page of their own around it. */
export function FileTable({
  label,
  files,
  isOfUser = false,
}: {
  label: string;
  files: readonly File[];
  isOfUser?: boolean;
}) {
  return (
    <Table
      label={label}
      head={["File", "Status", ...(isOfUser ? [] : ["User"]), "Source", "Received", ["Size", "number"]]}
    >
      {files.map((file) => (
        <tr key={file.file_id}>
          <td class="main">
            <a class="name" href={addressOf(["files", file.file_id])}>
              {file.summary_id}
            </a>
            {file.activity_name !== null && <span class="soft second">{file.activity_name}</span>}
          </td>
          <td class="bare">
            <Status status={file.status} /> <FaultCode file={file} />
          </td>
          {!isOfUser && (
            <td class="bare">
              <UserLink id={file.user_id} />
            </td>
          )}
          <td class="bare">{file.source}</td>
          <td class="bare">
            <When at={file.received_at} isStill />
          </td>
          <td class="bare number">{bytes(file.size_in_bytes)}</td>
        </tr>
      ))}
    </Table>
  );
}

/** The code of the file's error, or of a queued file's last attempt. */
function FaultCode({ file }: { file: File }) {
  const fault = file.error ?? file.last_error;
  return fault === null ? null : <Code name={fault.code} />;
}
