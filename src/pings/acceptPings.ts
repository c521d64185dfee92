import { createHash } from "node:crypto";
import type { AcceptedEntry, CollectorNames, PingEntry } from "../collector/calls.ts";
import { settleAll, valuesOf } from "../concurrency.ts";
import { databaseFor } from "../database.ts";
import type { Env } from "../env.ts";
import { deleteObjects, inlineKey } from "../files/objectKeys.ts";
import { projectFiles, type FileProjection } from "../files/write.ts";
import { collectorName, fileId, randomId, userHash } from "../identifiers.ts";
import { faultName, logSetback } from "../log.ts";
import type { Partner } from "../partners/partner.ts";
import { erasuresOf, readErasures, touchUsers, type UserPing } from "../users/write.ts";
import type { ValidPing } from "./ping.ts";

export interface AcceptedFile {
  file_id: string;
  user_id: string;
  source: string;
  summary_id: string;
  status: "queued" | "held" | "duplicate";
}

/** Pings of one user and source, which one collector takes in one turn. */
interface Group {
  names: CollectorNames;
  collector: string;
  /** Where each ping stood in the request. */
  places: number[];
  entries: PingEntry[];
}

/** Inline files are stored this many at a time: as many connections as an invocation may open at once. */
const STORE_AT_ONCE = 6;
/** A request may name thousands of users; their collectors are called this many at a time. */
const COLLECTORS_AT_ONCE = 50;

/**
 * Takes pings for good: once resolved, live rides are in the queue. Answers in the request's order.
 * `ownHost` is where the request came in: no download leads back there.
 * Throws when a store is down; what was taken stays taken, and repeating the same pings does no harm.
 */
export async function acceptPings(
  env: Env,
  partner: Partner,
  pings: readonly ValidPing[],
  ownHost: string,
  nowMs: number,
): Promise<AcceptedFile[]> {
  const groups = groupPings(partner.partner_id, pings, nowMs);
  const inlineKeys = await storeInlineBytes(env, groups, pings);
  const results = await settleAll([...groups.values()], COLLECTORS_AT_ONCE, async (group) => ({
    group,
    accepted: await collectorOf(env, group).accept(group.names, group.entries, ownHost),
  }));
  const taken = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  await tellReadModel(env, partner.partner_id, taken, nowMs);
  await dropUntakenBytes(env, taken, inlineKeys);
  valuesOf(results);
  return inOrder(
    pings,
    taken.map(({ group, accepted }) => ({ group, statuses: accepted.map((entry) => entry.status) })),
  );
}

/** What `acceptPings` would answer at this moment, as far as the collectors know; takes and stores nothing. */
export async function previewPings(
  env: Env,
  partner: Partner,
  pings: readonly ValidPing[],
  nowMs: number,
): Promise<AcceptedFile[]> {
  const groups = groupPings(partner.partner_id, pings, nowMs);
  const results = await settleAll([...groups.values()], COLLECTORS_AT_ONCE, async (group) => ({
    group,
    statuses: await collectorOf(env, group).previewPings(group.names, group.entries),
  }));
  return inOrder(pings, valuesOf(results));
}

/** The answers of all groups, each at the place where its ping stood in the request. */
function inOrder(
  pings: readonly ValidPing[],
  answered: readonly { group: Group; statuses: readonly AcceptedFile["status"][] }[],
): AcceptedFile[] {
  const answers: AcceptedFile[] = [];
  for (const { group, statuses } of answered) {
    for (const [index, place] of group.places.entries()) {
      const ping = pings[place];
      const entry = group.entries[index];
      const status = statuses[index];
      if (ping === undefined || entry === undefined || status === undefined) continue;
      const { user_id, source, summary_id } = ping;
      answers[place] = { file_id: entry.file_id, user_id, source, summary_id, status };
    }
  }
  return answers;
}

function groupPings(partnerId: string, pings: readonly ValidPing[], nowMs: number): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const [place, ping] of pings.entries()) {
    const key = JSON.stringify([ping.user_id, ping.source]);
    let group = groups.get(key);
    if (group === undefined) {
      const names = { partner_id: partnerId, user_id: ping.user_id, source: ping.source };
      group = {
        names,
        collector: collectorName(partnerId, ping.user_id, ping.source),
        places: [],
        entries: [],
      };
      groups.set(key, group);
    }
    const file_id = fileId({
      partnerId,
      userId: ping.user_id,
      source: ping.source,
      summaryId: ping.summary_id,
    });
    group.places.push(place);
    group.entries.push({
      file_id,
      summary_id: ping.summary_id,
      submission: {
        // Half of a surrogate pair is no text that a store could keep; a title is kept as far as it is one.
        activity_name: ping.activity_name?.toWellFormed() ?? null,
        priority: ping.priority,
        overwrite_mode: ping.overwrite_mode,
        start_time_in_seconds: ping.start_time_in_seconds,
        callback_url: ping.inline === null ? ping.callback_url : null,
        object_key: ping.inline === null ? null : inlineKey(group.collector, file_id, randomId(), nowMs),
        digest: digestOf(ping),
        received_at: nowMs,
      },
    });
  }
  return groups;
}

/** Equal only for pings that are equal in all nine fields. */
function digestOf(ping: ValidPing): string {
  const fields = [
    ping.file_type,
    ping.activity_name,
    ping.priority,
    ping.user_id,
    ping.source,
    ping.overwrite_mode,
    ping.start_time_in_seconds,
    ping.callback_url,
    ping.summary_id,
  ];
  return createHash("sha256").update(JSON.stringify(fields)).digest("base64url");
}

/** Bytes are stored before any collector names them; the keys answer which ones came with this request. */
async function storeInlineBytes(
  env: Env,
  groups: ReadonlyMap<string, Group>,
  pings: readonly ValidPing[],
): Promise<Set<string>> {
  const puts: { key: string; bytes: Uint8Array }[] = [];
  for (const group of groups.values()) {
    for (const [index, place] of group.places.entries()) {
      const key = group.entries[index]?.submission.object_key;
      const bytes = pings[place]?.inline;
      if (key != null && bytes != null) puts.push({ key, bytes });
    }
  }
  valuesOf(await settleAll(puts, STORE_AT_ONCE, async ({ key, bytes }) => env.FILES.put(key, bytes)));
  return new Set(puts.map((put) => put.key));
}

function collectorOf(env: Env, group: Group) {
  return env.COLLECTOR.getByName(group.collector);
}

/** One batch of statements for all files of the request; if the database is down, the collectors tell it later. */
async function tellReadModel(
  env: Env,
  partnerId: string,
  taken: readonly { group: Group; accepted: AcceptedEntry[] }[],
  nowMs: number,
): Promise<void> {
  const newest = new Map<string, FileProjection>();
  const users = new Map<string, UserPing>();
  for (const { group, accepted } of taken) {
    const { user_id } = group.names;
    const user = users.get(user_id) ?? {
      user_id,
      user_hash: userHash(partnerId, user_id),
      version: 0,
      pinged_at: nowMs,
    };
    for (const { file_id, version, projection } of accepted) {
      user.version = Math.max(user.version, version);
      if (projection !== null) newest.set(file_id, projection);
    }
    users.set(user_id, user);
  }
  if (users.size === 0) return;
  const database = databaseFor(env, partnerId, null);
  let results: D1Result[];
  try {
    results = await database.batch([
      ...projectFiles(database, partnerId, [...newest.values()]),
      ...touchUsers(database, partnerId, [...users.values()]),
      readErasures(database, partnerId, [...users.values()]),
    ]);
  } catch (fault) {
    logSetback("projected_later", { partner_id: partnerId, fault: faultName(fault) });
    const later = await settleAll(taken, COLLECTORS_AT_ONCE, async ({ group }) =>
      collectorOf(env, group).projectLater(group.entries.map((entry) => entry.file_id)),
    );
    valuesOf(later);
    return;
  }
  await meetErasures(env, erasuresOf(results.at(-1)), taken);
}

/**
 * A collector that an erasure has not visited yet may have taken these pings for repetitions of what is erased,
 * or given them versions from before it, by a clock that is behind. Nothing may live there, and nothing was
 * answered yet: once the collector knows, the request may be repeated and its pings begin afresh.
 */
async function meetErasures(
  env: Env,
  erasures: ReadonlyMap<string, number>,
  taken: readonly { group: Group; accepted: AcceptedEntry[] }[],
): Promise<void> {
  let met = false;
  for (const { group, accepted } of taken) {
    const bound = erasures.get(userHash(group.names.partner_id, group.names.user_id)) ?? 0;
    if (!accepted.some(({ version }) => version <= bound)) continue;
    await collectorOf(env, group).erase(bound);
    met = true;
  }
  if (met) throw new Error("a user was erased while being pinged");
}

/** Inline bytes of duplicates are named by nobody. What is missed here is swept after an hour. */
async function dropUntakenBytes(
  env: Env,
  taken: readonly { group: Group; accepted: AcceptedEntry[] }[],
  inlineKeys: ReadonlySet<string>,
): Promise<void> {
  const untaken = taken.flatMap(({ group, accepted }) =>
    group.entries.flatMap((entry, index) => {
      const key = entry.submission.object_key;
      return key !== null && inlineKeys.has(key) && accepted[index]?.object_taken === false ? [key] : [];
    }),
  );
  await deleteObjects(env.FILES, untaken).catch(() => undefined);
}
