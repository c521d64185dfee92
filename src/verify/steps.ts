import { challengeIn } from "../deliveries/challenge.pure.ts";
import { REJECTIONS } from "../deliveries/forged.ts";
import { RESPONSE_DEADLINE_MS } from "../deliveries/schedule.pure.ts";
import { IMPORT_COMPLETED } from "../endpoints/eventTypes.ts";
import {
  object,
  RUN_AGAIN,
  send,
  sendExpecting,
  StepFailure,
  waitFor,
  type ApiResponse,
  type Target,
} from "./api.ts";
import { tinyRide } from "./tinyRide.ts";

/** An endpoint of the partner. */
export interface Endpoint {
  endpoint_id: string;
  url: string;
  event_types: string[];
  /** Whether events are sent to it now. */
  isActive: boolean;
}

/** State that the steps of one run share. */
export interface Run {
  target: Target;
  userId: string;
  startInSeconds: number;
  endpoints: Endpoint[];
  importId: string | null;
  /** The file of the live ride. */
  liveFileId: string | null;
}

export interface Step {
  id: string;
  title: string;
  /** A failure of this step does not end the run: later steps do not depend on it. */
  independent?: true;
  /** The user may exist from this step on. */
  createsUser?: true;
  /** Runs even after a failure, if the user may exist. */
  deletesUser?: true;
  /** Returns what the step found, or `skipped` with the reason why it cannot run. Throws a StepFailure. */
  run(run: Run): Promise<string | { skipped: string }>;
}

const SOURCE = "verify";
const RIDE_NAME = "Integration check";
/** A live ride takes about a second. A service under load may take much longer. */
const IMPORT_SECONDS = 90;
/** Time for two attempts: the second follows 5 s after the first, and each may take 15 s. */
const EVENT_SECONDS = 45;
/** So many that their import takes longer than the request that cancels it. */
const CANCELLED_FILES = 40;
const FIRST_RIDE_SECONDS = 20;
const SECOND_RIDE_SECONDS = 30;

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** `held`: waits for the task. `newer`: another ride in its place. `sequence`: its sequence number. */
interface PingOptions {
  held?: boolean;
  newer?: boolean;
  sequence?: number;
}

function item(run: Run, summaryId: string, { held, newer, sequence }: PingOptions) {
  const seconds = newer === true ? SECOND_RIDE_SECONDS : FIRST_RIDE_SECONDS;
  return {
    file_type: "FIT",
    activity_name: RIDE_NAME,
    priority: held === true ? 0 : 1,
    user_id: run.userId,
    source: SOURCE,
    overwrite_mode: newer === true,
    start_time_in_seconds: String(run.startInSeconds),
    callback_url: base64(tinyRide(run.startInSeconds, seconds)),
    summary_id: summaryId,
    ...(sequence === undefined ? {} : { sequence_number: sequence }),
  };
}

/** Pings files. Returns the id and the status of the first. */
async function ping(run: Run, summaryIds: string | readonly string[], options: PingOptions = {}) {
  const body = await sendExpecting(run.target, "POST", "/api/fit_partner_ping/", 202, {
    activity_files: [summaryIds].flat().map((summaryId) => item(run, summaryId, options)),
  });
  const file = object(Array.isArray(body["files"]) ? body["files"][0] : null);
  return { fileId: String(file["file_id"]), status: String(file["status"]) };
}

/** Sends a task. Returns its response. */
async function sendTask(
  run: Run,
  fields: { source?: string; event_id?: string; expected_summary_ids?: string[] },
) {
  return sendExpecting(run.target, "POST", "/api/task_partner/", 202, {
    bulk_fit_transfer_complete: true,
    source: SOURCE,
    user_id: run.userId,
    is_initial_import: false,
    ...fields,
  });
}

/** Waits until the import is completed. Returns it. */
async function waitForImport(run: Run, importId: string): Promise<ApiResponse["body"]> {
  return waitFor("The import did not complete", IMPORT_SECONDS, async () => {
    const found = await sendExpecting(run.target, "GET", `/api/imports/${importId}/`, 200);
    return found["completed_at"] === null ? null : found;
  });
}

function expectStatus(received: string, expected: string): void {
  if (received === expected) return;
  throw new StepFailure(`The ping returned the status ${received}; ${expected} was expected. ${RUN_AGAIN}`);
}

/** Waits until the file has an activity of this duration. */
async function waitForActivity(run: Run, fileId: string, seconds: number): Promise<void> {
  await waitFor(`The ${seconds} s activity was not readable`, IMPORT_SECONDS, async () => {
    const file = await sendExpecting(run.target, "GET", `/api/files/${fileId}/`, 200);
    if (file["status"] === "failed") {
      throw new StepFailure(`The import of the file failed: ${String(object(file["error"])["detail"])}`);
    }
    const { status, body } = await send(run.target, "GET", `/api/activities/${fileId}.0/`);
    return status === 200 && body["elapsed_time_in_seconds"] === seconds ? true : null;
  });
}

/** Edits a name and a sport, and checks that a read returns the edit right after it. */
async function edit(run: Run, fields: { activity_name: string | null; sport: string | null }): Promise<void> {
  const file = `/api/files/${run.liveFileId}/`;
  const activity = `/api/activities/${run.liveFileId}.0/`;
  const { activity_name, sport } = fields;
  await sendExpecting(run.target, "PATCH", file, 200, { activity_name });
  await sendExpecting(run.target, "PATCH", activity, 200, { sport });
  const expected = JSON.stringify([activity_name ?? RIDE_NAME, sport ?? "cycling"]);
  const read = await sendExpecting(run.target, "GET", activity, 200);
  const received = JSON.stringify([read["activity_name"], read["sport"]]);
  if (received === expected) return;
  throw new StepFailure(
    `The activity has the name and sport ${received} after the edit; ${expected} was expected. ${RUN_AGAIN}`,
  );
}

/** Sends a test event to an endpoint and waits for its first attempt. Returns the event. */
async function sendTestEvent(
  run: Run,
  { endpoint_id }: Endpoint,
  query: string,
): Promise<ApiResponse["body"]> {
  const path = `/api/events/test/?endpoint_id=${endpoint_id}&${query}`;
  const sent = await sendExpecting(run.target, "POST", path, 202);
  return waitFor("The test event was not sent", EVENT_SECONDS, async () => {
    const event = await sendExpecting(run.target, "GET", `/api/events/${String(sent["id"])}/`, 200);
    return attemptsOf(event).length > 0 ? event : null;
  });
}

function attemptsOf(event: ApiResponse["body"]): Record<string, unknown>[] {
  return Array.isArray(event["attempts"]) ? event["attempts"].map(object) : [];
}

/** Returns a sentence about the response to an attempt, or about the reason why none arrived. */
function responseTo(attempt: Record<string, unknown>): string {
  const { status, answer } = attempt;
  if (typeof status === "number") return `Your receiver returned ${status}.`;
  return `No response was received. ${typeof answer === "string" ? answer : ""}`.trim();
}

export function randomName(): string {
  return [...crypto.getRandomValues(new Uint8Array(8))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** Returns the numbers as a list: "400, 401 or 403". */
function oneOf(numbers: readonly number[]): string {
  return `${numbers.slice(0, -1).join(", ")} or ${numbers.at(-1)}`;
}

async function readEndpoints({ target }: Run): Promise<Endpoint[]> {
  const { data } = await sendExpecting(target, "GET", "/api/endpoints/", 200);
  const endpoints = Array.isArray(data) ? data.map(object) : [];
  return endpoints.map(({ endpoint_id, url, event_types, state, on_hold }) => ({
    endpoint_id: String(endpoint_id),
    url: String(url),
    event_types: Array.isArray(event_types) ? event_types.map(String) : [],
    isActive: (state === "active" || state === "failing") && on_hold !== true,
  }));
}

/**
 * Runs a check on each of the partner's endpoints to which events are sent, or on those that receive the type. Returns what
 * the checks found, or `skipped` without such an endpoint.
 */
async function onEachEndpoint(
  { endpoints }: Run,
  check: (endpoint: Endpoint) => Promise<string>,
  type: string | null = null,
): Promise<string | { skipped: string }> {
  if (endpoints.length === 0)
    return {
      skipped:
        "No endpoint exists, so no events are sent. Create one with POST /api/endpoints/, or poll GET /api/events/.",
    };
  const active = endpoints.filter(({ isActive }) => isActive);
  if (active.length === 0)
    return {
      skipped:
        "No endpoint is active, so no events are sent. GET /api/endpoints/ shows why. An unverified endpoint must return its challenge.",
    };
  const chosen = active.filter(({ event_types }) => type === null || event_types.includes(type));
  if (chosen.length === 0) return { skipped: `No active endpoint receives ${type}.` };
  const found: string[] = [];
  for (const endpoint of chosen) {
    const name = chosen.length === 1 ? "" : `${endpoint.url}: `;
    try {
      found.push(name + (await check(endpoint)));
    } catch (fault) {
      if (fault instanceof StepFailure) throw new StepFailure(name + fault.message);
      throw fault;
    }
  }
  return found.join(" ");
}

/** Waits until the event of the import is delivered to the endpoint. */
async function expectEvent(run: Run, { endpoint_id }: Endpoint): Promise<string> {
  const list = `/api/events/?import_id=${run.importId}&endpoint_id=${endpoint_id}&type=${IMPORT_COMPLETED}`;
  const event = await waitFor("The import event was not delivered", EVENT_SECONDS, async () => {
    const { data } = await sendExpecting(run.target, "GET", list, 200);
    const found = object(Array.isArray(data) ? data[0] : null);
    if (typeof found["id"] !== "string") return null;
    const { status, body } = await send(run.target, "GET", `/api/events/${found["id"]}/`);
    return status === 200 && (body["status"] !== "pending" || attemptsOf(body).length > 1) ? body : null;
  });
  const attempt = attemptsOf(event).at(-1) ?? {};
  if (event["status"] === "delivered")
    return `Delivered in ${String(attempt["milliseconds"])} ms. ${responseTo(attempt)}`;
  throw new StepFailure(
    `The event was not delivered. ${responseTo(attempt)} Return any 2xx status within ${RESPONSE_DEADLINE_MS / 1000} s.`,
  );
}

/** Expects the receiver to return the challenge of a test event. */
async function expectChallenge(run: Run, endpoint: Endpoint): Promise<string> {
  const challenge = randomName();
  const event = await sendTestEvent(run, endpoint, `challenge=${challenge}`);
  const [attempt = {}] = attemptsOf(event);
  if (challengeIn(String(attempt["answer"])) === challenge) return "Your receiver returned the challenge.";
  throw new StepFailure(
    `${responseTo(attempt)} The response must contain the challenge. After your receiver has verified the signature of a test.ping event, return the JSON body {"challenge": "…"} with the value of data.challenge.`,
  );
}

/** Expects the receiver to reject a test event with a wrong signature. */
async function expectRejection(run: Run, endpoint: Endpoint): Promise<string> {
  const event = await sendTestEvent(run, endpoint, `signature=wrong&challenge=${randomName()}`);
  const [attempt = {}] = attemptsOf(event);
  if (event["status"] === "delivered") return `The wrong signature was rejected. ${responseTo(attempt)}`;
  throw new StepFailure(
    `The event had a wrong signature. ${responseTo(attempt)} Verify webhook-signature, and reject a wrong one with ${oneOf(REJECTIONS)}.`,
  );
}

/** The steps of the integration check, in order. */
export const STEPS: readonly Step[] = [
  {
    id: "key",
    title: "The partner id and the key are accepted",
    async run(run) {
      const partner = await sendExpecting(run.target, "GET", "/api/partner/", 200);
      run.endpoints = await readEndpoints(run);
      const keys = Array.isArray(partner["keys"]) ? partner["keys"].length : 0;
      const { status } = await send({ ...run.target, key: `${run.target.key}x` }, "GET", "/api/partner/");
      if (status !== 401) {
        throw new StepFailure(
          `A request with a wrong key returned ${status}; 401 was expected. ${RUN_AGAIN}`,
        );
      }
      return `Signed in as ${run.target.partnerId}, with ${keys === 1 ? "1 valid key" : `${keys} valid keys`}.`;
    },
  },
  {
    id: "live_ping",
    title: "A live ride becomes an activity",
    createsUser: true,
    async run(run) {
      const startedAt = Date.now();
      const { fileId, status } = await ping(run, "live");
      run.liveFileId = fileId;
      expectStatus(status, "queued");
      await waitForActivity(run, fileId, FIRST_RIDE_SECONDS);
      return `Readable ${((Date.now() - startedAt) / 1000).toFixed(1)} s after the ping.`;
    },
  },
  {
    id: "bulk_import",
    title: "A task imports held files",
    async run(run) {
      for (const summaryId of ["history-1", "history-2"]) {
        expectStatus((await ping(run, summaryId, { held: true })).status, "held");
      }
      const task = await sendTask(run, {
        event_id: run.userId,
        expected_summary_ids: ["history-1", "history-2"],
      });
      run.importId = String(task["import_id"]);
      const done = await waitForImport(run, run.importId);
      const { imported } = object(done["files"]);
      if (done["status"] !== "completed" || imported !== 2) {
        throw new StepFailure(
          `The import ended as ${String(done["status"])} with ${String(imported)} of 2 files imported; completed with 2 of 2 was expected. ${RUN_AGAIN}`,
        );
      }
      return "2 files were held, then released by the task and imported.";
    },
  },
  {
    id: "overwrite",
    title: "An overwrite replaces the stored activity",
    async run(run) {
      const { fileId, status } = await ping(run, "live", { newer: true });
      expectStatus(status, "queued");
      await waitForActivity(run, fileId, SECOND_RIDE_SECONDS);
      return "The newer version replaced the older one.";
    },
  },
  {
    id: "duplicate",
    title: "A repeated ping is a duplicate",
    async run(run) {
      expectStatus((await ping(run, "live")).status, "duplicate");
      return "The repeated ping returned duplicate. Nothing was imported twice.";
    },
  },
  {
    id: "sequence",
    title: "An older ping that arrives late is superseded",
    async run(run) {
      expectStatus((await ping(run, "late", { held: true, sequence: 2 })).status, "held");
      expectStatus((await ping(run, "late", { held: true, sequence: 1 })).status, "superseded");
      return "The ping with the lower sequence_number returned superseded. It changed nothing.";
    },
  },
  {
    id: "nothing_held",
    title: "A task with a wrong source says where files are held",
    async run(run) {
      const task = await sendTask(run, { source: `${SOURCE}-wrong` });
      const [warning] = Array.isArray(task["warnings"]) ? task["warnings"].map(String) : [];
      const others = task["held_under_other_source"];
      if (warning !== "nothing_held" || !Array.isArray(others) || !others.includes(SOURCE)) {
        throw new StepFailure(
          `The task returned the warning ${String(warning)} and held_under_other_source ${JSON.stringify(others)}; nothing_held and ["${SOURCE}"] were expected. ${RUN_AGAIN}`,
        );
      }
      return "The task returned the warning nothing_held, and the source that has a held file.";
    },
  },
  {
    id: "cancel",
    title: "A cancelled import skips its files",
    async run(run) {
      const unwanted = Array.from({ length: CANCELLED_FILES }, (_, index) => `unwanted-${index}`);
      expectStatus((await ping(run, unwanted, { held: true })).status, "held");
      const importId = String((await sendTask(run, {}))["import_id"]);
      const path = `/api/imports/${importId}/cancel/`;
      const { status, body } = await send(run.target, "POST", path);
      const done = await waitForImport(run, importId);
      if (status === 409 && body["code"] === "import_completed") {
        return {
          skipped: "The import had completed before the cancellation arrived. Nothing was cancelled.",
        };
      }
      const { total, imported, skipped } = object(done["files"]);
      if (status !== 202 || done["status"] !== "cancelled" || Number(imported) + Number(skipped) !== total) {
        throw new StepFailure(
          `POST ${path} returned ${status}, and the import ended as ${String(done["status"])}; 202 and cancelled were expected. ${RUN_AGAIN}`,
        );
      }
      return "The import ended as cancelled, and each of its files was counted once.";
    },
  },
  {
    id: "edit",
    title: "Edits of a name and a sport are returned and undone",
    async run(run) {
      await edit(run, { activity_name: "Edited by the integration check", sport: "running" });
      await edit(run, { activity_name: null, sport: null });
      return "The edits were returned at once. Undoing them restored the name of the ping and the sport of the file.";
    },
  },
  {
    id: "event",
    title: "The import event is delivered",
    independent: true,
    run: async (run) => onEachEndpoint(run, async (endpoint) => expectEvent(run, endpoint), IMPORT_COMPLETED),
  },
  {
    id: "challenge",
    title: "The receiver returns the challenge",
    independent: true,
    run: async (run) => onEachEndpoint(run, async (endpoint) => expectChallenge(run, endpoint)),
  },
  {
    id: "wrong_signature",
    title: "The receiver rejects a wrong signature",
    independent: true,
    run: async (run) => onEachEndpoint(run, async (endpoint) => expectRejection(run, endpoint)),
  },
  {
    id: "deletion",
    title: "Deleting the user deletes all its data",
    deletesUser: true,
    async run(run) {
      const path = `/api/users/${run.userId}/`;
      await sendExpecting(run.target, "DELETE", path, 202);
      await waitFor("The user was not deleted", IMPORT_SECONDS, async () =>
        (await send(run.target, "GET", path)).status === 404 ? true : null,
      );
      return `The user ${run.userId} and all its data were deleted.`;
    },
  },
];
