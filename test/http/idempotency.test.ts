import { env } from "cloudflare:workers";
import { createScheduledController } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import worker from "../../src/index.ts";
import { faultsOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { base64, pingOf } from "../flows/partnerActs.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const PINGS = "/api/fit_partner_ping/";
const TASKS = "/api/task_partner/";
const TASK = {
  bulk_fit_transfer_complete: true,
  source: "watch",
  is_initial_import: false,
  user_id: "user-1",
};
const RIDE = pingOf({ summary_id: "ride-secret", callback_url: "https://files.example.com/f?token=secret" });
const INLINE = pingOf({ summary_id: "ride", callback_url: base64(rideFile()) });

const pings = (who: TestPartner, key: string | null, items: unknown[] = [RIDE], more = {}) =>
  send(who, "POST", PINGS, {
    body: { activity_files: items },
    headers: key === null ? more : { "Idempotency-Key": key, ...more },
  });

const statuses = async (response: Response) => {
  expect(response.status).toBe(202);
  const files = z
    .object({ files: z.array(z.object({ status: z.string() })) })
    .parse(await response.json()).files;
  return files.map((file) => file.status);
};

/** Does something in the middle of the next request, while it stores the file that came along. */
function whileStoring(act: () => Promise<void>) {
  const put = env.FILES.put.bind(env.FILES);
  vi.spyOn(env.FILES, "put").mockImplementationOnce(async (...stored) => {
    await act();
    return put(...stored);
  });
}

const records = async (who: TestPartner) =>
  (await env.DB.prepare("SELECT * FROM idempotent_requests WHERE partner_id = ?").bind(who.partnerId).all())
    .results;

describe("a request with an Idempotency-Key", () => {
  test("that is repeated gets the answer that it got, where one without a key is a duplicate", async () => {
    const who = await newPartner();
    const first = await pings(who, "key-1");
    const again = await pings(who, "key-1");
    expect(await again.json()).toEqual(await first.json());
    expect(await statuses(await pings(who, null))).toEqual(["duplicate"]);
    expect(await statuses(await pings(who, "key-1"))).toEqual(["queued"]);
    expect(await statuses(await pings(who, "key-2"))).toEqual(["duplicate"]);
  });

  test("starts one import, whose answer is told again as it was", async () => {
    const who = await newPartner();
    await pings(who, null, [{ ...RIDE, priority: 0 }]);
    const task = (key: string | null) =>
      send(who, "POST", TASKS, {
        body: { ...TASK, event_id: "e", expected_summary_ids: ["never-came", "ride-secret", "nor-this"] },
        headers: key === null ? {} : { "Idempotency-Key": key },
      });
    const first: unknown = await (await task("key")).json();
    expect(first).toMatchObject({
      repeated: false,
      status: "running",
      files: { total: 1 },
      missing_summary_ids: ["never-came", "nor-this"],
      warnings: [expect.any(String)],
    });
    expect(await (await task("key")).json()).toEqual(first);
    expect(await (await task(null)).json()).toMatchObject({ repeated: true });
  });

  test("leaves no word of itself behind: hashes, and a letter for each file", async () => {
    const who = await newPartner();
    await pings(who, "key-secret", [RIDE, { ...RIDE, summary_id: "held", priority: 0 }]);
    await send(who, "POST", TASKS, {
      body: { ...TASK, expected_summary_ids: ["never-came"] },
      headers: { "Idempotency-Key": "key-secret" },
    });
    const kept = await records(who);
    expect(kept).toHaveLength(2);
    expect(kept.map((row) => row["answer"])).toContain("qh");
    for (const word of ["secret", "user-1", "watch", "held", "never-came"]) {
      expect(JSON.stringify(kept)).not.toContain(word);
    }
  });

  test("keeps a large answer small", async () => {
    const who = await newPartner();
    const items = Array.from({ length: 5_000 }, (_, index) => ({
      ...RIDE,
      summary_id: `s-${index}`,
      priority: 0,
    }));
    const first = await pings(who, "key", items);
    expect(await (await pings(who, "key", items)).text()).toBe(await first.text());
    await send(who, "POST", TASKS, {
      body: { ...TASK, expected_summary_ids: Array.from({ length: 20_000 }, (_, index) => `m-${index}`) },
      headers: { "Idempotency-Key": "key" },
    });
    const bytes = (await records(who)).map((row) => String(row["answer"]).length);
    expect(Math.max(...bytes)).toBeLessThan(200_000);
  });

  test("is told apart from another request under its key, by body and by preference", async () => {
    const who = await newPartner();
    await statuses(await pings(who, "key"));
    const other = { ...RIDE, summary_id: "another" };
    await problemOf(await pings(who, "key", [other]), 422, "idempotency_key_reused");
    await problemOf(
      await pings(who, "key", [RIDE], { Prefer: "handling=lenient" }),
      422,
      "idempotency_key_reused",
    );
    expect(await statuses(await pings(who, null, [other]))).toEqual(["queued"]);
  });

  test("shares its key with no other partner, path or query", async () => {
    const who = await newPartner();
    const other = await newPartner();
    await statuses(await pings(who, "key"));
    expect(await statuses(await pings(other, "key"))).toEqual(["queued"]);
    const task = await send(who, "POST", TASKS, { body: TASK, headers: { "Idempotency-Key": "key" } });
    expect(task.status).toBe(202);
    const spelled = await send(who, "POST", `${PINGS}?dry_run=false`, {
      body: { activity_files: [RIDE] },
      headers: { "Idempotency-Key": "key" },
    });
    expect(await statuses(spelled)).toEqual(["duplicate"]);
  });

  test("is refused while the same is being answered, and may come again", async () => {
    const who = await newPartner();
    let meanwhile: Response | null = null;
    whileStoring(async () => {
      meanwhile = await pings(who, "key", [INLINE]);
    });
    expect(await statuses(await pings(who, "key", [INLINE]))).toEqual(["queued"]);
    if (meanwhile === null) throw new Error("the second request was not sent");
    await problemOf(meanwhile, 409, "idempotency_in_flight");
    expect(await statuses(await pings(who, "key", [INLINE]))).toEqual(["queued"]);
  });

  test("that was cut off blocks its key for a minute and no longer", async () => {
    const who = await newPartner();
    const now = Date.now();
    let afterAMinute: Response | null = null;
    whileStoring(async () => {
      vi.useFakeTimers({ toFake: ["Date"] });
      vi.setSystemTime(now + 61_000);
      afterAMinute = await pings(who, "key", [INLINE]);
    });
    const late = await pings(who, "key", [INLINE]);
    if (afterAMinute === null) throw new Error("the second request was not sent");
    expect(await statuses(afterAMinute)).toEqual(["queued"]);
    expect(late.status).toBe(202);
    expect(await statuses(await pings(who, "key", [INLINE]))).toEqual(["queued"]);
  });

  test("that was refused, or met a fault of ours, is not kept: the key is free", async () => {
    const who = await newPartner();
    await problemOf(await pings(who, "key", [{ ...RIDE, priority: 7 }]), 400, "validation_failed");
    vi.spyOn(env.FILES, "put").mockRejectedValueOnce(new Error("internal"));
    await problemOf(await pings(who, "key", [INLINE]), 503, "store_unavailable");
    expect(await records(who)).toEqual([]);
    expect(await statuses(await pings(who, "key"))).toEqual(["queued"]);
  });

  test("is kept for 24 hours, and swept afterwards", async () => {
    const who = await newPartner();
    const now = Date.now();
    await statuses(await pings(who, "key"));
    vi.useFakeTimers({ toFake: ["Date"] });
    vi.setSystemTime(now + 24 * 3_600_000 - 10_000);
    expect(await statuses(await pings(who, "key"))).toEqual(["queued"]);
    vi.setSystemTime(now + 24 * 3_600_000 + 10_000);
    expect(await statuses(await pings(who, "key"))).toEqual(["duplicate"]);
    expect(await records(who)).toHaveLength(1);
    await worker.scheduled(
      createScheduledController({ scheduledTime: now + 49 * 3_600_000, cron: "* * * * *" }),
      env,
    );
    expect(await records(who)).toEqual([]);
  });

  test("is answered, though its answer could not be kept", async () => {
    const who = await newPartner();
    const prepare = env.DB.prepare.bind(env.DB);
    vi.spyOn(env.DB, "prepare").mockImplementation((sql) => {
      if (sql.includes("SET answer")) throw new Error("D1_ERROR: overloaded");
      return prepare(sql);
    });
    expect(await statuses(await pings(who, "key"))).toEqual(["queued"]);
  });

  test("is a 503 while its key cannot be looked up, and nothing is taken", async () => {
    const who = await newPartner();
    vi.spyOn(env.DB, "batch").mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
    await problemOf(await pings(who, "key"), 503, "store_unavailable");
    expect(await statuses(await pings(who, null))).toEqual(["queued"]);
  });

  test("has a key of 1 to 255 visible characters", async () => {
    const who = await newPartner();
    for (const key of ["", "k".repeat(256), "ü"]) {
      const refused = await problemOf(await pings(who, key), 400, "validation_failed");
      expect(faultsOf(refused)).toEqual([["/Idempotency-Key", "invalid_format"]]);
    }
    await statuses(await pings(who, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'));
  });
});

test("a request without an Idempotency-Key does not pay for one", async () => {
  const who = await newPartner();
  const prepared = vi.spyOn(env.DB, "prepare");
  await statuses(await pings(who, null));
  expect(prepared).toHaveBeenCalled();
  for (const [sql] of prepared.mock.calls) expect(sql).not.toContain("idempotent_requests");
});
