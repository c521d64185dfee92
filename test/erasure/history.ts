import { COLLECTOR_LENGTH, userHash, userRoute } from "../../src/identifiers.ts";
import { databaseOf } from "../support/databases.ts";

/** Number of rows of each kind of a seeded user. */
export interface History {
  files: number;
  /** Number of sources that the files are spread over, `source-0` first. */
  sources?: number;
  imports?: number;
  /** Version of every file, in Unix milliseconds. Default: `LONG_AGO`. */
  version?: number;
}

const LONG_AGO = Date.parse("2026-06-01T12:00:00.000Z");

/** Returns SQL for a table of the numbers from 0 to `count` - 1. */
const numbers = (count: number) =>
  `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})`;

/**
 * Stores a user's imported history in the read model. Each file has one activity, each 25 files have a batch, and each
 * import has missing ids, a plan and an event.
 */
export async function seedHistory(
  partnerId: string,
  userId: string,
  { files, sources = 1, imports = 0, version = LONG_AGO }: History,
): Promise<void> {
  const route = userRoute(partnerId, userId);
  const fileId = `'${route}' || printf('%026d', i)`;
  const importId = `'${route}i' || printf('%025d', i)`;
  const run = async (sql: string) => databaseOf(partnerId).prepare(sql).bind(partnerId, userId).run();
  await run(
    `INSERT INTO users (partner_id, user_id, last_ping_at, created_at) VALUES (?1, ?2, ${LONG_AGO}, ${LONG_AGO})`,
  );
  await run(
    `INSERT INTO user_sources (partner_id, user_id, source, version)
     ${numbers(sources)} SELECT ?1, ?2, 'source-' || i, ${Math.min(version, LONG_AGO)} FROM n`,
  );
  if (files > 0) {
    await run(
      `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode, start_time_in_seconds,
         status, version, revision, stored_version, object_key, sha256, size_in_bytes, activity_count, received_at, updated_at)
       ${numbers(files)} SELECT ?1, ${fileId}, ?2, 'source-' || (i % ${sources}), 'ride-' || i, 1, 0, '1760000000', 'imported', ${version},
         1, ${version}, ?1 || '/${userHash(partnerId, userId)}/' || i || '/${version}', 'hash', 1, 1, ${LONG_AGO}, ${LONG_AGO} FROM n`,
    );
    await run(
      `INSERT INTO activities (partner_id, file_id, session_index, version, sport, summary, created_at)
       ${numbers(files)} SELECT ?1, ${fileId}, 0, ${version}, 'cycling', hex(zeroblob(500)), ${LONG_AGO} FROM n
       WHERE ?2 <> ''`,
    );
    await databaseOf(partnerId)
      .prepare(
        `INSERT INTO file_batches (partner_id, user_route, first_file_id, batch_id, received_at, updated_at, file_ids)
       SELECT ?1, substr(min(file_id), 1, 8), min(file_id), 'batch-' || (substr(file_id, 9) / 25), ${LONG_AGO}, ${LONG_AGO}, json_group_array(substr(file_id, ${COLLECTOR_LENGTH + 1}))
       FROM files WHERE partner_id = ?1 AND user_id = ?2 GROUP BY substr(file_id, 9) / 25`,
      )
      .bind(partnerId, userId)
      .run();
  }
  if (imports > 0) {
    await run(
      `INSERT INTO imports (partner_id, import_id, user_id, source, is_initial_import, status, total, imported, skipped, failed,
         after_version, through_version, revision, requested_at, updated_at, completed_at)
       ${numbers(imports)} SELECT ?1, ${importId}, ?2, 'source-' || (i % ${sources}), 0, 'completed', 1, 1, 0, 0, 0, 0, 1, ${LONG_AGO}, ${LONG_AGO}, ${LONG_AGO} FROM n`,
    );
    await databaseOf(partnerId)
      .prepare(
        `INSERT INTO import_missing SELECT partner_id, import_id, 0, '[]', 0 FROM imports WHERE partner_id = ? AND user_id = ?`,
      )
      .bind(partnerId, userId)
      .run();
    for (const [prefix, kind] of [
      ["evt_", "event"],
      ["plan_", "training_plan"],
    ]) {
      await databaseOf(partnerId)
        .prepare(
          `INSERT INTO deliveries (partner_id, delivery_id, kind, type, user_id, import_id, body, status, created_at, updated_at)
         SELECT partner_id, '${prefix}' || import_id, '${kind}', 'x', user_id, import_id, '{}', 'delivered', ${LONG_AGO}, ${LONG_AGO}
         FROM imports WHERE partner_id = ? AND user_id = ?`,
        )
        .bind(partnerId, userId)
        .run();
    }
  }
}

const TABLES = [
  "files",
  "activities",
  "file_batches",
  "imports",
  "import_missing",
  "deliveries",
  "users",
] as const;

/** Returns the number of a partner's rows in the read model. */
export async function countRows(partnerId: string): Promise<number> {
  // Batches of removals stay. They have only ids.
  const kept: Record<string, string> = { file_batches: "AND removed IS NULL" };
  const counts = TABLES.map(
    (table) => `(SELECT count(*) FROM ${table} WHERE partner_id = ?1 ${kept[table] ?? ""})`,
  );
  const row = await databaseOf(partnerId)
    .prepare(`SELECT ${counts.join(" + ")} AS rows`)
    .bind(partnerId)
    .first<{ rows: number }>();
  return row?.rows ?? 0;
}
