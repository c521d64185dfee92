import { deliveryIdOfEvent } from "../deliveries/ids.ts";
import { ask, call, eventually, object, StepFailure, type Answer, type Target } from "./api.ts";
import { tinyRide } from "./tinyRide.ts";

/** What the steps of one run share. */
export interface Run {
  target: Target;
  userId: string;
  startInSeconds: number;
  eventUrl: string | null;
  importId: string | null;
}

export interface Step {
  id: string;
  title: string;
  /** A failure says nothing about the steps behind it, and does not end the run. */
  independent?: true;
  /** The user may be there from this step on. */
  makesUser?: true;
  /** Is tried in any case once the user may be there. */
  removesUser?: true;
  /** Answers what was seen; `skipped` when it could not be tried. Throws a StepFailure. */
  run(run: Run): Promise<string | { skipped: string }>;
}

const SOURCE = "verify";
/** A live ride takes about a second; a service under load may take many. */
const IMPORT_SECONDS = 90;
/** The first attempt comes at once and may take 15 s, the second comes 5 s later. */
const EVENT_SECONDS = 45;
const FIRST_RIDE_SECONDS = 20;
const SECOND_RIDE_SECONDS = 30;

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

async function ping(run: Run, summaryId: string, options: { held?: boolean; newer?: boolean } = {}) {
  const body = await call(run.target, "POST", "/api/fit_partner_ping/", 202, {
    activity_files: [
      {
        file_type: "FIT",
        activity_name: "Integration check",
        priority: options.held === true ? 0 : 1,
        user_id: run.userId,
        source: SOURCE,
        overwrite_mode: options.newer === true,
        start_time_in_seconds: String(run.startInSeconds),
        callback_url: base64(
          tinyRide(run.startInSeconds, options.newer === true ? SECOND_RIDE_SECONDS : FIRST_RIDE_SECONDS),
        ),
        summary_id: summaryId,
      },
    ],
  });
  const file = object(Array.isArray(body["files"]) ? body["files"][0] : null);
  return { fileId: String(file["file_id"]), status: String(file["status"]) };
}

function expectStatus(found: string, wanted: string): void {
  if (found !== wanted) throw new StepFailure(`The ping was answered as ${found}; ${wanted} was expected.`);
}

/** Waits until the file can be read as an activity that lasted so long. */
async function readable(run: Run, fileId: string, seconds: number): Promise<void> {
  await eventually(`the activity of ${seconds} s can be read`, IMPORT_SECONDS, async () => {
    const file = await call(run.target, "GET", `/api/files/${fileId}/`, 200);
    if (file["status"] === "failed") {
      throw new StepFailure(`The file failed: ${String(object(file["error"])["detail"])}`);
    }
    const { status, body } = await ask(run.target, "GET", `/api/activities/${fileId}.0/`);
    return status === 200 && body["elapsed_time_in_seconds"] === seconds ? true : null;
  });
}

/** Sends a test event and waits until its first attempt has been made. */
async function testEvent(run: Run, query: string): Promise<Answer["body"]> {
  const sent = await call(run.target, "POST", `/api/events/test/?${query}`, 202);
  return eventually("an attempt to deliver the test event", EVENT_SECONDS, async () => {
    const event = await call(run.target, "GET", `/api/events/${String(sent["id"])}/`, 200);
    return attemptsOf(event).length > 0 ? event : null;
  });
}

function attemptsOf(event: Answer["body"]): Record<string, unknown>[] {
  return Array.isArray(event["attempts"]) ? event["attempts"].map(object) : [];
}

function answered(attempt: Record<string, unknown>): string {
  const { status, answer } = attempt;
  return typeof status === "number"
    ? `your receiver answered ${status}`
    : `there was no answer (${typeof answer === "string" ? answer : "no reason is known"})`;
}

function challengeIn(answer: unknown): unknown {
  try {
    const parsed: unknown = JSON.parse(String(answer));
    return object(parsed)["challenge"];
  } catch {
    return undefined;
  }
}

export function randomName(): string {
  return [...crypto.getRandomValues(new Uint8Array(8))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

const NO_EVENTS = {
  skipped: "No event_url is set. Events can be polled instead; ask us to set one to be told.",
};

/** What proves an integration, in its order. */
export const STEPS: readonly Step[] = [
  {
    id: "key",
    title: "Partner id and key work",
    async run(run) {
      const partner = await call(run.target, "GET", "/api/partner/", 200);
      run.eventUrl = typeof partner["event_url"] === "string" ? partner["event_url"] : null;
      const keys = Array.isArray(partner["keys"]) ? partner["keys"].length : 0;
      const { status } = await ask({ ...run.target, key: `${run.target.key}x` }, "GET", "/api/partner/");
      if (status !== 401) throw new StepFailure(`Another key was answered with ${status}, not 401.`);
      return `Signed in as ${run.target.partnerId}; ${keys} ${keys === 1 ? "key" : "keys"} in use.`;
    },
  },
  {
    id: "live_ping",
    title: "A live ping becomes an activity",
    makesUser: true,
    async run(run) {
      const startedAt = Date.now();
      const { fileId, status } = await ping(run, "live");
      expectStatus(status, "queued");
      await readable(run, fileId, FIRST_RIDE_SECONDS);
      return `Readable ${((Date.now() - startedAt) / 1000).toFixed(1)} s after the ping.`;
    },
  },
  {
    id: "bulk_import",
    title: "Held pings and a task become an import",
    async run(run) {
      for (const summaryId of ["history-1", "history-2"]) {
        expectStatus((await ping(run, summaryId, { held: true })).status, "held");
      }
      const task = await call(run.target, "POST", "/api/task_partner/", 202, {
        bulk_fit_transfer_complete: true,
        source: SOURCE,
        user_id: run.userId,
        is_initial_import: false,
        event_id: run.userId,
        expected_summary_ids: ["history-1", "history-2"],
      });
      run.importId = String(task["import_id"]);
      const done = await eventually("the import completes", IMPORT_SECONDS, async () => {
        const found = await call(run.target, "GET", `/api/imports/${run.importId}/`, 200);
        return found["completed_at"] === null ? null : found;
      });
      const { imported } = object(done["files"]);
      if (done["status"] !== "completed" || imported !== 2) {
        throw new StepFailure(
          `The import ended as ${String(done["status"])} with ${String(imported)} of 2 files.`,
        );
      }
      return "2 files were held, released by the task and imported.";
    },
  },
  {
    id: "overwrite",
    title: "An overwrite replaces what was stored",
    async run(run) {
      const { fileId, status } = await ping(run, "live", { newer: true });
      expectStatus(status, "queued");
      await readable(run, fileId, SECOND_RIDE_SECONDS);
      return "The newer file took the older one's place.";
    },
  },
  {
    id: "duplicate",
    title: "A repeated ping is a duplicate",
    async run(run) {
      expectStatus((await ping(run, "live")).status, "duplicate");
      return "Nothing was imported twice.";
    },
  },
  {
    id: "event",
    title: "The event of the import arrives",
    independent: true,
    async run(run) {
      if (run.eventUrl === null) return NO_EVENTS;
      const event = await eventually("an attempt to deliver the import's event", EVENT_SECONDS, async () => {
        const { status, body } = await ask(
          run.target,
          "GET",
          `/api/events/${deliveryIdOfEvent(run.importId ?? "")}/`,
        );
        return status === 200 && (body["status"] !== "pending" || attemptsOf(body).length > 1) ? body : null;
      });
      const attempt = attemptsOf(event).at(-1) ?? {};
      if (event["status"] !== "delivered") throw new StepFailure(`Not taken: ${answered(attempt)}.`);
      return `Taken after ${String(attempt["milliseconds"])} ms: ${answered(attempt)}.`;
    },
  },
  {
    id: "challenge",
    title: "The receiver answers a challenge",
    independent: true,
    async run(run) {
      if (run.eventUrl === null) return NO_EVENTS;
      const challenge = randomName();
      const event = await testEvent(run, `challenge=${challenge}`);
      const [attempt = {}] = attemptsOf(event);
      if (challengeIn(attempt["answer"]) !== challenge) {
        throw new StepFailure(
          `A receiver that has verified a test.ping answers {"challenge": …} with the challenge in its data; ${answered(attempt)} without it.`,
        );
      }
      return "The signature was verified and the challenge came back.";
    },
  },
  {
    id: "wrong_signature",
    title: "The receiver refuses a wrong signature",
    independent: true,
    async run(run) {
      if (run.eventUrl === null) return NO_EVENTS;
      const event = await testEvent(run, `signature=wrong&challenge=${randomName()}`);
      const [attempt = {}] = attemptsOf(event);
      if (event["status"] !== "delivered") {
        throw new StepFailure(
          `An event that we did not sign must be refused with 400, 401, 403 or 422; ${answered(attempt)}. Verify webhook-signature.`,
        );
      }
      return `Refused: ${answered(attempt)}.`;
    },
  },
  {
    id: "deletion",
    title: "Deleting the user removes everything",
    removesUser: true,
    async run(run) {
      const path = `/api/users/${run.userId}/`;
      await call(run.target, "DELETE", path, 202);
      await eventually("the user is gone", IMPORT_SECONDS, async () =>
        (await ask(run.target, "GET", path)).status === 404 ? true : null,
      );
      return `${run.userId} is gone.`;
    },
  },
];
