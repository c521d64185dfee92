import { runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MAX_OTHER_SOURCES } from "../../src/contract/limits.ts";
import { eventWithAttemptsSchema } from "../../src/deliveries/event.ts";
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

describe("a task that finds no held file", () => {
  const post = async (partner: TestPartner, fields = {}, query = "") =>
    answerOf(
      await send(partner, "POST", TASKS + query, { body: { ...TASK, ...fields } }),
      202,
      taskResponseSchema,
    );
  const held = async (partner: TestPartner, source: string, user_id = "user-1") =>
    ping(partner, { summary_id: "h", callback_url: `${HOST}/1`, source, user_id, priority: 0 });

  test("names the user's other sources that have held files, in its response, its import and its event", async () => {
    const partner = await newPartner();
    await held(partner, "wahoo");
    await held(partner, "garmin ");
    await held(partner, "garmin-2", "user-2");
    await ping(partner, { summary_id: "live", callback_url: `${HOST}/2`, source: "live", priority: 1 });
    const answer = await post(partner, { event_id: "e", is_initial_import: true });
    expect(answer).toMatchObject({ files: { total: 0 }, held_under_other_source: ["garmin ", "wahoo"] });
    expect(answer.warnings[0]).toBe("nothing_held");
    await collectorOf(partner.partnerId, "user-1", "garmin").alarm();
    const read = await answerOf(
      await send(partner, "GET", `/api/imports/${answer.import_id}/`),
      200,
      importSchema,
    );
    expect(read).toMatchObject({
      warnings: answer.warnings,
      held_under_other_source: ["garmin ", "wahoo"],
      training_plan: { status: "requested" },
    });
    const event = await answerOf(
      await send(partner, "GET", `/api/events/evt_${answer.import_id}/`),
      200,
      eventWithAttemptsSchema,
    );
    expect(event.data).toMatchObject({
      warnings: ["nothing_held"],
      held_under_other_source: ["garmin ", "wahoo"],
    });
    const right = await post(partner, { source: "wahoo" });
    expect(right).toMatchObject({ files: { total: 1 }, warnings: [] });
    expect(right).not.toHaveProperty("held_under_other_source");
  });

  test("has an empty list if no other source has held files, also for a dry run", async () => {
    const partner = await newPartner();
    await ping(partner, { summary_id: "live", callback_url: `${HOST}/2`, source: "live", priority: 1 });
    const warned = { warnings: ["nothing_held"], held_under_other_source: [] };
    expect(await post(partner, {}, "?dry_run=true")).toMatchObject(warned);
    expect(await post(partner)).toMatchObject({ ...warned, repeated: false });
    expect(await post(partner)).toMatchObject({ ...warned, repeated: true });
  });

  test("finds a source whose pings are not projected yet, and asks a limited number of sources", async () => {
    const partner = await newPartner();
    const names = Array.from(
      { length: MAX_OTHER_SOURCES + 1 },
      (_, index) => `s-${String(index).padStart(2, "0")}`,
    );
    for (const source of names)
      await ping(partner, { summary_id: "r", callback_url: `${HOST}/1`, source, priority: 1 });
    expect(await post(partner)).toMatchObject({ held_under_other_source: null });
    await held(partner, "s-03");
    expect(await post(partner, { event_id: "e" })).toMatchObject({ held_under_other_source: ["s-03"] });
  });

  test("starts the import when the other sources cannot be read, and does not know them", async () => {
    const partner = await newPartner();
    await held(partner, "wahoo");
    const db = databaseOf(partner);
    const prepare = db.prepare.bind(db);
    vi.spyOn(db, "prepare").mockImplementation((sql) => {
      if (sql.includes("FROM user_sources")) throw new Error("D1_ERROR: overloaded");
      return prepare(sql);
    });
    const answer = await post(partner);
    expect(answer).toMatchObject({ warnings: ["nothing_held"], held_under_other_source: null });
    expect(answer.status).toBe("completed");
  });

  test("has no warning if pinged files were already imported or are in the import of an equal task", async () => {
    const partner = await newPartner();
    await held(partner, "garmin");
    expect((await post(partner)).warnings).toEqual([]);
    const again = await post(partner);
    expect(again).toMatchObject({ repeated: true, warnings: [] });
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
