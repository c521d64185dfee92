import { z } from "zod";
import { DATABASE_NOW } from "../database/sql.ts";
import type { EventType } from "../endpoints/endpoint.ts";
import { eventTypesOf } from "../endpoints/storedEndpoint.pure.ts";
import { listedId, removedSessions } from "../files/batches/listed.pure.ts";
import { ROUTE_LENGTH } from "../identifiers.ts";

/** Whose outcomes any endpoint of a partner wants: `none`, those of live rides, or also those of histories. */
export type WantedOutcomes = "none" | "live" | "all";

/**
 * Returns the statement that reads whose outcomes a partner's endpoints want. Run it in the batch that writes outcomes.
 * It reads no row of a partner without endpoint settings.
 */
export function readWanted(db: D1Database, partnerId: string): D1PreparedStatement {
  return db
    .prepare(
      "SELECT max(include_history) AS history FROM endpoints WHERE partner_id = ? AND outcomes_time IS NOT NULL",
    )
    .bind(partnerId);
}

const wantedRows = z.array(z.object({ history: z.number().nullable() }));

/** Returns the value of `readWanted`'s result. */
export function wantedOf(result: D1Result | undefined): WantedOutcomes {
  const history = wantedRows.parse(result?.results ?? [])[0]?.history ?? null;
  if (history === null) return "none";
  return history === 1 ? "all" : "live";
}

/** Returns whether files with these outcomes must be reported. */
export function mustReport(wanted: WantedOutcomes, files: readonly { priority: number }[]): boolean {
  if (wanted === "none") return false;
  return wanted === "all" ? files.length > 0 : files.some(({ priority }) => priority > 0);
}

/** An endpoint that receives outcomes. */
export interface OutcomeEndpoint {
  endpoint_id: string;
  event_types: EventType[];
  include_history: boolean;
  /** The last batch that its outcomes include. */
  position: BatchPosition;
  /** Sequence of its newest outcome. */
  sequence: number;
}

/** Time and place of a batch in the order of changes. */
export interface BatchPosition {
  time: number;
  place: string;
}

const endpointRows = z.array(
  z.object({
    endpoint_id: z.string(),
    event_types: z.string(),
    include_history: z.number(),
    outcomes_time: z.number(),
    outcomes_place: z.string(),
    outcomes_sequence: z.number(),
  }),
);

/** Returns the partner's endpoints that receive outcomes. */
export async function readOutcomeEndpoints(db: D1Database, partnerId: string): Promise<OutcomeEndpoint[]> {
  const found = await db
    .prepare(
      `SELECT endpoint_id, event_types, include_history, outcomes_time, outcomes_place, outcomes_sequence
       FROM endpoints WHERE partner_id = ? AND outcomes_time IS NOT NULL ORDER BY created_at, endpoint_id`,
    )
    .bind(partnerId)
    .all();
  return endpointRows.parse(found.results).map((row) => ({
    endpoint_id: row.endpoint_id,
    event_types: eventTypesOf(row.event_types),
    include_history: row.include_history === 1,
    position: { time: row.outcomes_time, place: row.outcomes_place },
    sequence: row.outcomes_sequence,
  }));
}

/** SQL for the place of a batch `b` among those of the same time. Ids have a fixed length, so it sorts as the ids do. */
const PLACE = "b.first_file_id || '/' || b.batch_id";

/** Returns the SQL condition for a batch `b` that follows a position. Both parameters are SQL expressions. */
const follows = (time: string, place: string) =>
  `b.updated_at >= ${time} AND (b.updated_at > ${time} OR ${PLACE} > ${place})`;

const batchRows = z.array(
  z.object({ time: z.number(), place: z.string(), outcomes: z.number(), files: z.number() }),
);
export type OutcomeBatch = z.infer<typeof batchRows>[number];

/** Returns the partner's next batches after the position, with outcomes or without, in the order of changes. */
export async function readBatches(
  db: D1Database,
  partnerId: string,
  { time, place }: BatchPosition,
  limit: number,
): Promise<OutcomeBatch[]> {
  // Excludes the current millisecond: more batches with that time may still be written.
  const found = await db
    .prepare(
      `SELECT b.updated_at AS time, ${PLACE} AS place,
         CASE WHEN b.removed IS NULL THEN b.outcomes ELSE 2 END AS outcomes, json_array_length(b.file_ids) AS files
       FROM file_batches b INDEXED BY file_batches_by_update
       WHERE b.partner_id = ?1 AND ${follows("?2", "?3")} AND b.updated_at < ${DATABASE_NOW}
       ORDER BY b.updated_at, b.first_file_id, b.batch_id LIMIT ?4`,
    )
    .bind(partnerId, time, place, limit)
    .all();
  return batchRows.parse(found.results);
}

const fileRows = z.array(
  z.object({
    file_id: z.string(),
    /** 1: the batch lists removals, of the sessions from the first to the one before the second. */
    is_removed: z.number(),
    from_session: z.number(),
    to_session: z.number(),
    /** 1: the batch wrote the file's newest outcome. */
    is_outcome: z.number(),
    outcome_failed: z.number(),
    error: z.string().nullable(),
    import_id: z.string().nullable(),
    activity_count: z.number(),
    updated_at: z.number(),
  }),
);
export type ListedFile = z.infer<typeof fileRows>[number];

const SESSIONS = removedSessions();

/** Returns what these batches report, in the order of changes: files' newest outcomes, edits, and removed activities. */
export async function readFilesOf(
  db: D1Database,
  partnerId: string,
  batches: readonly OutcomeBatch[],
  includeHistory: boolean,
): Promise<ListedFile[]> {
  const found = await db
    .prepare(
      `SELECT ${listedId()} AS file_id, b.removed IS NOT NULL AS is_removed, ${SESSIONS.from} AS from_session,
         ${SESSIONS.to} AS to_session, coalesce(f.outcome_batch IS b.batch_id, 0) AS is_outcome,
         coalesce(f.outcome_failed, 0) AS outcome_failed, f.error, f.import_id,
         coalesce(f.activity_count, 0) AS activity_count, b.updated_at
       FROM json_each(?2) k
       CROSS JOIN file_batches b ON b.partner_id = ?1 AND b.user_route = substr(k.value->>'place', 1, ${ROUTE_LENGTH})
         AND b.updated_at = k.value->>'time' AND ${PLACE} = k.value->>'place'
       CROSS JOIN json_each(b.file_ids) j
       LEFT JOIN files f ON b.removed IS NULL AND f.partner_id = ?1 AND f.file_id = ${listedId()}
         AND CASE b.batch_id WHEN f.outcome_batch THEN f.outcome_live OR ?3 WHEN f.edited_batch THEN f.priority > 0 OR ?3 END
       WHERE CASE WHEN b.removed IS NULL THEN f.file_id IS NOT NULL ELSE ${SESSIONS.from} < ${SESSIONS.to} END
       ORDER BY k.key, j.key`,
    )
    .bind(
      partnerId,
      JSON.stringify(batches.map(({ time, place }) => ({ time, place }))),
      includeHistory ? 1 : 0,
    )
    .all();
  return fileRows.parse(found.results);
}

const partnerRows = z.array(z.object({ partner_id: z.string() }));

/** Returns partners with an endpoint that has not received all outcomes up to the time, those that wait longest first. */
export async function partnersBehind(db: D1Database, untilMs: number, limit: number): Promise<string[]> {
  const found = await db
    .prepare(
      `SELECT e.partner_id FROM endpoints e WHERE e.outcomes_time IS NOT NULL AND EXISTS (
         SELECT 1 FROM file_batches b INDEXED BY file_batches_by_update
         WHERE b.partner_id = e.partner_id AND ${follows("e.outcomes_time", "e.outcomes_place")} AND b.updated_at < ?1)
       GROUP BY e.partner_id ORDER BY min(e.outcomes_time) LIMIT ?2`,
    )
    .bind(untilMs, limit)
    .all();
  return partnerRows.parse(found.results).map(({ partner_id }) => partner_id);
}

const nameRows = z.array(
  z.object({ file_id: z.string(), user_id: z.string(), source: z.string(), summary_id: z.string() }),
);
export type FileNames = z.infer<typeof nameRows>[number];

/** Returns the names of those of the files that exist and that no erasure covers. `fileIds` is a JSON array. */
export async function readNames(
  db: D1Database,
  partnerId: string,
  fileIds: string,
): Promise<ReadonlyMap<string, FileNames>> {
  const found = await db
    .prepare(
      `SELECT f.file_id, f.user_id, f.source, f.summary_id FROM (SELECT DISTINCT value FROM json_each(?2)) j
       CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value
       WHERE NOT EXISTS (SELECT 1 FROM erased e WHERE e.partner_id = ?1
         AND e.user_hash >= substr(f.file_id, 1, ${ROUTE_LENGTH})
         AND e.user_hash < substr(f.file_id, 1, ${ROUTE_LENGTH}) || '~' AND e.before_version >= f.version)`,
    )
    .bind(partnerId, fileIds)
    .all();
  return new Map(nameRows.parse(found.results).map((names) => [names.file_id, names]));
}
