import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { PingEntry } from "../../src/collector/calls.ts";
import type { PingCollector } from "../../src/collector/PingCollector.ts";
import { UnreadableSchema } from "../../src/collector/storage/database.ts";
import { MIGRATIONS, type Migration } from "../../src/collector/storage/schema.ts";
import { CollectorStorage } from "../../src/collector/storage/storage.ts";
import { fileId, randomId } from "../../src/identifiers.ts";
import { ownerOf } from "../support/databases.ts";
import { submissionOf } from "../support/pings.ts";
import { collectorOf, type CollectorUnderTest } from "../support/world.ts";

const SOURCE = "watch";

afterEach(() => {
  vi.restoreAllMocks();
});

function newUser() {
  const names = { ...ownerOf(`partner-${randomId()}`), user_id: "user-1", source: SOURCE };
  const collector = collectorOf(names.partner_id, names.user_id, names.source);
  const entry = (summaryId: string, priority: 0 | 1): PingEntry => ({
    file_id: fileId({ partnerId: names.partner_id, userId: names.user_id, source: SOURCE, summaryId }),
    summary_id: summaryId,
    submission: submissionOf({ priority, callback_url: `https://files.example.com/${summaryId}` }),
  });
  const ping = (summaryId: string, priority: 0 | 1 = 1) =>
    collector.stub.accept(names, [entry(summaryId, priority)]);
  return { names, collector, entry, ping };
}

function inStorage<T>(collector: CollectorUnderTest, work: (sql: SqlStorage) => T): Promise<T> {
  return runInDurableObject(collector.stub, (_instance, { storage }) => work(storage.sql));
}

/** Returns the object as the next version of the code finds it: started from its storage. */
async function wake(collector: CollectorUnderTest): Promise<void> {
  await evictDurableObject(collector.stub);
}

function versionOf(sql: SqlStorage): Record<string, SqlStorageValue> {
  return sql.exec("SELECT version, readable_from FROM schema").one();
}

function tablesOf(sql: SqlStorage): unknown[] {
  return sql
    .exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'")
    .toArray();
}

test("reads about a user without pings create no tables", async () => {
  const { names, collector, entry } = newUser();
  expect(await collector.stub.previewPings(names, [entry("ride", 0)])).toEqual(["held"]);
  expect(await collector.stub.readFile("file")).toBeNull();
  expect(await collector.stub.timeline("file")).toEqual([]);
  expect(await collector.stub.readImport("import")).toBeNull();
  expect(await collector.stub.previewRetry({ import_id: "import" }, 1)).toMatchObject({ files: 0 });
  expect(await collector.stub.retry({ import_id: "import" }, 1)).toBe(0);
  expect(await inStorage(collector, tablesOf)).toEqual([]);
});

test("no schema step is readable by older code than the step before", () => {
  const bounds = MIGRATIONS.map((step) => step.readableFrom);
  for (const [index, bound] of bounds.entries()) {
    expect(bound).toBeLessThanOrEqual(index + 1);
    expect(bound).toBeGreaterThanOrEqual(bounds[index - 1] ?? 1);
  }
});

describe("an object written by an older version of the code", () => {
  /** Invented steps: files had no revision, then a breaking step renamed a column. */
  const first: Migration = {
    readableFrom: 1,
    sql: `CREATE TABLE files (file_id TEXT PRIMARY KEY, name TEXT NOT NULL);
      CREATE TABLE notes (note TEXT NOT NULL);`,
  };
  const history: Migration[] = [
    first,
    { readableFrom: 1, sql: "ALTER TABLE files ADD COLUMN revision INTEGER NOT NULL DEFAULT 7;" },
    {
      readableFrom: 3,
      sql: `ALTER TABLE files RENAME TO files_before; ${MIGRATIONS.map((step) => step.sql).join("")}
        INSERT INTO files (file_id, summary_id, revision, held_version, held)
          SELECT file_id, name, revision, 5, '{"start_time_in_seconds":"1"}' FROM files_before;
        DROP TABLE files_before;`,
    },
  ];

  test("runs the missing steps once and in order, and keeps its rows", async () => {
    const { collector } = newUser();
    await inStorage(collector, (sql) => {
      sql.exec(
        `CREATE TABLE schema (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL,
           readable_from INTEGER NOT NULL);
         INSERT INTO schema (only, version, readable_from) VALUES (1, 1, 1);
         ${first.sql}
         INSERT INTO files (file_id, name) VALUES ('file-1', 'ride');`,
      );
      for (const _wake of [1, 2]) {
        const storage = new CollectorStorage(sql, history);
        expect(storage.refusal).toBeNull();
        expect(versionOf(sql)).toEqual({ version: 3, readable_from: 3 });
        expect(storage.files.read(["file-1"]).get("file-1")).toMatchObject({
          summary_id: "ride",
          revision: 7,
          current: null,
          held: { version: 5, state: "held", submission: { priority: 0, callback_url: null } },
        });
      }
    });
  });

  test("does not change when a step fails", async () => {
    const { collector, ping } = newUser();
    await ping("ride");
    const broken = [
      ...MIGRATIONS,
      { readableFrom: 1, sql: "CREATE TABLE added (a); CREATE TABLE files (b);" },
    ];
    await runInDurableObject(collector.stub, (_instance, { storage }) => {
      const before = tablesOf(storage.sql);
      expect(() => storage.transactionSync(() => new CollectorStorage(storage.sql, broken))).toThrow("files");
      expect(tablesOf(storage.sql)).toEqual(before);
      expect(versionOf(storage.sql)).toMatchObject({ version: MIGRATIONS.length });
    });
  });

  test("reads rows without fields that were added later", async () => {
    const { collector, ping } = newUser();
    const { versions } = await ping("ride");
    await inStorage(collector, (sql) => {
      for (const key of ["steps", "faults", "retried", "attempts", "first_fault", "failed_object"]) {
        sql.exec("UPDATE files SET current = json_remove(current, ?)", `$.${key}`);
      }
    });
    await wake(collector);
    const [sent] = await collector.sent();
    const claim = await collector.claim(sent?.dispatch_id ?? "");
    expect(claim?.items).toMatchObject([{ version: versions[0], attempts: 0, look_first: false }]);
  });
});

describe("an object written by a newer version of the code", () => {
  test("works after a rollback when the newer version only added things", async () => {
    const { names, collector, entry, ping } = newUser();
    await ping("ride");
    await ping("held", 0);
    await inStorage(collector, (sql) => {
      sql.exec(
        `ALTER TABLE files ADD COLUMN added TEXT NOT NULL DEFAULT 'new';
         ALTER TABLE dispatches ADD COLUMN added INTEGER;
         ALTER TABLE identity ADD COLUMN added INTEGER;
         CREATE TABLE added (a INTEGER);
         UPDATE files SET current = json_set(current, '$.added', json('{"a":1}'), '$.submission.added', 1,
           '$.steps[#]', json('{"at":1,"what":"added"}')) WHERE current IS NOT NULL;
         UPDATE files SET held = json_set(held, '$.added', 1) WHERE held IS NOT NULL;
         UPDATE schema SET version = 99, readable_from = 1;`,
      );
    });
    await wake(collector);
    const [sent] = await collector.sent();
    const claim = await collector.claim(sent?.dispatch_id ?? "");
    const item = claim?.items[0];
    expect(item?.submission).toEqual({ ...entry("ride", 1).submission, received_at: expect.any(Number) });
    const { file_id = "", version = 0, revision = 0 } = item ?? {};
    await collector.stub.report(sent?.dispatch_id ?? "", claim?.claim ?? "", [
      { result: "imported", file_id, version, revision },
    ]);
    expect((await collector.stub.timeline(file_id)).map((step) => step.what)).toEqual([
      "pinged",
      "dispatched",
      "imported",
    ]);
    await ping("another");
    const started = await collector.stub.startImport(names, {
      import_id: randomId(),
      event_id: null,
      is_initial_import: false,
      expected: null,
    });
    expect(started.import.total).toBe(1);
    await collector.alarm();
    const left = await inStorage(collector, (sql) => ({
      version: versionOf(sql),
      added: sql.exec("SELECT DISTINCT added FROM files").toArray(),
    }));
    // The newer code finds its own version when it is deployed again, and runs no step twice.
    expect(left).toEqual({ version: { version: 99, readable_from: 1 }, added: [{ added: "new" }] });
  });

  test("rejects calls with a log line when the newer version changed things, and loses nothing", async () => {
    const { collector, ping } = newUser();
    await ping("ride");
    await inStorage(collector, (sql) => sql.exec("UPDATE schema SET version = 99, readable_from = 98"));
    const log = vi.spyOn(console, "log");
    await wake(collector);
    const refusal = await runInDurableObject(collector.stub, async (instance) =>
      instance.readImport("import").catch((fault: unknown) => fault),
    );
    expect(refusal).toBeInstanceOf(UnreadableSchema);
    expect(String(refusal)).toBe(
      "UnreadableSchema: Schema version 99 can be read from version 98 on. " +
        `This code knows version ${MIGRATIONS.length}: deploy the newer code again.`,
    );
    expect(log.mock.calls.map(([line]): unknown => JSON.parse(String(line)))).toContainEqual({
      unit: "setback",
      outcome: "schema_refused",
      collector: collector.name,
      version: 99,
      readable_from: 98,
      known: MIGRATIONS.length,
    });
    const [sent] = await collector.sent();
    for (const call of [
      (instance: PingCollector) =>
        instance.claim(sent?.dispatch_id ?? "", { claim: "claim", message_id: "message", attempt: 1 }),
      (instance: PingCollector) => instance.erase(Date.now()),
      (instance: PingCollector) => instance.timeline("file"),
    ]) {
      const fault = await runInDurableObject(collector.stub, async (instance) =>
        call(instance).then(
          () => "no fault",
          (thrown: unknown) => thrown,
        ),
      );
      expect(fault).toBeInstanceOf(UnreadableSchema);
    }

    // Its alarm stays set, so that the newer code continues its work.
    await collector.alarm();
    const alarmAt = await runInDurableObject(collector.stub, (_, state) => state.storage.getAlarm());
    expect(alarmAt).toBeGreaterThan(Date.now());
    await inStorage(collector, (sql) =>
      sql.exec("UPDATE schema SET version = ?, readable_from = 1", MIGRATIONS.length),
    );
    await wake(collector);
    const claim = await collector.claim(sent?.dispatch_id ?? "");
    expect(claim?.items.map((item) => item.summary_id)).toEqual(["ride"]);
  });
});
