import { withTimeout } from "../concurrency/withTimeout.ts";
import type { NamedDatabase } from "../database/databases.ts";
import { logLine } from "../log.ts";
import { hasMigration } from "./read.ts";

/** Newest file of `migrations/`. A database has the schema of this code once it is applied. */
export const NEWEST_MIGRATION = "0001_read_model.sql";

/** Time until a database without the schema is checked again. An operator may have applied the migrations. */
const RECHECK_MS = 2_000;
/** Maximum time that a request waits for the check, and the time until the next one when the database is down. */
const DEADLINE_MS = 1_000;
const RECHECK_WHEN_DOWN_MS = 30_000;

interface Check {
  isMissing: boolean;
  /** The result is used until then, in Unix milliseconds. */
  until: number;
}

/** The last check of each database in this isolate. */
const checks = new WeakMap<D1Database, Check>();

/**
 * Returns whether a database lacks the schema of this code. Reads each database once in an isolate, and again every two
 * seconds while the schema is missing. A database that is down counts as one with the schema. Never throws.
 */
export async function isSchemaMissing({ name, database }: NamedDatabase, nowMs: number): Promise<boolean> {
  const last = checks.get(database);
  if (last !== undefined && nowMs < last.until) return last.isMissing;
  const check = await checkSchema(database, nowMs);
  checks.set(database, check);
  if (check.isMissing && last?.isMissing !== true) {
    logLine({ unit: "setback", outcome: "schema_missing", database: name, migration: NEWEST_MIGRATION });
  }
  return check.isMissing;
}

async function checkSchema(database: D1Database, nowMs: number): Promise<Check> {
  try {
    const isApplied = await withTimeout(DEADLINE_MS, hasMigration(database, NEWEST_MIGRATION));
    return { isMissing: !isApplied, until: isApplied ? Infinity : nowMs + RECHECK_MS };
  } catch {
    return { isMissing: false, until: nowMs + RECHECK_WHEN_DOWN_MS };
  }
}

/** Message of D1 for a statement about a table or a column that the database does not have. */
const OUTDATED = /^D1_ERROR: .*(?:no such (?:table|column)|has no column named)/;

/** Whether an error shows that the tables of a database are older than this code. */
export function isSchemaFault(fault: Error): boolean {
  return OUTDATED.test(fault.message);
}
