import { expect, test } from "vitest";
import {
  importCompletedEvent,
  importCompletedEventSchema,
  type CompletedImport,
  type ImportFailure,
} from "../../src/deliveries/bodies.pure.ts";
import { countsOf } from "../../src/imports/counts.pure.ts";
import { storedPlanRequest, storedPlanRequestSchema } from "../../src/planner/storedRequest.pure.ts";

const atMs = Date.parse("2026-11-25T12:00:00.500Z");
const completed: CompletedImport = {
  partner_id: "p",
  import_id: "0123456789",
  user_id: "u",
  source: "s",
  event_id: null,
  status: "completed_with_failures",
  is_initial_import: true,
  ...countsOf({ total: 120, imported: 10, skipped: 9, failed: 101 }),
};
const failure: ImportFailure = {
  file_id: "f",
  summary_id: "x",
  code: "callback_gone",
  detail: "The host responded with status 404.",
};

test("The event contains the counts of the import and the failed files", () => {
  const event = importCompletedEvent(
    { ...completed, event_id: "e" },
    Array.from({ length: 100 }, () => failure),
    atMs,
  );
  expect(importCompletedEventSchema.parse(event)).toEqual({
    type: "bulk_fit_import.completed",
    timestamp: "2026-11-25T12:00:00.500Z",
    data: {
      event_id: "e",
      import_id: "0123456789",
      user_id: "u",
      source: "s",
      is_initial_import: true,
      status: "completed_with_failures",
      files: countsOf({ total: 120, imported: 10, skipped: 9, failed: 101 }),
      failures: Array.from({ length: 100 }, () => failure),
      warnings: [],
      more_failures: true,
    },
  });
});

test("The status is completed without failures, and more_failures is false when all failures are listed", () => {
  expect(importCompletedEvent({ ...completed, failed: 0 }, [], atMs).data).toMatchObject({
    status: "completed",
    failures: [],
    more_failures: false,
  });
  expect(importCompletedEvent({ ...completed, failed: 1 }, [failure], atMs).data).toMatchObject({
    status: "completed_with_failures",
    more_failures: false,
  });
});

test("The request for a training plan names the partner, user, source and import", () => {
  expect(storedPlanRequestSchema.parse(storedPlanRequest(completed, atMs))).toEqual({
    type: "training_plan.requested",
    timestamp: "2026-11-25T12:00:00.500Z",
    data: {
      partner_id: "p",
      user_id: "u",
      source: "s",
      import_id: "0123456789",
      event_id: null,
      files: countsOf({ total: 120, imported: 10, skipped: 9, failed: 101 }),
    },
  });
});
