import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { allAcceptedSchema } from "../../pings/acceptedPings.ts";
import type { DemoPartner } from "./demoPartner.ts";
import { DAY_SOURCE, DAY_USER, historyPings, livePings } from "./history.ts";
import type { PartnerHost, ReceivedEvent } from "./partnerHost.ts";
import { planLine, type PlannerHost } from "./plannerHost.ts";

const EVENT_ID = "first-day";
const POLL_INTERVAL_MS = 250;
/** Time limit of each step. On an idle machine the whole demo takes seconds. */
const STEP_TIMEOUT_MS = 90_000;
const BAR_WIDTH = 24;

/** A failure that ends the demo. The message is one line for the terminal. */
class DemoFailure extends Error {}

const importSchema = z.looseObject({
  import_id: z.string(),
  status: z.enum(["running", "completed", "completed_with_failures"]),
  files: z.looseObject({ total: z.number(), pending: z.number(), imported: z.number(), failed: z.number() }),
});
const importsSchema = z.looseObject({ data: z.array(importSchema) });
const fileSchema = z.looseObject({
  summary_id: z.string(),
  status: z.string(),
  error: z.looseObject({ code: z.string(), detail: z.string() }).nullable(),
});
const filesSchema = z.looseObject({ data: z.array(fileSchema) });
const activitiesSchema = z.looseObject({
  data: z.array(
    z.looseObject({
      sport: z.string(),
      distance_in_meters: z.number().nullable(),
      timer_time_in_seconds: z.number().nullable(),
    }),
  ),
});

/**
 * Plays a partner's first day over HTTP: pings of a history, the task that releases it, the signed event, one live
 * ride. Prints a table of the results. On a state folder where the demo has run, it does not repeat the history. An
 * unexpected response ends the demo with one printed line.
 */
export async function playFirstDay(
  url: string,
  demo: DemoPartner,
  host: PartnerHost,
  planner: PlannerHost,
): Promise<void> {
  const createdAt = Math.floor(Date.parse(demo.created_at) / 1000);
  const events: ReceivedEvent[] = [];
  host.onEvent(demo.webhook_secret, (event) => events.push(event));
  const call = apiClient(url, demo);
  try {
    const filter = `user_id=${DAY_USER}&source=${DAY_SOURCE}`;
    const earlier = importsSchema.parse(await call("GET", `/api/imports/?${filter}`));
    const hasRun = earlier.data.some(({ status }) => status !== "running");
    if (hasRun)
      console.log("The demo has already run on this state folder. Its files are not imported again.");
    else await importHistory(call, demo, historyPings(host, createdAt), events, planner);
    await importLiveRide(call, livePings(host, createdAt));
    console.log(await resultsTable(call, filter));
  } catch (fault) {
    if (!(fault instanceof DemoFailure)) throw fault;
    console.log(`The demo stopped: ${fault.message}`);
  }
}

type Call = (method: "GET" | "POST", path: string, body?: unknown) => Promise<unknown>;

function apiClient(url: string, demo: DemoPartner): Call {
  return async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        Authorization: `Bearer ${demo.auth_key}`,
        "Partner-Id": demo.partner_id,
        "Content-Type": "application/json",
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(STEP_TIMEOUT_MS),
    }).catch(() => null);
    if (response === null) throw new DemoFailure(`${method} ${path.split("?")[0]} got no response.`);
    const text = await response.text();
    if (!response.ok) throw new DemoFailure(`${method} ${path.split("?")[0]} returned ${response.status}.`);
    return JSON.parse(text);
  };
}

async function importHistory(
  call: Call,
  demo: DemoPartner,
  pings: ReturnType<typeof historyPings>,
  events: readonly ReceivedEvent[],
  planner: PlannerHost,
): Promise<void> {
  console.log(
    `Demo: the partner ${demo.partner_id} sends ${pings.length} pings for the history of its user ${DAY_USER} …`,
  );
  const { files } = allAcceptedSchema.parse(
    await call("POST", "/api/fit_partner_ping/", { activity_files: pings }),
  );
  const held = files.filter(({ status }) => status === "held").length;
  console.log(`${held} files are held until the task. The partner sends the task …`);
  const task = importSchema.parse(
    await call("POST", "/api/task_partner/", {
      bulk_fit_transfer_complete: true,
      source: DAY_SOURCE,
      is_initial_import: true,
      user_id: DAY_USER,
      event_id: EVENT_ID,
    }),
  );
  const finished = await poll("The import did not finish", async () => {
    const now = importSchema.parse(await call("GET", `/api/imports/${task.import_id}/`));
    showProgress(now.files.total - now.files.pending, now.files.total, now.status !== "running");
    return now.status === "running" ? null : now;
  });
  const { imported, failed } = finished.files;
  console.log(`${imported} files imported, ${failed} failed.`);
  console.log(
    await poll("No plan was requested", async () => {
      const [request] = planner.received;
      return request === undefined ? null : planLine(request);
    }),
  );
  const event = await poll("No event arrived", async () =>
    events.find(({ body }) => body.includes('"bulk_fit_import.completed"')),
  );
  console.log(
    event.verified
      ? "The event bulk_fit_import.completed arrived with a valid signature."
      : "The event bulk_fit_import.completed arrived. Its signature does not match the secret in demo.json.",
  );
}

async function importLiveRide(call: Call, pings: ReturnType<typeof livePings>): Promise<void> {
  const startedAt = Date.now();
  const { files } = allAcceptedSchema.parse(
    await call("POST", "/api/fit_partner_ping/", { activity_files: pings }),
  );
  const [file] = files;
  if (file === undefined) throw new DemoFailure("The ping of the live ride was not accepted.");
  await poll("The live ride was not imported", async () =>
    fileSchema.parse(await call("GET", `/api/files/${file.file_id}/`)).status === "imported" ? true : null,
  );
  if (file.status === "duplicate") return;
  console.log(`A live ride (priority 1) was imported ${Date.now() - startedAt} ms after its ping.`);
}

async function resultsTable(call: Call, filter: string): Promise<string> {
  const { data: activities } = activitiesSchema.parse(
    await call("GET", `/api/activities/?${filter}&limit=200`),
  );
  const { data: failures } = filesSchema.parse(await call("GET", `/api/files/?${filter}&status=failed`));
  const rows = [...new Set(activities.map(({ sport }) => sport))].sort().map((sport) => {
    const ofSport = activities.filter((activity) => activity.sport === sport);
    const kilometers =
      ofSport.reduce((sum, { distance_in_meters }) => sum + (distance_in_meters ?? 0), 0) / 1000;
    const hours =
      ofSport.reduce((sum, { timer_time_in_seconds }) => sum + (timer_time_in_seconds ?? 0), 0) / 3600;
    return [
      `  ${sport.padEnd(12)}`,
      String(ofSport.length).padStart(3),
      `${kilometers.toFixed(1).padStart(8)} km`,
      `${hours.toFixed(1).padStart(6)} h`,
    ].join("");
  });
  const failed = failures.map(
    ({ summary_id, error }) => `  ${summary_id}: ${error?.code} (${error?.detail})`,
  );
  return ["Activities:", ...rows, "Failed files:", ...failed].join("\n");
}

/** Polls until `read` returns a value. Throws a DemoFailure with the problem after the time limit. */
async function poll<T>(problem: string, read: () => Promise<T | null | undefined>): Promise<T> {
  for (const deadline = Date.now() + STEP_TIMEOUT_MS; Date.now() < deadline; await delay(POLL_INTERVAL_MS)) {
    const found = await read();
    if (found !== null && found !== undefined) return found;
  }
  throw new DemoFailure(`${problem} within ${STEP_TIMEOUT_MS / 1_000} seconds.`);
}

/** Shows progress in one line. On a terminal the line is updated; elsewhere only the last state is printed. */
function showProgress(done: number, total: number, last: boolean): void {
  if (!process.stdout.isTTY && !last) return;
  const filled = total === 0 ? BAR_WIDTH : Math.floor((done / total) * BAR_WIDTH);
  const bar = `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}] ${done} of ${total}`;
  process.stdout.write(`${process.stdout.isTTY ? "\r" : ""}${bar}${last ? "\n" : ""}`);
}
