import { expect, test } from "vitest";
import { summaryOf, type StepStatus } from "../../src/verify/report.ts";

function summary(...statuses: StepStatus[]): string {
  return summaryOf({
    ok: !statuses.includes("failed"),
    base: "https://api.example.com",
    partner_id: "acme",
    started_at: "2026-11-25T12:00:00.000Z",
    finished_at: "2026-11-25T12:00:10.000Z",
    steps: statuses.map((status) => ({ id: "key", title: "", status, detail: "", milliseconds: 0 })),
  });
}

test("The summary of an integration check counts the steps that passed, failed and were skipped", () => {
  expect(summary("passed", "passed")).toBe("All 2 steps passed.");
  expect(summary("passed", "skipped", "skipped")).toBe("1 of 3 steps passed, 2 skipped.");
  expect(summary("passed", "failed", "skipped")).toBe(
    "1 of 3 steps passed, 1 failed, 1 skipped. Fix the failed steps before you go live.",
  );
});
