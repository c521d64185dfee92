import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { validKey } from "../../partners/partner.ts";
import { activityId, fileId } from "../../identifiers.ts";
import { CommandFault, systemCode } from "../commandLine.ts";
import type { Registry } from "../registries.ts";
import { newPartner, partnerWith, USUAL_SETTINGS } from "../newPartner.ts";
import { rideFile } from "./workouts.ts";
import { EVENT_PATH } from "./partnerHost.ts";

const DEMO_PARTNER_ID = "demo";

/** A record every 10 s keeps the printed command of a ride of ten minutes under 4 KB. */
const RIDE = { seconds: 600, secondsApart: 10, effort: 1 };
/** Time from the start of the ride to the creation of the partner. */
const RIDE_BEFORE_SECONDS = 45 * 60;

const demoSchema = z.object({
  partner_id: z.literal(DEMO_PARTNER_ID),
  auth_key: z.string(),
  webhook_secret: z.string(),
  created_at: z.string(),
});
export type DemoPartner = z.infer<typeof demoSchema>;

const SETTINGS = { name: "Demo", ...USUAL_SETTINGS };

/**
 * Creates the partner `demo` once for each state folder and stores its key there, so that every start can print it.
 * Sets its event URL to this start's receiver, unless an operator has set another one. Returns null when `demo` is
 * registered with another key.
 */
export async function demoPartner(
  state: string,
  registry: Registry,
  eventUrl: string,
  now: Date,
): Promise<DemoPartner | null> {
  const demo = (await readDemo(state)) ?? (await createDemo(state, now));
  const registered =
    (await registry.read(DEMO_PARTNER_ID)) ?? partnerWith(demo, SETTINGS, new Date(demo.created_at));
  if (validKey(registered, demo.auth_key, now.getTime()) === null) return null;
  if (registered.event_url === null || registered.event_url.endsWith(EVENT_PATH)) {
    const changed = await registry.change(registered, (newest) => ({
      ok: true,
      partner: { ...newest, event_url: eventUrl },
    }));
    if (!changed.ok) throw new CommandFault(changed.problem);
  }
  return demo;
}

function demoPath(state: string): string {
  return path.join(state, "demo.json");
}

async function readDemo(state: string): Promise<DemoPartner | null> {
  try {
    return demoSchema.parse(JSON.parse(await readFile(demoPath(state), "utf8")));
  } catch (fault) {
    if (systemCode(fault) === "ENOENT") return null;
    throw fault;
  }
}

async function createDemo(state: string, now: Date): Promise<DemoPartner> {
  const { credentials } = newPartner({ partner_id: DEMO_PARTNER_ID, ...SETTINGS }, now);
  const demo = demoSchema.parse({ ...credentials, created_at: now.toISOString() });
  await writeFile(demoPath(state), JSON.stringify(demo, null, 2), { mode: 0o600 });
  return demo;
}

/** Returns two shell commands: the first sends a small ride inline, the second reads its activity. */
export function demoCommands(url: string, demo: DemoPartner): { importRide: string; readActivity: string } {
  const startInSeconds = Math.floor(Date.parse(demo.created_at) / 1000) - RIDE_BEFORE_SECONDS;
  const ping = {
    file_type: "FIT",
    activity_name: "Morning Ride",
    priority: 1,
    user_id: "rider-1",
    source: "demo-computer",
    overwrite_mode: false,
    start_time_in_seconds: String(startInSeconds),
    callback_url: Buffer.from(rideFile({ startInSeconds, ...RIDE })).toString("base64"),
    summary_id: "ride-1",
  };
  const file = fileId({
    partnerId: demo.partner_id,
    userId: ping.user_id,
    source: ping.source,
    summaryId: ping.summary_id,
  });
  const headers = `-H 'Authorization: Bearer ${demo.auth_key}' -H 'Partner-Id: ${demo.partner_id}'`;
  const body = JSON.stringify({ activity_files: [ping] });
  return {
    importRide: `curl -sS ${headers} -H 'Content-Type: application/json' -d '${body}' ${url}/api/fit_partner_ping/`,
    // Retries, so that both lines can be pasted at once.
    readActivity: `curl -sS --fail --retry 5 --retry-all-errors ${headers} ${url}/api/activities/${activityId(file, 0)}/`,
  };
}
