import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { alertsSchema, firedAlerts, linesOfLog, logSource, workersLogsSource } from "../../src/cli/alerts.ts";

const NOW = Date.parse("2026-11-29T12:00:00Z");
const alerts = alertsSchema.parse(JSON.parse(await readFile("src/cli/alerts.json", "utf8")));

const line = (minutesAgo: number, fields: object) =>
  JSON.stringify({ at: new Date(NOW - minutesAgo * 60_000).toISOString(), ...fields });
const many = (count: number, of: string) => Array.from({ length: count }, () => of);

const clock = line(1, { unit: "scheduled", outcome: "done" });
const fine = many(
  1_000,
  line(2, { unit: "request", route: "/api/fit_partner_ping/", status: 202, milliseconds: 20 }),
);

async function firedBy(...lines: string[]): Promise<string[]> {
  const fired = await firedAlerts(alerts, logSource(linesOfLog(`${lines.join("\n")}\n{"at":"20`)), NOW);
  return fired.map(({ alert }) => alert.name);
}

test("a healthy log fires no alert", async () => {
  expect(await firedBy(clock, ...fine, line(400, { unit: "scheduled", outcome: "fault" }))).toEqual([]);
});

test.each<[string, string[]]>([
  ["clock_stopped", [line(6, { unit: "scheduled", outcome: "done" })]],
  ["sweeps_fail", many(3, line(1, { unit: "scheduled", outcome: "fault" }))],
  ["requests_fail", [clock, ...fine, ...many(11, line(1, { unit: "request", status: 503 }))]],
  [
    "pings_slow",
    [
      clock,
      ...many(
        11,
        line(1, { unit: "request", route: "/api/fit_partner_ping/", status: 202, milliseconds: 1_001 }),
      ),
    ],
  ],
  ["alarms_fail", [clock, ...many(10, line(9, { unit: "alarm", outcome: "fault" }))]],
  ["schema_refused", [clock, line(1, { unit: "setback", outcome: "schema_refused" })]],
  ["own_faults", [clock, ...many(20, line(1, { unit: "dispatch", own_faults: 2 }))]],
  ["dead_letters", [clock, line(1_400, { unit: "dead_letter" })]],
  ["claims_expire", [clock, ...many(4, line(59, { unit: "setback", outcome: "claim_expired" }))]],
  ["originals_damaged", [clock, line(1_000, { unit: "setback", outcome: "original_damaged" })]],
  ["originals_missing", [clock, line(1_000, { unit: "setback", outcome: "original_missing" })]],
  ["events_fail", [clock, line(1_000, { unit: "delivery", outcome: "failed" })]],
])("the alert %s fires at its threshold, and no other", async (name, lines) => {
  expect(await firedBy(...lines)).toEqual([name]);
});

test.each<[string, string[]]>([
  ["sweeps_fail", many(2, line(1, { unit: "scheduled", outcome: "fault" }))],
  ["requests_fail", [clock, ...fine, ...many(10, line(1, { unit: "request", status: 503 }))]],
  ["claims_expire", [clock, ...many(3, line(59, { unit: "setback", outcome: "claim_expired" }))]],
  ["own_faults", [clock, ...many(20, line(1, { unit: "dispatch", own_faults: 0, try_again: 5 }))]],
])("the alert %s does not fire below its threshold", async (_name, lines) => {
  expect(await firedBy(...lines)).toEqual([]);
});

test("every alert names a case of the runbook", async () => {
  const headings = (await readFile("src/cli/OPERATIONS.md", "utf8")).match(/^### .+$/gm) ?? [];
  const anchors = headings.map((heading) =>
    heading
      .slice(4)
      .toLowerCase()
      .replaceAll(/[^a-z0-9 _-]/g, "")
      .replaceAll(" ", "-"),
  );
  for (const alert of alerts) expect(anchors, alert.name).toContain(alert.case);
});

test("a deployed Worker's lines are counted by the query API, with the same conditions", async () => {
  const posted: [string, unknown][] = [];
  const source = workersLogsSource(
    "partner-api",
    async (path, body) => {
      posted.push([path, body]);
      return { success: true, result: { calculations: [{ aggregates: [{ value: 7 }] }] } };
    },
    NOW,
  );
  expect(await source.count([["status", "gte", 500]], NOW - 60_000)).toBe(7);
  expect(posted).toEqual([
    [
      "workers/observability/telemetry/query",
      {
        queryId: "alerts",
        timeframe: { from: NOW - 60_000, to: NOW },
        view: "calculations",
        parameters: {
          datasets: ["cloudflare-workers"],
          filters: [
            { key: "$metadata.service", operation: "eq", type: "string", value: "partner-api" },
            { key: "status", operation: "gte", type: "number", value: 500 },
          ],
          filterCombination: "and",
          calculations: [{ operator: "count" }],
        },
      },
    ],
  ]);
});
