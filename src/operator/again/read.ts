import { z } from "zod";
import type { PagedFile } from "../../collector/calls.ts";

const sourceRow = z.object({ user_id: z.string(), source: z.string() });

/** Returns the first source of a partner, or of one of its users, after this user and source. */
export async function readNextSource(
  database: D1Database,
  partnerId: string,
  userId: string | null,
  afterUser: string,
  afterSource: string,
): Promise<z.infer<typeof sourceRow> | null> {
  const row = await database
    .prepare(
      `SELECT user_id, source FROM user_sources WHERE partner_id = ?1 AND (user_id, source) > (?2, ?3)
         AND (?4 IS NULL OR user_id = ?4) ORDER BY user_id, source LIMIT 1`,
    )
    .bind(partnerId, afterUser, afterSource, userId)
    .first();
  return row === null ? null : sourceRow.parse(row);
}

const stateRows = z.array(
  z.object({ file_id: z.string(), is_behind: z.number(), is_unreadable: z.number() }),
);
type LostState = z.infer<typeof stateRows>[number];

/**
 * Returns what the read model lacks of each file. `is_behind`: the row is missing or older. `is_unreadable`: the row does
 * not name the imported version, or activities are missing. A row with a later revision lacks nothing.
 */
export async function lostStates(
  database: D1Database,
  partnerId: string,
  files: readonly PagedFile[],
): Promise<Map<string, LostState>> {
  const asked = files.map(({ newest, imported }) => ({
    file_id: newest.file_id,
    revision: newest.revision,
    version: imported?.version ?? null,
  }));
  const found = await database
    .prepare(
      `SELECT j.value->>'file_id' file_id, coalesce(f.revision, 0) < j.value->>'revision' is_behind,
         f.file_id IS NULL OR (f.revision <= j.value->>'revision' AND (
           CASE WHEN j.value->>'version' IS NULL THEN f.stored_version IS NULL
             ELSE f.stored_version IS NOT j.value->>'version' END
           OR (f.stored_version IS j.value->>'version' AND f.activity_count <> (
             SELECT count(*) FROM activities a WHERE a.partner_id = ?1 AND a.file_id = f.file_id)))) is_unreadable
       FROM json_each(?2) j LEFT JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id'`,
    )
    .bind(partnerId, JSON.stringify(asked))
    .all();
  return new Map(stateRows.parse(found.results).map((row) => [row.file_id, row]));
}
