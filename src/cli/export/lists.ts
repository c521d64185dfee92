import { z } from "zod";
import { activityOf, type ActivityRow } from "../../activities/read.ts";
import { ACTIVITY_COLUMNS, OF_FILE } from "../../activities/sql.ts";
import { EVENT_COLUMNS, eventWithAttemptsOf, type EventRow } from "../../deliveries/read.ts";
import { fileOf, RELEASED_BY, type FileRow } from "../../files/read.ts";
import { rangeEnd, userRoute } from "../../identifiers.ts";
import { IMPORT_COLUMNS, IMPORT_DELIVERIES, importOf, type ImportRow } from "../../imports/read.ts";
import type { Partner } from "../../partners/partner.ts";
import { userOf, type UserRow } from "../../users/read.ts";
import type { Database } from "../databases.ts";

/** Number of rows of one query, which are in memory together. */
const ROWS_PER_QUERY = 100;

type Row = Record<string, unknown>;
type Reader = Pick<Database, "run">;

/** A query that is read page by page. */
interface Query {
  select: string;
  /** The columns of its order. */
  key: readonly [string, ...string[]];
  partnerColumn: string;
  userColumn: string;
  /** Whether all values of the first column of the key begin with the user's route. */
  beginsWithRoute: boolean;
}

/** One list of an export. `objectOf` returns a row as the API returns it. */
interface List extends Query {
  name: string;
  objectOf: (row: Row, partner: Partner) => object;
}

/** Rows with the columns of their statements, which the schema of the database guarantees. */
const fileRow = z.custom<FileRow>();
const activityRow = z.custom<ActivityRow>();
const importRow = z.custom<ImportRow>();
const eventRow = z.custom<EventRow>();
const userRow = z.custom<UserRow>();

const FILES: Query = {
  select: `SELECT f.*, ${RELEASED_BY} AS released_by FROM files f`,
  key: ["f.file_id"],
  partnerColumn: "f.partner_id",
  userColumn: "f.user_id",
  beginsWithRoute: true,
};

/** Lists of an export, with the objects of the API. */
export const LISTS: readonly List[] = [
  { ...FILES, name: "files", objectOf: (row) => fileOf(fileRow.parse(row)) },
  {
    name: "activities",
    select: `SELECT ${ACTIVITY_COLUMNS} FROM activities a CROSS JOIN files f ON ${OF_FILE}`,
    key: ["a.file_id", "a.session_index"],
    partnerColumn: "a.partner_id",
    userColumn: "f.user_id",
    beginsWithRoute: true,
    objectOf: (row) => {
      // The API compares with the user's other activities on request.
      const {
        duplicate_group: _group,
        is_canonical: _canonical,
        possible_duplicate_of: _duplicate,
        ...activity
      } = activityOf(activityRow.parse(row));
      return activity;
    },
  },
  {
    name: "imports",
    select: `SELECT ${IMPORT_COLUMNS} FROM imports i ${IMPORT_DELIVERIES}`,
    key: ["i.import_id"],
    partnerColumn: "i.partner_id",
    userColumn: "i.user_id",
    beginsWithRoute: true,
    objectOf: (row, partner) => importOf(partner, importRow.parse(row)),
  },
  {
    name: "events",
    select: `SELECT d.kind, ${EVENT_COLUMNS} FROM deliveries d`,
    key: ["d.delivery_id"],
    partnerColumn: "d.partner_id",
    userColumn: "d.user_id",
    beginsWithRoute: false,
    // Requests for training plans are deliveries, too.
    objectOf: (row) => ({ kind: row["kind"], ...eventWithAttemptsOf(eventRow.parse(row)) }),
  },
  {
    name: "users",
    select: "SELECT u.user_id, u.last_ping_at, u.created_at FROM users u",
    key: ["u.user_id"],
    partnerColumn: "u.partner_id",
    userColumn: "u.user_id",
    beginsWithRoute: false,
    objectOf: (row) => userOf(userRow.parse(row)),
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

const rowsSchema = z.array(z.record(z.string(), z.unknown()));
const keyValue = z.union([z.string(), z.number()]);

/** Yields the rows of a partner, or of one of its users, in the order of their keys. Holds one query's rows. */
export async function* rowsOf(
  database: Reader,
  { select, key, partnerColumn, userColumn, beginsWithRoute }: Query,
  partnerId: string,
  userId: string | null,
): AsyncGenerator<Row> {
  const columns = key.join(", ");
  const route = userId !== null && beginsWithRoute ? userRoute(partnerId, userId) : "";
  const ofUser = userId === null ? "" : `AND ${userColumn} = ?3`;
  let after: (string | number)[] = key.map((_, index) => (index === 0 ? route : -1));
  for (;;) {
    const position = after.map((_, index) => `?${index + 4}`).join(", ");
    const rows = rowsSchema.parse(
      await database.run(
        `${select} WHERE ${partnerColumn} = ?1 AND (${columns}) > (${position}) AND ${key[0]} < ?2 ${ofUser}
           ORDER BY ${columns} LIMIT ${ROWS_PER_QUERY}`,
        partnerId,
        rangeEnd(route),
        userId ?? "",
        ...after,
      ),
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_PER_QUERY) return;
    after = key.map((name) => keyValue.parse(last[name.slice(name.indexOf(".") + 1)]));
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
  database: Reader,
  partnerId: string,
  userId: string | null,
): AsyncGenerator<Original> {
  const select = "SELECT f.file_id, f.object_key, f.failed_object_key, f.sha256 FROM files f";
  for await (const row of rowsOf(database, { ...FILES, select }, partnerId, userId)) {
    const { file_id, object_key, failed_object_key, sha256 } = originalRow.parse(row);
    if (object_key !== null) yield { file_id, object_key, failed: false, sha256 };
    if (failed_object_key !== null) {
      const failedHash = object_key === null ? sha256 : null;
      yield { file_id, object_key: failed_object_key, failed: true, sha256: failedHash };
    }
  }
}
