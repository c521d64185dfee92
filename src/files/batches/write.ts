import { z } from "zod";
import { DATABASE_NOW } from "../../database/sql.ts";
import { listedId } from "./listed.pure.ts";

/** Position of the round over all batches: the key of the last batch that it has visited. */
const positionSchema = z.object({
  partner_id: z.string(),
  user_route: z.string(),
  updated_at: z.number(),
  first_file_id: z.string(),
  batch_id: z.string(),
});
type Position = z.infer<typeof positionSchema>;

const START: Position = { partner_id: "", user_route: "", updated_at: 0, first_file_id: "", batch_id: "" };
const KEY = "partner_id, user_route, updated_at, first_file_id, batch_id";

const valuesOf = (position: Position) =>
  [
    position.partner_id,
    position.user_route,
    position.updated_at,
    position.first_file_id,
    position.batch_id,
  ] as const;

/** Returns the round's position. Returns null while it rests after its last batch. */
export async function readRound(db: D1Database, nowMs: number): Promise<Position | null> {
  const row = await db.prepare(`SELECT ${KEY}, resumes_at FROM batch_rounds`).first<{ resumes_at: number }>();
  if (row === null) return START;
  return row.resumes_at > nowMs ? null : positionSchema.parse(row);
}

const batchRows = z.array(positionSchema.extend({ files: z.number() }));

/** Reads the next batches after the position, each with the number of files that it lists. */
export async function nextBatches(
  db: D1Database,
  after: Position,
  limit: number,
): Promise<z.infer<typeof batchRows>> {
  const found = await db
    .prepare(
      `SELECT ${KEY}, json_array_length(file_ids) AS files FROM file_batches
       WHERE (${KEY}) > (?, ?, ?, ?, ?) ORDER BY ${KEY} LIMIT ?`,
    )
    .bind(...valuesOf(after), limit)
    .all();
  return batchRows.parse(found.results);
}

/**
 * Deletes the out-of-date batches after one position up to another, and removals older than `removalsKeptForMs`. Saves the round's
 * position. When `through` is null, the round is complete, and the next one begins at `resumesAtMs`. Returns how many
 * were deleted.
 */
export async function deleteStaleBatches(
  db: D1Database,
  { after, through }: { after: Position; through: Position | null },
  removalsKeptForMs: number,
  resumesAtMs: number,
): Promise<number> {
  const saved = db
    .prepare(
      `INSERT INTO batch_rounds (only_row, ${KEY}, resumes_at) VALUES (1, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (only_row) DO UPDATE SET partner_id = excluded.partner_id, user_route = excluded.user_route,
         updated_at = excluded.updated_at, first_file_id = excluded.first_file_id, batch_id = excluded.batch_id,
         resumes_at = excluded.resumes_at`,
    )
    .bind(...valuesOf(through ?? START), resumesAtMs);
  if (through === null) {
    await saved.run();
    return 0;
  }
  const [deleted] = await db.batch([
    db
      .prepare(
        `DELETE FROM file_batches WHERE (${KEY}) > (?, ?, ?, ?, ?) AND (${KEY}) <= (?, ?, ?, ?, ?)
           AND CASE WHEN removed IS NOT NULL THEN updated_at <= ${DATABASE_NOW} - ? ELSE NOT EXISTS (
             SELECT 1 FROM json_each(file_batches.file_ids) j CROSS JOIN files f
               ON f.partner_id = file_batches.partner_id AND f.file_id = ${listedId("file_batches")}
             WHERE f.received_batch = file_batches.batch_id OR f.updated_batch = file_batches.batch_id
               OR f.outcome_batch = file_batches.batch_id OR f.edited_batch = file_batches.batch_id) END`,
      )
      .bind(...valuesOf(after), ...valuesOf(through), removalsKeptForMs),
    saved,
  ]);
  return deleted?.meta.changes ?? 0;
}
