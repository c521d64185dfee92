import process from "node:process";
import { client } from "./generated/heyapi/client.gen.ts";
import { getFile, getImport, listFiles, postPings, postTask } from "./generated/heyapi/sdk.gen.ts";
import type { FaultCode, Ping, ProblemCode } from "./generated/heyapi/types.gen.ts";
import type { ClientSettings, Report } from "./report.ts";

const settings: ClientSettings = JSON.parse(process.env["CLIENT"] ?? "");
client.setConfig({
  baseUrl: settings.url,
  auth: settings.authKey,
  headers: { "Partner-Id": settings.partnerId },
});

const livePing: Ping = {
  file_type: "FIT",
  activity_name: null,
  priority: 1,
  user_id: "rider-1",
  source: "head-unit",
  overwrite_mode: false,
  start_time_in_seconds: settings.rideStart,
  callback_url: settings.ride,
  summary_id: "live",
};
const heldPing: Ping = {
  ...livePing,
  priority: 0,
  summary_id: "held",
  callback_url: settings.rideUrl,
};
// The types allow this item, but the service rejects it: its time is in milliseconds.
const badPing: Ping = { ...livePing, summary_id: "bad", start_time_in_seconds: "1712001600000" };

async function ping() {
  const { data } = await postPings({
    headers: { Prefer: "handling=lenient" },
    body: { activity_files: [livePing, heldPing, badPing] },
    throwOnError: true,
  });
  return data.files.map((file): string => {
    switch (file.status) {
      case "queued":
      case "held":
      case "duplicate":
      case "superseded":
        return `${file.summary_id}: ${file.status}`;
      case "rejected":
        return `rejected: ${file.errors.map((fault): FaultCode => fault.code).join()}`;
    }
  });
}

async function task() {
  const started = await postTask({
    body: {
      bulk_fit_transfer_complete: true,
      user_id: livePing.user_id,
      source: livePing.source,
      is_initial_import: false,
    },
    throwOnError: true,
  });
  const path = { import_id: started.data.import_id };
  for (;;) {
    const { data } = await getImport({ path, throwOnError: true });
    if (data.status !== "running") return `${data.status}: ${data.files.imported}`;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function listedFiles() {
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: 1, status: "imported" as const, ...(cursor === undefined ? {} : { cursor }) };
    const { data } = await listFiles({ query, throwOnError: true });
    names.push(...data.data.flatMap((file) => ("deleted_at" in file ? [] : [file.summary_id])));
    cursor = data.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return names.toSorted();
}

/** Lists follow a change within seconds. */
async function importedFiles(count: number) {
  for (;;) {
    const names = await listedFiles();
    if (names.length >= count) return names;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function unknownFile() {
  const { error } = await getFile({ path: { file_id: "unknown" } });
  if (error === undefined) return "no problem";
  const code: ProblemCode = error.code;
  switch (code) {
    case "not_found":
      return "not found";
    case "rate_limited":
    case "store_unavailable":
      return "try again";
    default:
      return "another problem";
  }
}

const report: Report = {
  pings: await ping(),
  task: await task(),
  files: await importedFiles(2),
  problem: await unknownFile(),
};
process.stdout.write(JSON.stringify(report));
