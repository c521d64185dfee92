import { afterEach, expect, test, vi } from "vitest";
import { StepFailure } from "../../src/verify/api.ts";
import { STEPS, type Run } from "../../src/verify/steps.ts";
import { verify } from "../../src/verify/verify.ts";

const target = { base: "https://api.example.com", partnerId: "acme", key: "aep_key" };

afterEach(() => vi.restoreAllMocks());

/** Runs one step of a partner with an event_url. Its event has this status and this only attempt. */
async function failureOf(stepId: string, status: string, attempt: object): Promise<string> {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (_url, init) =>
    init?.method === "POST"
      ? Response.json({ id: "evt_1" }, { status: 202 })
      : Response.json({ id: "evt_1", status, attempts: [attempt] }),
  );
  const eventUrl = "https://hooks.example.com/";
  const run: Run = {
    target,
    userId: "verify-1",
    startInSeconds: 1_760_000_000,
    eventUrl,
    importId: "1",
    liveFileId: "1",
  };
  try {
    await STEPS.find(({ id }) => id === stepId)?.run(run);
  } catch (fault) {
    if (fault instanceof StepFailure) return fault.message;
    throw fault;
  }
  return "passed";
}

test.each([
  [
    "event",
    { status: 500, answer: "broken" },
    "The event was not delivered. Your receiver returned 500. Return any 2xx status within 15 s.",
  ],
  [
    "event",
    { status: null, answer: "The connection to the receiver failed." },
    "The event was not delivered. No response was received. The connection to the receiver failed. Return any 2xx status within 15 s.",
  ],
  [
    "challenge",
    { status: 204, answer: "" },
    'Your receiver returned 204. The response must contain the challenge. After your receiver has verified the signature of a test.ping event, return the JSON body {"challenge": "…"} with the value of data.challenge.',
  ],
  [
    "wrong_signature",
    { status: 200, answer: "{}" },
    "The event had a wrong signature. Your receiver returned 200. Verify webhook-signature, and reject a wrong one with 400, 401, 403 or 422.",
  ],
])("A failed step %s says what was received and what to do: %j", async (step, attempt, message) => {
  expect(await failureOf(step, "failed", attempt)).toBe(message);
});

/** Runs one step against a service that returns these responses to the requests, by method and path. */
async function resultOf(stepId: string, responses: Record<string, [status: number, body: object]>) {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = `${init?.method} ${new URL(new Request(input).url).pathname}`;
    const [status, body] = responses[request] ?? [500, {}];
    return Response.json(body, { status });
  });
  const run: Run = {
    target,
    userId: "verify-1",
    startInSeconds: 1_760_000_000,
    eventUrl: null,
    importId: null,
    liveFileId: null,
  };
  try {
    return await STEPS.find(({ id }) => id === stepId)?.run(run);
  } catch (fault) {
    if (fault instanceof StepFailure) return `failed: ${fault.message}`;
    throw fault;
  }
}

test("The check fails when a task that finds nothing does not say where files are held", async () => {
  const answers = async (task: object) =>
    resultOf("nothing_held", { "POST /api/task_partner/": [202, task] });
  expect(await answers({ warnings: ["nothing_held"], held_under_other_source: ["verify"] })).toBe(
    "The task returned the warning nothing_held, and the source that has a held file.",
  );
  const failure =
    'failed: The task returned the warning nothing_held and held_under_other_source []; nothing_held and ["verify"] were expected. Run the check again. If it fails again, send us this report.';
  expect(await answers({ warnings: ["nothing_held"], held_under_other_source: [] })).toBe(failure);
  expect(await answers({ warnings: [], held_under_other_source: ["verify"] })).toMatch(/^failed: /);
});

test("The check fails when a cancelled import does not end as cancelled, and skips one that was too fast", async () => {
  const answers = async (cancel: [number, object], status: string) =>
    resultOf("cancel", {
      "POST /api/fit_partner_ping/": [202, { files: [{ file_id: "f", status: "held" }] }],
      "POST /api/task_partner/": [202, { import_id: "i" }],
      "POST /api/imports/i/cancel/": cancel,
      "GET /api/imports/i/": [
        200,
        {
          status,
          completed_at: "2026-11-29T12:00:00Z",
          files: { total: 1, imported: 0, skipped: 1, failed: 0 },
        },
      ],
    });
  expect(await answers([202, {}], "cancelled")).toBe(
    "The import ended as cancelled, and each of its files was counted once.",
  );
  expect(await answers([202, {}], "completed")).toMatch(
    /^failed: POST \/api\/imports\/i\/cancel\/ returned 202, and the import ended as completed; /,
  );
  expect(await answers([500, {}], "cancelled")).toMatch(/^failed: .* returned 500/);
  expect(await answers([409, { code: "import_completed" }], "completed")).toEqual({
    skipped: "The import had completed before the cancellation arrived. Nothing was cancelled.",
  });
});

test("The check fails when an older ping that arrives late is not superseded", async () => {
  const statuses = ["held", "duplicate"];
  vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
    Response.json({ files: [{ file_id: "f", status: statuses.shift() }] }, { status: 202 }),
  );
  const run: Run = {
    target,
    userId: "verify-1",
    startInSeconds: 1_760_000_000,
    eventUrl: null,
    importId: null,
    liveFileId: null,
  };
  await expect(STEPS.find(({ id }) => id === "sequence")?.run(run)).rejects.toThrow(
    "The ping returned the status duplicate; superseded was expected.",
  );
});

test("A failed request reports the received and the expected status, and later steps are skipped", async () => {
  vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
    Response.json(
      { code: "partner_suspended", title: "The partner is suspended", detail: "Ask us about it." },
      { status: 403 },
    ),
  );
  const { ok, steps } = await verify(target, () => undefined);
  expect(ok).toBe(false);
  expect(steps[0]).toMatchObject({
    status: "failed",
    detail:
      "GET /api/partner/ returned 403 partner_suspended; 200 was expected. The partner is suspended. Ask us about it.",
  });
  expect(steps.slice(1).map(({ status, detail }) => [status, detail])).toEqual(
    steps
      .slice(1)
      .map(() => ["skipped", "Not run, because the step “The partner id and the key are accepted” failed."]),
  );
});
