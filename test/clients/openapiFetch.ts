import process from "node:process";
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/openapi.ts";
import type { ClientSettings, Report } from "./report.ts";

type Schemas = components["schemas"];

const settings: ClientSettings = JSON.parse(process.env["CLIENT"] ?? "");
const client = createClient<paths>({
  baseUrl: settings.url,
  headers: { Authorization: `Bearer ${settings.authKey}`, "Partner-Id": settings.partnerId },
});

/** Returns the body of a response. Throws the problem of a request that failed. */
function bodyOf<T>({ data, error }: { data?: T; error?: Schemas["Problem"] }): T {
  if (data === undefined) throw new Error(`${error?.code}: ${error?.detail}`);
  return data;
}

const livePing: Schemas["Ping"] = {
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
const heldPing: Schemas["Ping"] = {
  ...livePing,
  priority: 0,
  summary_id: "held",
  callback_url: settings.rideUrl,
};
// The types allow this item, but the service rejects it: its time is in milliseconds.
const badPing: Schemas["Ping"] = { ...livePing, summary_id: "bad", start_time_in_seconds: "1712001600000" };

async function ping() {
  const result = await client.POST("/api/fit_partner_ping/", {
    params: { header: { Prefer: "handling=lenient" } },
    body: { activity_files: [livePing, heldPing, badPing] },
  });
  return bodyOf(result).files.map((file): string => {
    switch (file.status) {
      case "queued":
      case "held":
      case "duplicate":
      case "superseded":
        return `${file.summary_id}: ${file.status}`;
      case "rejected":
        return `rejected: ${file.errors.map((fault): Schemas["FaultCode"] => fault.code).join()}`;
    }
  });
}

async function task() {
  const { import_id } = bodyOf(
    await client.POST("/api/task_partner/", {
      body: {
        bulk_fit_transfer_complete: true,
        user_id: livePing.user_id,
        source: livePing.source,
        is_initial_import: false,
      },
    }),
  );
  for (;;) {
    const path = { import_id };
    const found = bodyOf(await client.GET("/api/imports/{import_id}/", { params: { path } }));
    if (found.status !== "running") return `${found.status}: ${found.files.imported}`;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function listedFiles() {
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: 1, status: "imported" as const, ...(cursor === undefined ? {} : { cursor }) };
    const page = bodyOf(await client.GET("/api/files/", { params: { query } }));
    names.push(...page.data.flatMap((file) => ("deleted_at" in file ? [] : [file.summary_id])));
    cursor = page.next_cursor ?? undefined;
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
  const path = { file_id: "unknown" };
  const { error } = await client.GET("/api/files/{file_id}/", { params: { path } });
  if (error === undefined) return "no problem";
  const code: Schemas["ProblemCode"] = error.code;
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
