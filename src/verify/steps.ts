import { deliveryIdOfEvent } from "../deliveries/ids.ts";
import { challengeIn } from "../deliveries/challenge.pure.ts";
import { REJECTIONS } from "../deliveries/forged.ts";
import { RESPONSE_DEADLINE_MS } from "../deliveries/schedule.pure.ts";
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

/** State that the steps of one run share. */
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
/** A live ride takes about a second. A service under load may take much longer. */
const IMPORT_SECONDS = 90;
/** Time for two attempts: the second follows 5 s after the first, and each may take 15 s. */
const EVENT_SECONDS = 45;
const FIRST_RIDE_SECONDS = 20;
const SECOND_RIDE_SECONDS = 30;

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

async function ping(run: Run, summaryId: string, options: { held?: boolean; newer?: boolean } = {}) {
  const body = await sendExpecting(run.target, "POST", "/api/fit_partner_ping/", 202, {
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

/** Sends a test event and waits for its first attempt. Returns the event. */
async function sendTestEvent(run: Run, query: string): Promise<ApiResponse["body"]> {
  const sent = await sendExpecting(run.target, "POST", `/api/events/test/?${query}`, 202);
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

const NO_EVENT_URL = {
  skipped:
    "No event_url is configured, so no events are sent. Poll GET /api/events/, or ask us to configure one.",
};

/** The steps of the integration check, in order. */
export const STEPS: readonly Step[] = [
  {
    id: "key",
    title: "The partner id and the key are accepted",
    async run(run) {
      const partner = await sendExpecting(run.target, "GET", "/api/partner/", 200);
      run.eventUrl = typeof partner["event_url"] === "string" ? partner["event_url"] : null;
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
      const task = await sendExpecting(run.target, "POST", "/api/task_partner/", 202, {
        bulk_fit_transfer_complete: true,
        source: SOURCE,
        user_id: run.userId,
        is_initial_import: false,
        event_id: run.userId,
        expected_summary_ids: ["history-1", "history-2"],
      });
      run.importId = String(task["import_id"]);
      const done = await waitFor("The import did not complete", IMPORT_SECONDS, async () => {
        const found = await sendExpecting(run.target, "GET", `/api/imports/${run.importId}/`, 200);
        return found["completed_at"] === null ? null : found;
      });
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
    id: "event",
    title: "The import event is delivered",
    independent: true,
    async run(run) {
      if (run.eventUrl === null) return NO_EVENT_URL;
      const event = await waitFor("The import event was not delivered", EVENT_SECONDS, async () => {
        const { status, body } = await send(
          run.target,
          "GET",
          `/api/events/${deliveryIdOfEvent(run.importId ?? "")}/`,
        );
        return status === 200 && (body["status"] !== "pending" || attemptsOf(body).length > 1) ? body : null;
      });
      const attempt = attemptsOf(event).at(-1) ?? {};
      if (event["status"] !== "delivered") {
        throw new StepFailure(
          `The event was not delivered. ${responseTo(attempt)} Return any 2xx status within ${RESPONSE_DEADLINE_MS / 1000} s.`,
        );
      }
      return `Delivered in ${String(attempt["milliseconds"])} ms. ${responseTo(attempt)}`;
    },
  },
  {
    id: "challenge",
    title: "The receiver returns the challenge",
    independent: true,
    async run(run) {
      if (run.eventUrl === null) return NO_EVENT_URL;
      const challenge = randomName();
      const event = await sendTestEvent(run, `challenge=${challenge}`);
      const [attempt = {}] = attemptsOf(event);
      if (challengeIn(String(attempt["answer"])) !== challenge) {
        throw new StepFailure(
          `${responseTo(attempt)} The response must contain the challenge. After your receiver has verified the signature of a test.ping event, return the JSON body {"challenge": "…"} with the value of data.challenge.`,
        );
      }
      return "Your receiver returned the challenge.";
    },
  },
  {
    id: "wrong_signature",
    title: "The receiver rejects a wrong signature",
    independent: true,
    async run(run) {
      if (run.eventUrl === null) return NO_EVENT_URL;
      const event = await sendTestEvent(run, `signature=wrong&challenge=${randomName()}`);
      const [attempt = {}] = attemptsOf(event);
      if (event["status"] !== "delivered") {
        throw new StepFailure(
          `The event had a wrong signature. ${responseTo(attempt)} Verify webhook-signature, and reject a wrong one with ${oneOf(REJECTIONS)}.`,
        );
      }
      return `The wrong signature was rejected. ${responseTo(attempt)}`;
    },
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
