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
  const run: Run = { target, userId: "verify-1", startInSeconds: 0, eventUrl, importId: "1" };
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
