import { z } from "zod";
import { parseSummary } from "../../activities/storedSummary.pure.ts";
import { instantOf } from "../../database/rows.ts";
import { localDateOf } from "../../fit/index.ts";
import { activityId, rangeEnd, userRoute } from "../../identifiers.ts";
import type { Database } from "../databases.ts";

/** Number of rows of one query. A query of the deployed database takes about two seconds, and holds at most 50 MB. */
const ROWS_PER_QUERY = 500;

type Row = Record<string, unknown>;

/** One list of an export. `key` are the columns of its order; all ids of a user begin with the same characters. */
interface List {
  name: string;
  select: string;
  key: readonly string[];
  /** Characters before the user's route in the first column of the key. Null: rows of a user are found by their user. */
  idPrefix: string | null;
  row: (row: Row) => Row;
}

const json = z.string().transform((text): unknown => JSON.parse(text));
const instants = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      name.endsWith("_at") && typeof value === "number" ? instantOf(value) : value,
    ]),
  );
const parsed = (value: unknown): unknown => (typeof value === "string" ? json.parse(value) : value);
const activityKey = z.looseObject({
  file_id: z.string(),
  session_index: z.number(),
  start_time_in_seconds: z.number().nullable(),
  summary: z.string(),
});

/** Lists of an export, with the fields of the API except the internal ones. */
export const LISTS: readonly List[] = [
  {
    name: "files",
    select: `SELECT file_id, user_id, source, summary_id, activity_name, priority, overwrite_mode, start_time_in_seconds,
      status, attempts, import_id, error, sha256, size_in_bytes, warnings, activity_count, received_at, updated_at
      FROM files`,
    key: ["file_id"],
    idPrefix: "",
    row: (row) => ({
      ...instants(row),
      overwrite_mode: row["overwrite_mode"] === 1,
      error: parsed(row["error"]),
      warnings: parsed(row["warnings"]),
    }),
  },
  {
    name: "activities",
    select: `SELECT file_id, session_index, version, sport, start_time_in_seconds, summary, created_at FROM activities`,
    key: ["file_id", "session_index"],
    idPrefix: "",
    row: (row) => {
      const { file_id, session_index, summary, ...columns } = activityKey.parse(row);
      const fields = parseSummary(summary);
      const { start_time_in_seconds: start } = columns;
      return {
        activity_id: activityId(file_id, session_index),
        file_id,
        session_index,
        ...instants(columns),
        ...fields,
        local_date: localDateOf(start, fields.utc_offset_in_seconds),
      };
    },
  },
  {
    name: "imports",
    select: `SELECT import_id, user_id, source, is_initial_import, event_id, status, total, imported, skipped, failed,
      requested_at, updated_at, completed_at FROM imports`,
    key: ["import_id"],
    idPrefix: "",
    row: (row) => ({ ...instants(row), is_initial_import: row["is_initial_import"] === 1 }),
  },
  {
    name: "events",
    select: `SELECT delivery_id, kind, type, user_id, import_id, body, status, attempts, attempt_count, created_at,
      updated_at FROM deliveries`,
    key: ["delivery_id"],
    idPrefix: null,
    row: (row) => ({ ...instants(row), body: parsed(row["body"]), attempts: parsed(row["attempts"]) }),
  },
  {
    name: "users",
    select: "SELECT user_id, last_ping_at, created_at FROM users",
    key: ["user_id"],
    idPrefix: null,
    row: instants,
  },
];

/** Stored bytes of a file: of its readable version, or of its newest version if that failed. */
export interface Original {
  file_id: string;
  object_key: string;
  failed: boolean;
  /** Null for failed bytes beside readable ones: the row has only the hash of the readable version. */
  sha256: string | null;
}

/** Yields the rows of a partner, or of one of its users, in the order of their keys. Holds one query's rows. */
export async function* rowsOf(
  database: Database,
  { select, key, idPrefix }: Pick<List, "select" | "key" | "idPrefix">,
  partnerId: string,
  userId: string | null,
): AsyncGenerator<Row> {
  const columns = key.join(", ");
  const route = userId === null ? "" : userRoute(partnerId, userId);
  let after: (string | number)[] = key.map((_, index) =>
    index === 0 ? (idPrefix ?? "") + (idPrefix === null ? "" : route) : -1,
  );
  const end = userId === null || idPrefix === null ? rangeEnd("") : rangeEnd(idPrefix + route);
  const ofUser = userId === null || idPrefix !== null ? "" : "AND user_id = ?3";
  for (;;) {
    const position = after.map((_, index) => `?${index + 4}`).join(", ");
    const rows = z.array(z.record(z.string(), z.unknown())).parse(
      await database.run(
        `${select} WHERE partner_id = ?1 AND (${columns}) > (${position}) AND ${key[0]} < ?2 ${ofUser}
           ORDER BY ${columns} LIMIT ${ROWS_PER_QUERY}`,
        partnerId,
        end,
        userId ?? "",
        ...after,
      ),
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_PER_QUERY) return;
    after = key.map((name) => z.union([z.string(), z.number()]).parse(last[name]));
  }
}

const originalRow = z.object({
  file_id: z.string(),
  object_key: z.string().nullable(),
  failed_object_key: z.string().nullable(),
  sha256: z.string().nullable(),
});

/** Yields the stored bytes of a partner's files. */
export async function* originalsOf(
  database: Database,
  partnerId: string,
  userId: string | null,
): AsyncGenerator<Original> {
  const select = "SELECT file_id, object_key, failed_object_key, sha256 FROM files";
  for await (const row of rowsOf(database, { select, key: ["file_id"], idPrefix: "" }, partnerId, userId)) {
    const { file_id, object_key, failed_object_key, sha256 } = originalRow.parse(row);
    if (object_key !== null) yield { file_id, object_key, failed: false, sha256 };
    if (failed_object_key !== null) {
      const failedHash = object_key === null ? sha256 : null;
      yield { file_id, object_key: failed_object_key, failed: true, sha256: failedHash };
    }
  }
}
