import { runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { taskResponseSchema, importSchema } from "../../src/imports/import.ts";
import { answerOf, faultsOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { collectorOf } from "../support/world.ts";
import { HOST, ping } from "../flows/partnerActs.ts";
import { guardsItself } from "./strangers.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const TASKS = "/api/task_partner/";
const TASK = {
  bulk_fit_transfer_complete: true,
  source: "garmin",
  is_initial_import: false,
  user_id: "user-1",
};

guardsItself("posting a task", {
  method: "POST",
  body: TASK,
  paths: () => Promise.resolve({ path: TASKS, unknown: null }),
});

describe("a task", () => {
  test("without held files returns a completed import, which can be read", async () => {
    const partner = await newPartner();
    const answer = await answerOf(
      await send(partner, "POST", TASKS, { body: { ...TASK, ignored: 1 } }),
      202,
      taskResponseSchema,
    );
    expect(answer).toMatchObject({
      user_id: "user-1",
      source: "garmin",
      is_initial_import: false,
      event_id: null,
      files: { total: 0, pending: 0, imported: 0, skipped: 0, failed: 0 },
      repeated: false,
    });
    const read = await answerOf(
      await send(partner, "GET", `/api/imports/${answer.import_id}/`),
      200,
      importSchema,
    );
    expect(read).toMatchObject({ import_id: answer.import_id, status: "completed" });
  });

  test("with invalid fields is rejected with every fault", async () => {
    const partner = await newPartner();
    const body = {
      bulk_fit_transfer_complete: false,
      is_initial_import: 1,
      user_id: "..",
      event_id: "e".repeat(256),
      expected_summary_ids: ["fine", "", 3],
    };
    const refused = await problemOf(await send(partner, "POST", TASKS, { body }), 400, "validation_failed");
    expect(faultsOf(refused)).toEqual([
      ["/bulk_fit_transfer_complete", "invalid_value"],
      ["/source", "required"],
      ["/is_initial_import", "invalid_type"],
      ["/user_id", "invalid_value"],
      ["/event_id", "too_long"],
      ["/expected_summary_ids/1", "too_short"],
      ["/expected_summary_ids/2", "invalid_type"],
    ]);
  });

  test("may expect 20,000 files and no more", async () => {
    const partner = await newPartner();
    const body = { ...TASK, expected_summary_ids: Array(20_001).fill("s") };
    await problemOf(await send(partner, "POST", TASKS, { body }), 413, "too_many_items");
  });
});

describe("files that a task expects", () => {
  const expecting = async (partner: TestPartner, expected_summary_ids: string[]) =>
    answerOf(
      await send(partner, "POST", TASKS, { body: { ...TASK, expected_summary_ids } }),
      202,
      taskResponseSchema,
    );
  const missingOf = async (partner: TestPartner, importId: string) =>
    (await answerOf(await send(partner, "GET", `/api/imports/${importId}/`), 200, importSchema))
      .missing_summary_ids;

  test("are listed as missing if they were not pinged, in the task's order, and can be read later", async () => {
    const partner = await newPartner();
    await ping(partner, { summary_id: "came", callback_url: `${HOST}/1`, source: "garmin", priority: 0 });
    const answer = await expecting(partner, ["never", "came", "nor-this", "never"]);
    expect(answer.missing_summary_ids).toEqual(["never", "nor-this", "never"]);
    expect(await missingOf(partner, answer.import_id)).toEqual(["never", "nor-this", "never"]);
  });

  test("leave an empty list if all were pinged; a task without expectations has no list", async () => {
    const partner = await newPartner();
    await ping(partner, { summary_id: "came", callback_url: `${HOST}/1`, source: "garmin" });
    const answer = await expecting(partner, ["came"]);
    expect(answer.missing_summary_ids).toEqual([]);
    expect(await missingOf(partner, answer.import_id)).toEqual([]);
    const silent = await answerOf(
      await send(partner, "POST", TASKS, { body: { ...TASK, event_id: "e" } }),
      202,
      taskResponseSchema,
    );
    expect(silent).not.toHaveProperty("missing_summary_ids");
    expect(await missingOf(partner, silent.import_id)).toBeUndefined();
  });

  test("are compared again when the task is repeated: files that were pinged late are not missing any more", async () => {
    const partner = await newPartner();
    const first = await expecting(partner, ["late", "never"]);
    await ping(partner, { summary_id: "late", callback_url: `${HOST}/1`, source: "garmin" });
    const again = await expecting(partner, ["late", "never"]);
    expect(again).toMatchObject({
      import_id: first.import_id,
      repeated: true,
      missing_summary_ids: ["never"],
    });
    expect(await missingOf(partner, first.import_id)).toEqual(["never"]);
  });

  test("may be 20,000 with names of 255 characters in any script, stored in rows of limited size", async () => {
    const partner = await newPartner();
    const names = Array.from({ length: 20_000 }, (_, index) => String(index).padEnd(255, "\u4e2d"));
    const answer = await expecting(partner, names);
    expect(answer.missing_summary_ids).toEqual(names);
    expect(await missingOf(partner, answer.import_id)).toEqual(names);
    const longest = await databaseOf(partner)
      .prepare(
        `SELECT max(length(CAST(summary_ids AS BLOB))) bytes, count(*) slices FROM import_missing WHERE partner_id = ?`,
      )
      .bind(partner.partnerId)
      .first<{ bytes: number; slices: number }>();
    expect(longest?.bytes).toBeLessThanOrEqual(2_000_000);
    expect(longest?.slices).toBeGreaterThan(5);
    const inCollector = await runInDurableObject(
      collectorOf(partner.partnerId, "user-1", "garmin").stub,
      (_instance, state) => state.storage.sql.databaseSize,
    );
    expect(inCollector).toBeLessThan(200_000);
  });

  test("return a 503 while the read model is unavailable, and the repeated task lists them", async () => {
    const partner = await newPartner();
    vi.spyOn(databaseOf(partner), "batch").mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
    const body = { ...TASK, expected_summary_ids: ["never"] };
    await problemOf(await send(partner, "POST", TASKS, { body }), 503, "store_unavailable");
    const again = await expecting(partner, ["never"]);
    expect(again).toMatchObject({ repeated: true, missing_summary_ids: ["never"] });
    expect(await missingOf(partner, again.import_id)).toEqual(["never"]);
  });

  test("are deleted with their user", async () => {
    const partner = await newPartner();
    await ping(partner, { summary_id: "came", callback_url: `${HOST}/1`, source: "garmin" });
    await expecting(partner, ["never"]);
    expect((await send(partner, "DELETE", "/api/users/user-1/")).status).toBe(202);
    const left = await databaseOf(partner)
      .prepare("SELECT count(*) count FROM import_missing WHERE partner_id = ?")
      .bind(partner.partnerId)
      .first();
    expect(left).toEqual({ count: 0 });
  });
});
