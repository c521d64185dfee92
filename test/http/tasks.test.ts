import { describe, expect, test } from "vitest";
import { importAnswerSchema, importSchema } from "../../src/imports/answers.ts";
import { answerOf, faultsOf, problemOf, send } from "../support/http.ts";
import { newPartner } from "../support/partner.ts";
import { guardsItself } from "./strangers.ts";

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
  test("that finds nothing held answers a completed import, which can be read", async () => {
    const partner = await newPartner();
    const answer = await answerOf(
      await send(partner, "POST", TASKS, { body: { ...TASK, ignored: 1 } }),
      202,
      importAnswerSchema,
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

  test("that breaks the contract is refused with everything that is wrong", async () => {
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
