import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { allAcceptedSchema } from "../../pings/acceptedPings.ts";
import type { DemoPartner } from "./demoPartner.ts";
import { DAY_SOURCE, DAY_USER, historyPings, livePing } from "./history.ts";
import type { PartnerHost, ReceivedEvent } from "./partnerHost.ts";

const EVENT_ID = "first-day";
const LOOK_EVERY_MS = 250;
/** On an idle machine the day takes seconds; a busy one may take many, and must not hold up the start for ever. */
const PATIENCE_MS = 90_000;
const BAR_WIDTH = 24;

/** The day did not come to its end; the message is one line for the person at the terminal. */
class CutShort extends Error {}

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
 * Plays a partner's first day over HTTP: a history pinged and held, the task that releases it, the signed event,
 * one live ride, and a table of what came out. A day that was played already is left as it is. Never throws for
 * what the service answers: it then says in a line how far the day came.
 */
export async function playFirstDay(url: string, demo: DemoPartner, host: PartnerHost): Promise<void> {
  const beganAt = Math.floor(Date.parse(demo.created_at) / 1000);
  const events: ReceivedEvent[] = [];
  host.onEvent(demo.webhook_secret, (event) => events.push(event));
  const ask = caller(url, demo);
  try {
    const about = `user_id=${DAY_USER}&source=${DAY_SOURCE}`;
    const before = importsSchema.parse(await ask("GET", `/api/imports/?${about}`));
    const done = before.data.some(({ status }) => status !== "running");
    if (done) console.log("The demo's first day was played here already: nothing is imported twice.");
    else await bringHistory(ask, historyPings(host, beganAt), events);
    await bringLiveRide(ask, livePing(host, beganAt));
    console.log(await whatCameOut(ask, about));
  } catch (fault) {
    if (!(fault instanceof CutShort)) throw fault;
    console.log(`The demo's first day was cut short: ${fault.message}`);
  }
}

type Ask = (method: "GET" | "POST", path: string, body?: unknown) => Promise<unknown>;

function caller(url: string, demo: DemoPartner): Ask {
  return async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        Authorization: `Bearer ${demo.auth_key}`,
        "Partner-Id": demo.partner_id,
        "Content-Type": "application/json",
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    }).catch(() => null);
    if (response === null) throw new CutShort(`${method} ${path.split("?")[0]} was not answered.`);
    const text = await response.text();
    if (!response.ok) throw new CutShort(`${method} ${path.split("?")[0]} answered ${response.status}.`);
    return JSON.parse(text);
  };
}

async function bringHistory(
  ask: Ask,
  pings: ReturnType<typeof historyPings>,
  events: readonly ReceivedEvent[],
): Promise<void> {
  console.log(`A first day of the partner demo: ${pings.length} files of ${DAY_USER} are announced …`);
  const { files } = allAcceptedSchema.parse(
    await ask("POST", "/api/fit_partner_ping/", { activity_files: pings }),
  );
  const held = files.filter(({ status }) => status === "held").length;
  console.log(`${held} held. The history is complete; the task releases it …`);
  const task = importSchema.parse(
    await ask("POST", "/api/task_partner/", {
      bulk_fit_transfer_complete: true,
      source: DAY_SOURCE,
      is_initial_import: true,
      user_id: DAY_USER,
      event_id: EVENT_ID,
    }),
  );
  const finished = await until("its import did not finish in time", async () => {
    const now = importSchema.parse(await ask("GET", `/api/imports/${task.import_id}/`));
    showProgress(now.files.total - now.files.pending, now.files.total, now.status !== "running");
    return now.status === "running" ? null : now;
  });
  const { imported, failed } = finished.files;
  console.log(`${imported} imported, ${failed} failed for good.`);
  const event = await until("no event came", async () =>
    events.find(({ body }) => body.includes('"bulk_fit_import.completed"')),
  );
  console.log(
    event.verified
      ? "The event has come, and its signature is good."
      : "The event has come; its signature is not by the secret that this command knows.",
  );
}

async function bringLiveRide(ask: Ask, ping: ReturnType<typeof livePing>): Promise<void> {
  const startedAt = Date.now();
  const { files } = allAcceptedSchema.parse(
    await ask("POST", "/api/fit_partner_ping/", { activity_files: [ping] }),
  );
  const [file] = files;
  if (file === undefined) throw new CutShort("the live ride was not taken.");
  await until("the live ride was not imported in time", async () =>
    fileSchema.parse(await ask("GET", `/api/files/${file.file_id}/`)).status === "imported" ? true : null,
  );
  if (file.status === "duplicate") return;
  console.log(`A live ride with priority 1 can be read after ${Date.now() - startedAt} ms.`);
}

async function whatCameOut(ask: Ask, about: string): Promise<string> {
  const { data: activities } = activitiesSchema.parse(
    await ask("GET", `/api/activities/?${about}&limit=200`),
  );
  const { data: failures } = filesSchema.parse(await ask("GET", `/api/files/?${about}&status=failed`));
  const rows = [...new Set(activities.map(({ sport }) => sport))].sort().map((sport) => {
    const of = activities.filter((activity) => activity.sport === sport);
    const kilometers = of.reduce((sum, { distance_in_meters }) => sum + (distance_in_meters ?? 0), 0) / 1000;
    const hours = of.reduce((sum, { timer_time_in_seconds }) => sum + (timer_time_in_seconds ?? 0), 0) / 3600;
    return [
      `  ${sport.padEnd(12)}`,
      String(of.length).padStart(3),
      `${kilometers.toFixed(1).padStart(8)} km`,
      `${hours.toFixed(1).padStart(6)} h`,
    ].join("");
  });
  const failed = failures.map(
    ({ summary_id, error }) => `  ${summary_id}: ${error?.code} (${error?.detail})`,
  );
  return ["Activities:", ...rows, "Files that failed:", ...failed].join("\n");
}

/** Looks until there is something, or says why the day ends here. */
async function until<T>(otherwise: string, look: () => Promise<T | null | undefined>): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await delay(LOOK_EVERY_MS)) {
    const found = await look();
    if (found !== null && found !== undefined) return found;
  }
  throw new CutShort(`${otherwise}.`);
}

/** One line that grows where a person looks on; elsewhere only its last state. */
function showProgress(done: number, total: number, last: boolean): void {
  if (!process.stdout.isTTY && !last) return;
  const filled = total === 0 ? BAR_WIDTH : Math.floor((done / total) * BAR_WIDTH);
  const bar = `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}] ${done} of ${total}`;
  process.stdout.write(`${process.stdout.isTTY ? "\r" : ""}${bar}${last ? "\n" : ""}`);
}
