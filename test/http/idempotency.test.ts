import { env } from "cloudflare:workers";
import { createScheduledController } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import worker from "../../src/index.ts";
import { taskResponseSchema } from "../../src/imports/import.ts";
import { answerOf, faultsOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { base64, pingOf } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

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

/** Runs an action during the next request, while the request stores its inline file. */
function whileStoring(act: () => Promise<void>) {
  const put = env.FILES.put.bind(env.FILES);
  vi.spyOn(env.FILES, "put").mockImplementationOnce(async (...stored) => {
    await act();
    return put(...stored);
  });
}

const records = async (who: TestPartner) =>
  (
    await databaseOf(who)
      .prepare("SELECT * FROM idempotent_requests WHERE partner_id = ?")
      .bind(who.partnerId)
      .all()
  ).results;

describe("a request with an Idempotency-Key", () => {
  test("gets the same response when it is repeated; without a key the repetition is a duplicate", async () => {
    const who = await newPartner();
    const first = await pings(who, "key-1");
    const again = await pings(who, "key-1");
    expect(await again.json()).toEqual(await first.json());
    expect(await statuses(await pings(who, null))).toEqual(["duplicate"]);
    expect(await statuses(await pings(who, "key-1"))).toEqual(["queued"]);
    expect(await statuses(await pings(who, "key-2"))).toEqual(["duplicate"]);
  });

  test("starts one import, and a repetition returns the same response", async () => {
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

  test("is stored only as hashes and one letter for each file", async () => {
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

  test("repeats the user's other sources with held files without storing their names", async () => {
    const who = await newPartner();
    await pings(who, null, [{ ...RIDE, source: "phone", priority: 0 }]);
    const task = async () =>
      answerOf(
        await send(who, "POST", TASKS, { body: TASK, headers: { "Idempotency-Key": "key" } }),
        202,
        taskResponseSchema,
      );
    const first = await task();
    expect(first).toMatchObject({ repeated: false, held_under_other_source: ["phone"] });
    // The repetition reads the import, not the sources as they are now.
    await send(who, "POST", TASKS, { body: { ...TASK, source: "phone" } });
    expect(await task()).toEqual(first);
    expect(JSON.stringify(await records(who))).not.toContain("phone");
  });

  test("stores little data for a large response", async () => {
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

  test("is rejected if its key was used with another body or preference", async () => {
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

  test("does not share its key with another partner, path or query", async () => {
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

  test("is rejected while an equal request is in progress, and can be repeated", async () => {
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

  test("blocks its key for one minute if it was interrupted", async () => {
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

  test("is not stored if it was rejected or failed, so its key can be used again", async () => {
    const who = await newPartner();
    await problemOf(await pings(who, "key", [{ ...RIDE, priority: 7 }]), 400, "validation_failed");
    vi.spyOn(env.FILES, "put").mockRejectedValueOnce(new Error("internal"));
    await problemOf(await pings(who, "key", [INLINE]), 503, "store_unavailable");
    expect(await records(who)).toEqual([]);
    expect(await statuses(await pings(who, "key"))).toEqual(["queued"]);
  });

  test("is stored for 24 hours and deleted afterwards", async () => {
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

  test("succeeds even if its response cannot be stored", async () => {
    const who = await newPartner();
    const prepare = databaseOf(who).prepare.bind(databaseOf(who));
    vi.spyOn(databaseOf(who), "prepare").mockImplementation((sql) => {
      if (sql.includes("SET answer")) throw new Error("D1_ERROR: overloaded");
      return prepare(sql);
    });
    expect(await statuses(await pings(who, "key"))).toEqual(["queued"]);
  });

  test("returns 503 and accepts nothing while its key cannot be read", async () => {
    const who = await newPartner();
    vi.spyOn(databaseOf(who), "batch").mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
    await problemOf(await pings(who, "key"), 503, "store_unavailable");
    expect(await statuses(await pings(who, null))).toEqual(["queued"]);
  });

  test("must have a key of 1 to 255 visible ASCII characters", async () => {
    const who = await newPartner();
    for (const key of ["", "k".repeat(256), "ü"]) {
      const refused = await problemOf(await pings(who, key), 400, "validation_failed");
      expect(faultsOf(refused)).toEqual([["/Idempotency-Key", "invalid_format"]]);
    }
    await statuses(await pings(who, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'));
  });
});

test("a request without an Idempotency-Key makes no query for it", async () => {
  const who = await newPartner();
  const prepared = vi.spyOn(databaseOf(who), "prepare");
  await statuses(await pings(who, null));
  expect(prepared).toHaveBeenCalled();
  for (const [sql] of prepared.mock.calls) expect(sql).not.toContain("idempotent_requests");
});
