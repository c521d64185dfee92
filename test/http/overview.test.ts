import { afterEach, expect, test, vi } from "vitest";
import { COLLECTOR_LENGTH, FILE_LENGTH } from "../../src/identifiers.ts";
import { MAX_COUNTED, overviewSchema } from "../../src/overview/overview.ts";
import { answerOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { seedDelivery, seedFile, seedImport } from "../support/rows.ts";
import { guardsItself } from "./strangers.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

guardsItself("reading the overview", {
  method: "GET",
  paths: () => Promise.resolve({ path: "/api/overview/", unknown: null }),
});

const DAY_MS = 24 * 60 * 60_000;

const overviewOf = async (who: TestPartner) =>
  answerOf(await send(who, "GET", "/api/overview/"), 200, overviewSchema);

test("the overview counts the last 14 days: files by day and status, failures by code, and all held files", async () => {
  const who = await newPartner();
  const now = Date.now();
  const today = Math.floor(now / DAY_MS) * DAY_MS;
  const names = { partnerId: who.partnerId, userId: "u", source: "watch" };
  const seed = async (
    summaryId: string,
    received_at: number,
    columns: Record<string, string | number> = {},
  ) => seedFile({ ...names, summaryId }, { received_at, ...columns });
  const failed = (code: string) => ({
    status: "failed",
    error: JSON.stringify({ code, detail: "d", http_status: null, retryable: true }),
  });
  await seed("1", now);
  await seed("2", now, failed("callback_gone"));
  await seed("3", today - DAY_MS, failed("callback_gone"));
  await seed("4", today - DAY_MS, failed("not_fit"));
  await seed("5", today - 2 * DAY_MS, { status: "held", version: 500 });
  await seed("6", today - 2 * DAY_MS, { status: "held", version: 50 });
  await seed("7", today - 14 * DAY_MS);
  await seed("9", today - DAY_MS, {
    status: "skipped",
    error: JSON.stringify({ code: "import_cancelled", detail: "d", http_status: null, retryable: true }),
  });
  await seed("8", today - 29 * DAY_MS, { status: "held", version: 500 });
  await seedImport(names, { status: "running", through_version: 100, requested_at: now, completed_at: null });
  await seedImport(names, { requested_at: now });
  await seedDelivery(who.partnerId, "evt_1", { created_at: now, attempt_count: 2 });
  await seedDelivery(who.partnerId, "evt_2", { created_at: now, status: "failed" });
  await seedDelivery(who.partnerId, "evt_3", { created_at: now, status: "delivered" });
  await seedDelivery(who.partnerId, "evt_4", { created_at: now, status: "delivered", type: "test.forged" });
  const overview = await overviewOf(who);
  expect(overview).toMatchObject({
    since: new Date(today - 13 * DAY_MS).toISOString(),
    capped: false,
    files: { held: 1, queued: 1, imported: 1, failed: 3, skipped: 1 },
    failures: [
      { code: "callback_gone", files: 2 },
      { code: "not_fit", files: 1 },
    ],
    held: { files: 2, oldest_received_at: new Date(today - 29 * DAY_MS).toISOString() },
    imports: { running: 1 },
    time_to_readable: { files: 0, median_in_seconds: null },
    events: { pending: 1, retrying: 1, delivered: 1, failed: 1, without_endpoint: 0 },
  });
  expect(overview.days).toHaveLength(14);
  expect(overview.days.slice(-3)).toEqual([
    { day: dayOf(today - 2 * DAY_MS), held: 1, queued: 1, imported: 0, failed: 0, skipped: 0 },
    { day: dayOf(today - DAY_MS), held: 0, queued: 0, imported: 0, failed: 2, skipped: 1 },
    { day: dayOf(today), held: 0, queued: 0, imported: 1, failed: 1, skipped: 0 },
  ]);
});

test("the overview counts apart the failed events whose endpoint was deleted, or that no endpoint wanted", async () => {
  const who = await newPartner({ event_url: "https://hooks.example.com/in" });
  const seed = async (name: string, endpoint_id: string) =>
    seedDelivery(who.partnerId, `evt_${name}`, { created_at: Date.now(), status: "failed", endpoint_id });
  await seed("1", "ep_default");
  await seed("2", "ep_gone");
  await seed("3", "ep_none");
  expect(await overviewOf(who)).toMatchObject({ events: { failed: 3, without_endpoint: 2 } });
  await send(who, "DELETE", "/api/endpoints/ep_default/");
  expect(await overviewOf(who)).toMatchObject({ events: { failed: 3, without_endpoint: 3 } });
});

test("the overview gives the median time from the ping of a live ride until it could be read", async () => {
  const who = await newPartner();
  const now = Date.now();
  const names = { partnerId: who.partnerId, userId: "u", source: "watch" };
  const seed = async (summaryId: string, seconds: number, columns: Record<string, string | number> = {}) =>
    seedFile(
      { ...names, summaryId },
      { received_at: now - seconds * 1000, updated_at: now, outcome_batch: `b-${summaryId}`, ...columns },
    );
  for (const [summaryId, seconds] of [
    ["1", 1],
    ["2", 2],
    ["3", 900],
  ] as const)
    await seed(summaryId, seconds, { updated_batch: `b-${summaryId}` });
  await seed("of a history", 5_000, { updated_batch: "b-of a history", priority: 0 });
  await seed("edited later", 5_000, { updated_batch: "another" });
  expect(await overviewOf(who)).toMatchObject({ time_to_readable: { files: 3, median_in_seconds: 2 } });
});

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

test("the overview is capped only if there are more files than it may count", async () => {
  const who = await newPartner();
  const now = Date.now();
  const names = { partnerId: who.partnerId, userId: "u", source: "s" };
  const id = await seedFile({ ...names, summaryId: "0" }, { received_at: now - 1 });
  await databaseOf(who).batch([
    databaseOf(who)
      .prepare(
        `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode,
         start_time_in_seconds, status, version, revision, received_at, received_batch, updated_at, updated_batch)
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
       SELECT ?1, substr(?3, 1, ${COLLECTOR_LENGTH}) || printf('%0${FILE_LENGTH}d', i), 'u', 's', 'x' || i, 1, 0, '1', 'imported', 1, 1, ?4, 'many', ?4, 'many' FROM n`,
      )
      .bind(who.partnerId, MAX_COUNTED.files - 1, id, now),
    databaseOf(who)
      .prepare(
        `INSERT INTO file_batches (partner_id, user_route, first_file_id, batch_id, received_at, updated_at, file_ids)
       SELECT ?1, substr(min(file_id), 1, 8), min(file_id), 'many', ?2, ?2, json_group_array(substr(file_id, ${COLLECTOR_LENGTH + 1})) FROM files
       WHERE partner_id = ?1 AND received_batch = 'many'`,
      )
      .bind(who.partnerId, now),
  ]);
  expect(await overviewOf(who)).toMatchObject({ capped: false, files: { imported: MAX_COUNTED.files } });
  await seedFile({ ...names, summaryId: "more" }, { received_at: now - 2 });
  expect(await overviewOf(who)).toMatchObject({ capped: true, files: { imported: MAX_COUNTED.files } });
});

test("the overview reads along indexes, independent of the partner's other data", async () => {
  const who = await newPartner();
  const prepared = vi.spyOn(databaseOf(who), "prepare");
  await overviewOf(who);
  const queries = prepared.mock.calls.map(([sql]) => sql).filter((sql) => sql.includes("LIMIT ?3"));
  prepared.mockRestore();
  expect(queries).toHaveLength(3);
  for (const sql of queries) {
    const plan = await databaseOf(who)
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .bind("p", 1, 1)
      .all<{ detail: string }>();
    const steps = plan.results.map((step) => step.detail).join("\n");
    expect(steps).toMatch(
      /USING (?:COVERING )?INDEX (?:file_batches_by_receipt|imports_by_request|deliveries_by_creation)/,
    );
    expect(steps).not.toMatch(/ORDER BY/);
    if (sql.includes("file_batches"))
      expect(steps).toMatch(/i USING (?:COVERING )?INDEX imports_by_versions/);
  }
});
