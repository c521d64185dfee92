import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { storedSummary } from "../../src/activities/storedSummary.pure.ts";
import { app } from "../../src/http/app.ts";
import { REMOVALS_PER_BATCH } from "../../src/files/removals/write.ts";
import { ROWS_PER_REQUEST } from "../../src/http/rateLimit.ts";
import { idPrefix, userRoute } from "../../src/identifiers.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { BARE_SUMMARY, seedFile, seedImport } from "../support/rows.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";

/** Maximum number of rows that one GET may read in D1. */
const MOST_ROWS = 20_000;
const FILES = 200_000;
/** Files with 100 sessions each. All sessions begin in the same second. */
const MEETS = 2_000;
const SESSIONS = 100;
const IMPORTS = 30_000;
const EVENTS = 30_000;
/** The bytes of every file. */
const OBJECT_KEY = "walks/ride";

/** Receipt time of the first file. All receipt times are in the past and inside the overview's 14 days. */
const FIRST_AT = Date.now() - 10 * 60_000;

/** Returns a database that sums the rows that D1 reports as read. */
function metered(database: D1Database) {
  const read = { rows: 0 };
  const originals = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
  const count = <T>(result: D1Result<T>) => {
    read.rows += result.meta.rows_read;
    return result;
  };
  const watched = (statement: D1PreparedStatement): D1PreparedStatement => {
    const proxy = new Proxy(statement, {
      get(target, name) {
        if (name === "bind") return (...values: unknown[]) => watched(target.bind(...values));
        if (name === "first") return async () => count(await target.all()).results[0] ?? null;
        if (name === "all" || name === "run") return async () => count(await target.all());
        throw new Error(`D1PreparedStatement.${String(name)} is not metered`);
      },
    });
    originals.set(proxy, statement);
    return proxy;
  };
  const db = new Proxy(database, {
    get(target, name) {
      if (name === "prepare") return (sql: string) => watched(target.prepare(sql));
      if (name === "batch") {
        return async (statements: D1PreparedStatement[]) =>
          (await target.batch(statements.map((statement) => originals.get(statement) ?? statement))).map(
            count,
          );
      }
      throw new Error(`D1Database.${String(name)} is not metered`);
    },
  });
  return { db, read };
}

afterEach(() => {
  vi.useRealTimers();
});

const pageSchema = z.looseObject({
  data: z.union([z.array(z.looseObject({})), z.looseObject({})]).optional(),
  next_cursor: z.string().nullable().optional(),
});

async function get(who: TestPartner, path: string) {
  const { db, read } = metered(databaseOf(who));
  const response = await app.request(path, { headers: who.headers }, { ...env, [ownerOf(who).database]: db });
  expect(response.status, path).toBe(200);
  const body = pageSchema.parse(await response.json());
  expect(read.rows, `rows read by ${path}`).toBeLessThanOrEqual(MOST_ROWS);
  const quota = response.headers.get("RateLimit") ?? "";
  return {
    rows: read.rows,
    quota,
    data: Array.isArray(body.data) ? body.data : [],
    next: body.next_cursor ?? null,
  };
}

const numbers = (count: number) =>
  `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count - 1})`;
/** Returns the id of file `i` of a user and source: the prefix and 22 digits. */
const FILE_ID = "?2 || printf('%022d', i)";

/** Inserts a user's files with activities, each file in its own batch. */
async function seedFiles(
  partnerId: string,
  userId: string,
  { files, sessions, status }: { files: number; sessions: number; status: string },
): Promise<void> {
  const run = async (sql: string) =>
    databaseOf(partnerId)
      .prepare(sql)
      .bind(partnerId, idPrefix(partnerId, userId, "watch"), userId, userRoute(partnerId, userId), FIRST_AT)
      .run();
  await run(
    `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode,
       start_time_in_seconds, status, version, revision, activity_count, received_at, received_batch, updated_at, updated_batch, object_key)
     ${numbers(files)} SELECT ?1, ${FILE_ID}, ?3, 'watch', 's' || i, 0, 0, '1', '${status}', ?5 + i, 1, ${sessions},
       ?5 + i, 'b' || i, ?5 + i, 'b' || i, '${OBJECT_KEY}' FROM n WHERE ?4 <> ''`,
  );
  await run(
    `INSERT INTO file_batches (partner_id, user_route, first_file_id, batch_id, received_at, updated_at, file_ids)
     ${numbers(files)} SELECT ?1, ?4, ${FILE_ID}, 'b' || i, ?5 + i, ?5 + i, json_array(printf('%022d', i)) FROM n WHERE ?3 <> ''`,
  );
  await run(
    `INSERT INTO activities (partner_id, file_id, session_index, version, sport, start_time_in_seconds, summary, created_at)
     ${numbers(files * sessions)} SELECT ?1, ?2 || printf('%022d', i / ${sessions}), i % ${sessions}, 1, 'cycling',
       CASE WHEN ${sessions} = 1 THEN 1760000000 + i ELSE 1760000000 END, '${storedSummary(BARE_SUMMARY)}', ?5
     FROM n WHERE ?3 <> '' AND ?4 <> ''`,
  );
  await databaseOf(partnerId)
    .prepare("INSERT INTO users (partner_id, user_id, last_ping_at, created_at) VALUES (?, ?, ?, ?)")
    .bind(partnerId, userId, FIRST_AT, FIRST_AT)
    .run();
}

async function seedImportsAndEvents(partnerId: string): Promise<void> {
  const prefix = idPrefix(partnerId, "big", "watch");
  await databaseOf(partnerId)
    .prepare(
      `INSERT INTO imports (partner_id, import_id, user_id, source, is_initial_import, status, total, imported, skipped, failed,
       after_version, through_version, revision, requested_at, updated_at, completed_at)
     ${numbers(IMPORTS)} SELECT ?1, ${FILE_ID}, 'big', 'watch', 0, 'completed', 1, 1, 0, 0, i, i + 1, 1, ?3 + i, ?3 + i, ?3 + i FROM n`,
    )
    .bind(partnerId, prefix, Date.now() - IMPORTS)
    .run();
  await databaseOf(partnerId)
    .prepare(
      `INSERT INTO deliveries (partner_id, delivery_id, kind, type, body, status, created_at, updated_at)
     ${numbers(EVENTS)} SELECT ?1, 'evt_' || i, 'event', 'test.ping', '{"type":"t","timestamp":"t","data":{}}', 'delivered', ?2 + i, ?2 + i FROM n`,
    )
    .bind(partnerId, Date.now() - EVENTS)
    .run();
}

describe("no GET reads more than 20,000 rows", () => {
  let held: TestPartner;
  let meets: TestPartner;
  beforeAll(async () => {
    await env.FILES.put(OBJECT_KEY, rideFile());
    held = await newPartner();
    await seedFiles(held.partnerId, "big", { files: FILES, sessions: 1, status: "held" });
    await seedImportsAndEvents(held.partnerId);
    meets = await newPartner();
    await seedFiles(meets.partnerId, "big", { files: MEETS, sessions: SESSIONS, status: "imported" });
  }, 300_000);

  const since = "updated_since=2026-01-01T00:00:00Z";
  const lists: Record<string, string[]> = {
    files: [
      "user_id=big",
      "source=nope",
      "source=watch",
      "status=held",
      "status=queued",
      "status=failed",
      "name_contains=nope",
      "received_before=2020-01-01T00:00:00Z",
      since,
    ],
    activities: [
      "user_id=big",
      "source=nope",
      "sport=nope",
      "name_contains=nope",
      "start_after=1760000000",
      "start_before=1760000001",
      since,
    ],
    imports: ["user_id=big", "source=nope", "status=running", since],
    events: ["status=failed", since],
    users: ["user_id_prefix=b"],
  };

  /** Returns every combination of filters, with each parameter at most once. */
  function combinations(filters: readonly string[]): string[] {
    const all = [""];
    for (const filter of filters) {
      const name = `${filter.split("=")[0]}=`;
      const without = all.filter((query) => !query.includes(name));
      all.push(...without.map((query) => (query === "" ? filter : `${query}&${filter}`)));
    }
    return all;
  }

  const cases = Object.entries(lists).flatMap(([list, filters]) =>
    combinations(filters).map((query) => [list, query] as const),
  );
  // Its condition is on the row that is read anyway.
  const byCode = "error_code=not_fit";
  for (const query of ["user_id=big", "source=watch", "status=failed", "name_contains=nope", since]) {
    cases.push(["files", `${byCode}&${query}`]);
  }

  test.each(cases)("of %s, with ?%s, on the first pages", async (list, query) => {
    for (const who of [held, meets]) {
      let next = "";
      for (let page = 0; page < 2; page += 1) {
        const found = await get(who, `/api/${list}/?limit=200&${query}${next}`);
        if (found.next === null) break;
        next = `&cursor=${found.next}`;
      }
    }
  });

  test("of changes among the removals of an erasure and of single deletions, asked for or not", async () => {
    const who = await newPartner();
    await seedFiles(who.partnerId, "some", { files: 500, sessions: 1, status: "imported" });
    // 300 rows of an erasure with 1,000 files each, then 20,000 deletions of one file.
    for (const [batches, ids, sessions] of [
      [300, REMOVALS_PER_BATCH, 1],
      [20_000, 1, 100],
    ]) {
      await databaseOf(who)
        .prepare(
          `INSERT INTO file_batches (partner_id, user_route, first_file_id, batch_id, updated_at, removed, file_ids)
           ${numbers(batches ?? 0)}
           SELECT ?1, ?3, ?2 || printf('%022d', i * ?5), 'r' || ?5 || '-' || i, ?4 + i, 'files', (
             WITH RECURSIVE k(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM k WHERE j < ?5 - 1)
             SELECT json_group_array(printf('%022d0000%04d', 1000000 + i * ?5 + j, ?6)) FROM k) FROM n`,
        )
        .bind(
          who.partnerId,
          idPrefix(who.partnerId, "gone", "watch"),
          userRoute(who.partnerId, "gone"),
          FIRST_AT + 100,
          ids ?? 0,
          sessions ?? 0,
        )
        .run();
    }
    for (const list of ["files", "activities"]) {
      for (const query of ["", "&user_id=gone", "&user_id=gone&source=phone", "&source=none"]) {
        for (const included of ["", "&include_deleted=true"]) {
          let next = "";
          for (let page = 0; page < 3; page += 1) {
            const found = await get(who, `/api/${list}/?limit=200&${since}${query}${included}${next}`);
            if (found.next === null) break;
            next = `&cursor=${found.next}`;
          }
        }
      }
    }
  });

  test("of one file, activity, import, user, of the overview and the settings", async () => {
    const id = idPrefix(held.partnerId, "big", "watch") + "0".repeat(22);
    for (const path of [
      `files/${id}/`,
      `files/?import_id=${id}&status=failed`,
      `files/?user_id=big&source=watch&summary_id=s1`,
      `activities/${id}.0/`,
      `imports/${id}/`,
      "users/big/",
      "overview/",
      "partner/",
      "events/evt_1/",
    ]) {
      await get(held, `/api/${path}`);
    }
    await get(meets, `/api/activities/${idPrefix(meets.partnerId, "big", "watch")}${"0".repeat(22)}.0/`);
    await get(meets, "/api/users/big/");
  });
});

describe("a list that skips many rows", () => {
  test("returns each file of a rare status once, even with few files per page", async () => {
    const who = await newPartner();
    await seedFiles(who.partnerId, "many", { files: 9_000, sessions: 1, status: "held" });
    const names = { partnerId: who.partnerId, source: "watch" };
    const rare: string[] = [];
    for (const [index, at] of [
      FIRST_AT - 5,
      FIRST_AT + 10,
      FIRST_AT + 4_000,
      FIRST_AT + 4_000,
      FIRST_AT + 8_999,
    ].entries()) {
      const columns = { status: "failed", received_at: at, updated_at: at };
      rare.push(await seedFile({ ...names, userId: `u${index % 2}`, summaryId: `rare-${index}` }, columns));
    }
    for (const query of ["status=failed", `status=failed&${since(FIRST_AT - 10)}`]) {
      const found: unknown[] = [];
      let pages = 0;
      let next: string | null = "";
      while (next !== null) {
        const page = await get(who, `/api/files/?limit=2&${query}${next === "" ? "" : `&cursor=${next}`}`);
        found.push(...page.data.map((file) => file["file_id"]));
        next = page.next;
        pages += 1;
      }
      expect(pages).toBeGreaterThan(3);
      expect(found).toHaveLength(rare.length);
      expect(new Set(found)).toEqual(new Set(rare));
    }
  });

  const since = (ms: number) => `updated_since=${new Date(ms).toISOString()}`;

  test("counts as a request for each 1,000 rows that it reads, and so do the overview and the page of a user", async () => {
    const limit = 1_000_000;
    const who = await newPartner({ limits: { requests_per_minute: limit, files_per_minute: null } });
    await seedFiles(who.partnerId, "many", { files: 5_000, sessions: 1, status: "held" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    let left = limit;
    for (const [path, isExpensive] of [
      ["users/", false],
      ["files/?limit=1", false],
      ["files/?status=failed", true],
      [`files/?${since(FIRST_AT - 10)}&status=failed`, true],
      ["files/?source=none", true],
      ["activities/?user_id=many", true],
      ["activities/?sport=none", true],
      [`activities/?${since(FIRST_AT - 10)}&sport=none`, true],
      ["users/many/", true],
      ["overview/", true],
    ] as const) {
      const { rows, quota } = await get(who, `/api/${path}`);
      const spent = left - Number(/r=(\d+)/.exec(quota)?.[1]);
      left -= spent;
      expect(spent, path).toBeGreaterThanOrEqual(Math.max(1, Math.floor(rows / ROWS_PER_REQUEST)));
      expect(spent > 1, path).toBe(isExpensive);
    }
  });

  test("returns each activity and import of a user once, even if there are too many to sort", async () => {
    const who = await newPartner();
    await seedFiles(who.partnerId, "many", { files: 4_000, sessions: 1, status: "imported" });
    await seedFiles(who.partnerId, "few", { files: 700, sessions: 1, status: "imported" });
    const ids = async (path: string, key: string) => {
      const found: unknown[] = [];
      let next: string | null = "";
      while (next !== null) {
        const page = await get(who, `${path}limit=200${next === "" ? "" : `&cursor=${next}`}`);
        found.push(...page.data.map((row) => row[key]));
        next = page.next;
      }
      expect(new Set(found).size).toBe(found.length);
      return found.length;
    };
    await databaseOf(who)
      .prepare(
        "UPDATE activities SET start_time_in_seconds = NULL WHERE partner_id = ? AND file_id LIKE '%7'",
      )
      .bind(who.partnerId)
      .run();
    expect(await ids("/api/activities/?user_id=many&", "activity_id")).toBe(4_000);
    expect(await ids("/api/activities/?user_id=few&", "activity_id")).toBe(700);
    expect(await ids("/api/activities/?", "activity_id")).toBe(4_700);
    expect(await ids(`/api/activities/?${since(FIRST_AT - 1)}&`, "activity_id")).toBe(4_700);
    expect(await ids(`/api/activities/?${since(FIRST_AT - 1)}&user_id=few&`, "activity_id")).toBe(700);
    expect(await ids("/api/files/?user_id=few&", "file_id")).toBe(700);
    await seedImport({ partnerId: who.partnerId, userId: "few", source: "watch" });
    expect(await ids("/api/imports/?user_id=few&", "import_id")).toBe(1);
  });
});
