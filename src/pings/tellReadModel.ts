import { collectorNamed } from "../collector/client.ts";
import { settleAll, valuesOf } from "../concurrency/settleAll.ts";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { erasuresOf, readErasures } from "../erasure/read.ts";
import { USER_ERASED, type UserErased } from "../erasure/userErased.ts";
import { pingFieldsOf } from "../files/pingFields.pure.ts";
import { projectFiles, projectPinged, type FileProjection, type PingedFile } from "../files/write.ts";
import { userHash } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import { touchUsers, type UserPing } from "../users/write.ts";
import { COLLECTORS_AT_ONCE, type TakenGroup } from "./groupPings.ts";

/**
 * One batch of statements for all files of the request; if the database is down, the collectors tell it later.
 */
export async function tellReadModel(
  env: Env,
  partnerId: string,
  taken: readonly TakenGroup[],
  nowMs: number,
): Promise<{ ok: true } | UserErased> {
  if (taken.length === 0) return TOLD;
  const database = databaseFor(env, partnerId);
  const { pinged, repeated, anyRepeats, users } = tidingsOf(partnerId, taken, nowMs);
  const { writes, lists } = projectPinged(database, partnerId, pinged, nowMs);
  let erasures: ReadonlyMap<string, number>;
  try {
    const results = await database.batch([
      ...writes,
      ...lists,
      ...projectFiles(database, partnerId, repeated),
      ...touchUsers(database, partnerId, users),
    ]);
    const written = results.slice(0, writes.length).reduce((rows, { meta }) => rows + meta.changes, 0);
    // New files that all have their row have met no erasure; of repetitions no row would tell.
    if (!anyRepeats && written === pinged.length) return TOLD;
    erasures = erasuresOf(
      await readErasures(
        database,
        partnerId,
        users.map((user) => user.user_hash),
      ).all(),
    );
  } catch (fault) {
    logLine({ unit: "setback", outcome: "projected_later", partner_id: partnerId, fault: faultName(fault) });
    const later = await settleAll(taken, COLLECTORS_AT_ONCE, async ({ group }) =>
      collectorNamed(env, group.collector).projectLater(group.entries.map((entry) => entry.file_id)),
    );
    valuesOf(later);
    return TOLD;
  }
  return meetErasures(env, erasures, taken);
}

const TOLD = { ok: true } as const;

/** What the read model should hear of a request. */
interface Tidings {
  /** Files whose newest version came with it, each once. */
  pinged: PingedFile[];
  /** Files that it repeats, as far as the read model may not have heard of them. */
  repeated: FileProjection[];
  anyRepeats: boolean;
  users: UserPing[];
}

function tidingsOf(partnerId: string, taken: readonly TakenGroup[], nowMs: number): Tidings {
  const pinged = new Map<string, PingedFile>();
  const repeated: FileProjection[] = [];
  const users = new Map<string, UserPing>();
  let anyRepeats = false;
  for (const { group, accepted } of taken) {
    const { user_id, source } = group.names;
    const user_hash = userHash(partnerId, user_id);
    const user = users.get(user_id) ?? { user_id, user_hash, version: 0, pinged_at: nowMs };
    users.set(user_id, user);
    for (const [index, { file_id, summary_id, submission }] of group.entries.entries()) {
      const answer = accepted[index];
      if (answer === undefined) continue;
      const { version } = answer;
      user.version = Math.max(user.version, version);
      const names = { file_id, user_id, user_hash, source, summary_id };
      if (answer.taken === null) {
        anyRepeats = true;
        if (answer.state !== null) repeated.push({ ...names, ...answer.state });
        continue;
      }
      pinged.set(file_id, {
        ...names,
        ...pingFieldsOf(submission),
        status: answer.status,
        version,
        ...answer.taken,
      });
    }
  }
  return {
    pinged: [...pinged.values()],
    repeated,
    anyRepeats,
    users: [...users.values()],
  };
}

/**
 * A collector that an erasure has not visited yet may have taken these pings for repetitions of what is erased,
 * or given them versions from before it, by a clock that is behind. Nothing may live there, and nothing was
 * answered yet: once the collector knows, the request may be repeated and its pings begin afresh.
 */
async function meetErasures(
  env: Env,
  erasures: ReadonlyMap<string, number>,
  taken: readonly TakenGroup[],
): Promise<{ ok: true } | UserErased> {
  let met = false;
  for (const { group, accepted } of taken) {
    const bound = erasures.get(userHash(group.names.partner_id, group.names.user_id)) ?? 0;
    if (!accepted.some(({ version }) => version <= bound)) continue;
    await collectorNamed(env, group.collector).erase(bound);
    met = true;
  }
  return met ? USER_ERASED : TOLD;
}
