import { z } from "zod";

/**
 * Collectors to project again: all of a partner, those of one of its users, or the Durable Objects with these ids. With
 * ids, a partner or a user only filters them.
 */
export const againParametersSchema = z.object({
  partner_id: z.string().nullable(),
  user_id: z.string().nullable(),
  objects: z.array(z.string()).nullable(),
});
export type AgainParameters = z.infer<typeof againParametersSchema>;

/** Searches for the collectors of a partner, in their order. */
export const SEARCHES = ["sources", "objects", "inline"] as const;

const positionSchema = z.object({
  /** `ids`: the job has the ids of its Durable Objects, so it searches nothing. */
  phase: z.enum([...SEARCHES, "ids"]),
  /** Key in the phase after which the next collector is searched. */
  after: z.string(),
  /** The collector at hand, and its last file that was processed. */
  collector: z.string().nullable(),
  file: z.string(),
});
export type Position = z.infer<typeof positionSchema>;

/** Returns the stored position of a job. `START` is stored as an empty text. */
export function parsePosition(stored: string): Position {
  return stored === "" ? START : positionSchema.parse(JSON.parse(stored));
}

export const START: Position = { phase: "sources", after: "", collector: null, file: "" };

/** A row that is replaced if its revision is between these two. */
export interface LoweredRow {
  file_id: string;
  revision: number;
  through: number;
}

/**
 * Returns the statement that makes damaged rows older than the version that replaces them, because only a higher revision
 * replaces a row. Rows that have changed since the page was read stay.
 */
export function lowerRevisions(
  database: D1Database,
  partnerId: string,
  rows: readonly LoweredRow[],
): D1PreparedStatement[] {
  if (rows.length === 0) return [];
  return [
    database
      .prepare(
        `UPDATE files SET revision = (SELECT j.value->>'revision' - 1 FROM json_each(?2) j
           WHERE j.value->>'file_id' = files.file_id)
         WHERE partner_id = ?1 AND file_id IN (SELECT value->>'file_id' FROM json_each(?2))
           AND EXISTS (SELECT 1 FROM json_each(?2) j WHERE j.value->>'file_id' = files.file_id
             AND files.revision BETWEEN j.value->>'revision' AND j.value->>'through')`,
      )
      .bind(partnerId, JSON.stringify(rows)),
  ];
}

/** Returns the statement that keeps failed objects that rows name: replacing a version discards its row's failed object. */
export function keepNamedObjects(
  database: D1Database,
  partnerId: string,
  fileIds: readonly string[],
): D1PreparedStatement[] {
  if (fileIds.length === 0) return [];
  return [
    database
      .prepare(
        `DELETE FROM discarded_objects WHERE object_key IN (SELECT f.failed_object_key FROM json_each(?2) j
           CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value WHERE f.failed_object_key IS NOT NULL)`,
      )
      .bind(partnerId, JSON.stringify(fileIds)),
  ];
}
