import { expect, test } from "vitest";
import { findings, type DatabaseState } from "../../src/cli/findings.ts";

const NOW = Date.parse("2026-11-29T12:00:00Z");
const HOUR = 3_600_000;

const healthy: DatabaseState = {
  version: { id: "5c9f1c2e", tag: "8f14e45fceea" },
  expected_tag: "8f14e45fceea",
  migrations: 1,
  decoder_version: 7,
  expected_decoder_version: 7,
  collector_schema: 1,
  database_bytes: 4_200_000_000,
  stores: {
    R2: { milliseconds: 12, fault: null, backlog: null },
    "queue BULK": { milliseconds: 3, fault: null, backlog: 40 },
  },
  missing_migrations: [],
  waiting: {
    queued_files: { count: 3, oldest: NOW - 2 * HOUR },
    held_files: { count: 900, oldest: NOW - 480 * HOUR },
    erasures: { count: 0, oldest: null },
  },
};

test("the doctor shows versions, schema, stores, the share of the database and the age of what waits", () => {
  expect(findings(healthy, NOW)).toEqual(
    [
      "code: commit 8f14e45fceea, version 5c9f1c2e",
      "versions: decoder 7, collector tables 1",
      "schema: migrations 1, all of this checkout",
      "database: 4.200 GB, 42.0 % of 10 GB",
      "R2: works, 12 ms",
      "queue BULK: works, 3 ms, 40 messages wait",
      "queued files: 3, the oldest for 2.0 h",
      "held files: 900, the oldest for 20.0 days",
      "erasures: 0",
    ].map((text) => ({ isProblem: false, text })),
  );
});

test.each<[string, Partial<DatabaseState>, string]>([
  [
    "another decoder version is deployed",
    { decoder_version: 6 },
    "versions: decoder 6, collector tables 1; this checkout has decoder 7, so another version is deployed",
  ],
  [
    "a migration is missing",
    { missing_migrations: ["0002_more.sql"] },
    "schema: migrations 1, without 0002_more.sql",
  ],
  ["the database fills", { database_bytes: 8_000_000_000 }, "database: 8.000 GB, 80.0 % of 10 GB"],
  [
    "a store fails",
    { stores: { KV: { milliseconds: 5_000, fault: "KV:Error", backlog: null } } },
    "KV: KV:Error, 5000 ms",
  ],
  [
    "files wait for longer than their retries last",
    { waiting: { queued_files: { count: 1, oldest: NOW - 25 * HOUR } } },
    "queued files: 1, the oldest for 25.0 h",
  ],
  [
    "an event waits for longer than its retries last",
    { waiting: { pending_events: { count: 2, oldest: NOW - 97 * HOUR } } },
    "pending events: 2, the oldest for 4.0 days",
  ],
])("the doctor reports a problem when %s", (_when, change, text) => {
  const problems = findings({ ...healthy, ...change }, NOW).filter(({ isProblem }) => isProblem);
  expect(problems.map((problem) => problem.text)).toEqual([text]);
});

test("the doctor shows that the deployed code is another commit than the checkout", () => {
  const [code] = findings({ ...healthy, expected_tag: "0123456789ab-changed" }, NOW);
  expect(code).toEqual({
    isProblem: false,
    text: "code: commit 8f14e45fceea, version 5c9f1c2e; this checkout is commit 0123456789ab-changed",
  });
});
