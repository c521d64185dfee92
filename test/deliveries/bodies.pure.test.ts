import { expect, test } from "vitest";
import {
  importCompletedEvent,
  importCompletedEventSchema,
  trainingPlanRequest,
  trainingPlanRequestSchema,
  type CompletedImport,
} from "../../src/deliveries/bodies.pure.ts";
import { countsOf } from "../../src/imports/counts.pure.ts";

const atMs = Date.parse("2026-11-25T12:00:00.500Z");
const about: CompletedImport = {
  partner_id: "p",
  import_id: "0123456789",
  user_id: "u",
  source: "s",
  event_id: null,
  is_initial_import: true,
  ...countsOf({ total: 120, imported: 10, skipped: 9, failed: 101 }),
};
const failure = {
  file_id: "f",
  summary_id: "x",
  code: "callback_gone",
  detail: "The host responded with status 404.",
};

test("The event says what was imported, and which files failed", () => {
  const event = importCompletedEvent(
    { ...about, event_id: "e" },
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
      more_failures: true,
    },
  });
});

test("Without failures it is completed; with all of them named there are no more", () => {
  expect(importCompletedEvent({ ...about, failed: 0 }, [], atMs).data).toMatchObject({
    status: "completed",
    failures: [],
    more_failures: false,
  });
  expect(importCompletedEvent({ ...about, failed: 1 }, [failure], atMs).data).toMatchObject({
    status: "completed_with_failures",
    more_failures: false,
  });
});

test("A training plan is asked for by partner, user, source and import", () => {
  expect(trainingPlanRequestSchema.parse(trainingPlanRequest(about, atMs))).toEqual({
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
