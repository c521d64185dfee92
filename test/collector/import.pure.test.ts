import { expect, test } from "vitest";
import {
  finishIfSettled,
  newImport,
  planIsDue,
  repeatedImport,
} from "../../src/collector/imports/import.pure.ts";

const NOW = 1_780_000_000_000;
const DAY = 24 * 60 * 60_000;
const task = { import_id: "i1", event_id: "e1", is_initial_import: true };
const found = { held: 2, skipped: 1, after: 0, through: NOW, missing: null, now: NOW };

test("an import completes once, when every file is imported, skipped or failed", () => {
  const started = newImport(task, found);
  expect(started).toMatchObject({ total: 3, skipped: 1, status: "running" });
  expect(finishIfSettled({ ...started, imported: 1 }, NOW)).toBeNull();
  const finished = finishIfSettled({ ...started, imported: 1, failed: 1 }, NOW);
  expect(finished).toMatchObject({
    status: "completed_with_failures",
    completed_at: NOW,
    revision: started.revision + 1,
  });
  expect(finished === null ? null : finishIfSettled(finished, NOW)).toBeNull();
});

test("an import without files is complete", () => {
  const empty = newImport(task, { ...found, held: 0, skipped: 0 });
  expect(finishIfSettled(empty, NOW)?.status).toBe("completed");
});

test("a task is repeated only with the same event id and kind, within a day", () => {
  const row = newImport(task, found);
  expect(repeatedImport([row], task, NOW + DAY - 1)).toBe(row);
  expect(repeatedImport([row], task, NOW + DAY)).toBeNull();
  expect(repeatedImport([row], { ...task, event_id: null }, NOW)).toBeNull();
  expect(repeatedImport([row], { ...task, is_initial_import: false }, NOW)).toBeNull();
  const later = { ...row, import_id: "i2", requested_at: NOW + 1 };
  expect(repeatedImport([later, row], task, NOW + 2)?.import_id).toBe("i2");
});

test("one training plan is requested per event id within a day, and none for an import that is not initial", () => {
  const first = { ...newImport(task, found), completed_at: NOW, plan_requested: true };
  const second = { ...newImport({ ...task, import_id: "i2" }, found), completed_at: NOW + 1 };
  expect(planIsDue([], { ...first, plan_requested: false }, NOW)).toBe(true);
  expect(planIsDue([first, second], second, NOW + 1)).toBe(false);
  expect(planIsDue([first, second], second, NOW + DAY)).toBe(true);
  expect(planIsDue([first, second], { ...second, event_id: "e2" }, NOW + 1)).toBe(true);
  expect(planIsDue([], { ...second, is_initial_import: false }, NOW)).toBe(false);
});
