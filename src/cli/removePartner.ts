import { z } from "zod";
import { BEGIN_ERASURES, erasuresValue } from "../erasure/begin.ts";
import { NEXT_SWEEP_AFTER_MS } from "../erasure/write.ts";
import { MINUTE_MS, SETTINGS_SPREAD_FOR_MS } from "../contract/limits.ts";
import { suspended, type Partner } from "../partners/partner.ts";
import { NOTE_REMOVAL } from "./removedPartners.ts";
import type { Refusal } from "./commandLine.ts";
import { databaseNamed, type Database } from "./databases.ts";
import type { CommandOutput, Request, Stores } from "./partnerRequest.ts";

/** Number of users in one statement. It blocks its database while it runs. */
const USERS_PER_STATEMENT = 500;
/** Number of rows that one statement deletes. A statement blocks its database while it runs. */
const ROWS_PER_STATEMENT = 4_000;

/** Time after a suspension in which requests may still write: settings spread, and a request takes up to a minute. */
const REQUESTS_END_AFTER_MS = SETTINGS_SPREAD_FOR_MS + MINUTE_MS;

/** Users with rows, in the order of their ids. */
const USERS = `SELECT user_id FROM (
    SELECT user_id FROM users WHERE partner_id = ?1 UNION SELECT user_id FROM user_sources WHERE partner_id = ?1)
  WHERE user_id > ?2 ORDER BY user_id LIMIT ${USERS_PER_STATEMENT}`;
/** Users of rows without a user, which a restored database may contain. */
const LEFT_OVER = `SELECT DISTINCT user_id FROM (
    SELECT user_id FROM files WHERE partner_id = ?1 UNION SELECT user_id FROM imports WHERE partner_id = ?1)
  WHERE user_id > ?2 ORDER BY user_id LIMIT ${USERS_PER_STATEMENT}`;
const PENDING = "SELECT count(*) users FROM erased WHERE partner_id = ?1 AND next_sweep_at IS NOT NULL";

/** Deletes the partner's rows that belong to no user. Each statement returns its deleted rows. */
const DELETIONS = [
  ["deliveries", "delivery_id"],
  ["endpoints", "endpoint_id"],
  ["endpoint_days", "endpoint_id"],
  ["idempotent_requests", "key_hash"],
  ["import_missing", "import_id"],
  ["file_batches", "batch_id"],
  ["deleted_files", "file_id"],
  ["partner_usage", "partner_id"],
  ["usage_days", "day"],
  ["operator_job_failures", "job_id"],
].map(
  ([table, id]) =>
    `DELETE FROM ${table} WHERE partner_id = ?1
     AND ${id} IN (SELECT ${id} FROM ${table} WHERE partner_id = ?1 LIMIT ${ROWS_PER_STATEMENT}) RETURNING 1 AS deleted`,
);

const DELETE_JOBS = "DELETE FROM operator_jobs WHERE parameters ->> 'partner_id' = ?1";

/**
 * Removes a partner in steps: suspends it, begins the erasure of all its users, and, when the service has completed these,
 * deletes its other rows, its usage, and its keys with its settings. A repeated call continues. The erasures' bounds
 * stay for 90 days, without user ids, and a row that says when the partner was removed.
 */
export async function removePartner(
  partner: Partner,
  { registry, databases }: Stores,
  _request: Request,
  now: Date,
): Promise<CommandOutput | Refusal> {
  const { partner_id } = partner;
  const opened = await databases();
  if (!opened.ok) return opened;
  try {
    const found = databaseNamed(opened, partner.database);
    if (!found.ok) return found;
    const { database } = found;
    const stopped = suspended(partner, now);
    if (stopped.suspended_at !== partner.suspended_at) {
      const changed = await registry.change(partner, (newest) => ({
        ok: true,
        partner: suspended(newest, now),
      }));
      if (!changed.ok) return changed;
    }
    let users = await eraseUsers(database, partner_id, USERS, now);
    let pending = pendingSchema.parse(await database.run(PENDING, partner_id))[0].users;
    if (users === 0 && pending === 0) users = await eraseUsers(database, partner_id, LEFT_OVER, now);
    pending = Math.max(pending, users);
    if (pending > 0) return stillRunning(partner_id, pending);
    if (now.getTime() - Date.parse(stopped.suspended_at) < REQUESTS_END_AFTER_MS) {
      return suspendedOnly(partner_id);
    }
    for (const statement of DELETIONS) {
      while ((await database.run(statement, partner_id)).length >= ROWS_PER_STATEMENT);
    }
    await database.run(DELETE_JOBS, partner_id);
    await database.run(NOTE_REMOVAL, partner_id, now.getTime());
    await registry.removeUsage(partner_id);
    await registry.remove(partner);
    return {
      ok: true,
      json: { partner_id, status: "removed" },
      text: `Removed ${partner_id}: its users, files, keys and settings.`,
    };
  } finally {
    await opened.close();
  }
}

const pendingSchema = z.tuple([z.object({ users: z.number() })]);
const usersSchema = z.array(z.object({ user_id: z.string() }));

/** Begins the erasure of all users that the query finds, page by page. Returns how many. */
async function eraseUsers(database: Database, partnerId: string, query: string, now: Date): Promise<number> {
  let users = 0;
  let after = "";
  for (;;) {
    const ids = usersSchema.parse(await database.run(query, partnerId, after)).map(({ user_id }) => user_id);
    if (ids.length > 0) {
      await database.run(BEGIN_ERASURES, partnerId, now.getTime(), erasuresValue(partnerId, ids));
    }
    users += ids.length;
    const last = ids.at(-1);
    if (last === undefined || ids.length < USERS_PER_STATEMENT) return users;
    after = last;
  }
}

function stillRunning(partnerId: string, users: number): CommandOutput {
  const minutes = NEXT_SWEEP_AFTER_MS / 60_000;
  return {
    ok: true,
    json: { partner_id: partnerId, status: "removing", users },
    text: [
      `${partnerId} is suspended. The service is erasing its users: ${users} are not complete.`,
      `Each user is searched a second time ${minutes} minutes after its data is deleted. Run this command again then.`,
    ].join("\n"),
  };
}

function suspendedOnly(partnerId: string): CommandOutput {
  return {
    ok: true,
    json: { partner_id: partnerId, status: "removing", users: 0 },
    text: `${partnerId} is suspended, and has no users. Requests that began before the suspension can write until ${REQUESTS_END_AFTER_MS / MINUTE_MS} minutes after it. Run this command again then.`,
  };
}
