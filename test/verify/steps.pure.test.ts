import { afterEach, expect, test, vi } from "vitest";
import { StepFailure } from "../../src/verify/api.ts";
import { STEPS, type Endpoint, type Run } from "../../src/verify/steps.ts";
import { verify } from "../../src/verify/verify.ts";

const target = { base: "https://api.example.com", partnerId: "acme", key: "aep_key" };

afterEach(() => vi.restoreAllMocks());

const ENDPOINT: Endpoint = {
  endpoint_id: "ep_1",
  url: "https://hooks.example.com/",
  event_types: ["bulk_fit_import.completed"],
  isActive: true,
};

/** Runs one step of a partner with one endpoint. Its event has this status and this only attempt. */
async function failureOf(stepId: string, status: string, attempt: object): Promise<string> {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (_url, init) =>
    init?.method === "POST"
      ? Response.json({ id: "evt_1" }, { status: 202 })
      : Response.json({ id: "evt_1", status, attempts: [attempt], data: [{ id: "evt_1" }] }),
  );
  const run: Run = {
    target,
    userId: "verify-1",
    startInSeconds: 1_760_000_000,
    endpoints: [ENDPOINT],
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

test("The webhook steps test each active endpoint, and say what is missing without one", async () => {
  const run: Run = {
    target,
    userId: "verify-1",
    startInSeconds: 1_760_000_000,
    endpoints: [],
    importId: "1",
    liveFileId: "1",
  };
  const endpoint = (id: string, fields: object = {}) => ({
    endpoint_id: id,
    url: `https://hooks.example.com/${id}`,
    event_types: ["bulk_fit_import.completed"],
    state: "active",
    on_hold: false,
    ...fields,
  });
  const served = { data: [] as object[] };
  const asked: string[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const { url, headers } = new Request(input, init);
    const { pathname, search } = new URL(url);
    asked.push(pathname + search);
    if (pathname === "/api/partner/")
      return Response.json(
        { event_url: null, keys: [1] },
        { status: headers.get("Authorization")?.endsWith("x") === true ? 401 : 200 },
      );
    if (pathname === "/api/endpoints/") return Response.json(served);
    if (pathname === "/api/events/test/") return Response.json({ id: "evt_t" }, { status: 202 });
    const attempts = [{ status: 400, answer: "no", milliseconds: 1 }];
    return Response.json({ id: "evt_1", status: "delivered", attempts, data: [{ id: "evt_1" }] });
  });
  const outcome = async (stepId: string, endpoints: object[]) => {
    served.data = endpoints;
    await STEPS.find(({ id }) => id === "key")?.run(run);
    asked.length = 0;
    return STEPS.find(({ id }) => id === stepId)?.run(run);
  };

  expect(await outcome("wrong_signature", [endpoint("a"), endpoint("b")])).toBe(
    "https://hooks.example.com/a: The wrong signature was rejected. Your receiver returned 400. " +
      "https://hooks.example.com/b: The wrong signature was rejected. Your receiver returned 400.",
  );
  const tested = asked.flatMap((path) => /test\/\?endpoint_id=(\w+)&/.exec(path)?.[1] ?? []);
  expect(tested).toEqual(["a", "b"]);
  const other = endpoint("b", { event_types: ["user.erased"] });
  expect(await outcome("event", [endpoint("a"), other])).toBe(
    "Delivered in 1 ms. Your receiver returned 400.",
  );
  expect(asked[0]).toContain("endpoint_id=a&");
  expect(await outcome("event", [other])).toEqual({
    skipped: "No active endpoint receives bulk_fit_import.completed.",
  });
  expect(await outcome("event", [])).toEqual({
    skipped: expect.stringContaining("Create one with POST /api/endpoints/"),
  });
  for (const fields of [{ state: "unverified" }, { state: "disabled" }, { on_hold: true }]) {
    expect(await outcome("challenge", [endpoint("a", fields)])).toEqual({
      skipped: expect.stringContaining("No endpoint is active"),
    });
  }
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
    endpoints: [],
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
    endpoints: [],
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
