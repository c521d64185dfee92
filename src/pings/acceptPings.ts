import { collectorNamed } from "../collector/client.ts";
import { settleAll, valuesOf } from "../concurrency/settleAll.ts";
import type { Env } from "../env.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import type { Partner } from "../partners/partner.ts";
import type { AcceptedFile } from "./acceptedPings.ts";
import { COLLECTORS_AT_ONCE, groupPings, type Group, type AcceptedGroup } from "./groupPings.ts";
import type { ValidPing } from "./ping.ts";

/** Number of inline files that are stored at a time: the platform's limit of open connections per invocation. */
const STORE_AT_ONCE = 6;

/**
 * Accepts pings durably and returns their files in the request's order. Live rides are in the queue when it returns.
 * Throws if a store is unavailable. Some pings may be accepted by then; repeating the same pings is safe.
 */
export async function acceptPings(
  env: Env,
  partner: Partner,
  pings: readonly ValidPing[],
  nowMs: number,
): Promise<AcceptedFile[]> {
  const groups = groupPings(partner, pings, nowMs);
  const settings = { prefetch: partner.prefetch_held };
  const inlineKeys = await storeInlineBytes(env, groups, pings);
  const results = await settleAll(groups, COLLECTORS_AT_ONCE, async (group) => ({
    group,
    accepted: await collectorNamed(env, group.collector).accept(group.names, group.entries, settings),
  }));
  const accepted = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  await deleteUnusedBytes(env, accepted, inlineKeys);
  valuesOf(results);
  return filesInOrder(
    pings,
    accepted.map(({ group, accepted: { statuses } }) => ({ group, statuses })),
  );
}

/** Returns what `acceptPings` would return now, as far as the collectors know. Accepts and stores nothing. */
export async function previewPings(
  env: Env,
  partner: Partner,
  pings: readonly ValidPing[],
  nowMs: number,
): Promise<AcceptedFile[]> {
  const groups = groupPings(partner, pings, nowMs);
  const results = await settleAll(groups, COLLECTORS_AT_ONCE, async (group) => ({
    group,
    statuses: await collectorNamed(env, group.collector).previewPings(group.names, group.entries),
  }));
  return filesInOrder(pings, valuesOf(results));
}

/** Returns the files of all groups, in the order of their pings in the request. */
function filesInOrder(
  pings: readonly ValidPing[],
  judged: readonly { group: Group; statuses: readonly AcceptedFile["status"][] }[],
): AcceptedFile[] {
  const files: AcceptedFile[] = [];
  for (const { group, statuses } of judged) {
    for (const [index, position] of group.positions.entries()) {
      const ping = pings[position];
      const entry = group.entries[index];
      const status = statuses[index];
      if (ping === undefined || entry === undefined || status === undefined) continue;
      const { user_id, source, summary_id } = ping;
      files[position] = { file_id: entry.file_id, user_id, source, summary_id, status };
    }
  }
  return files;
}

/** Stores the bytes of inline files, before a collector refers to them. Returns their keys. */
async function storeInlineBytes(
  env: Env,
  groups: readonly Group[],
  pings: readonly ValidPing[],
): Promise<Set<string>> {
  const puts: { key: string; bytes: Uint8Array }[] = [];
  for (const group of groups) {
    for (const [index, position] of group.positions.entries()) {
      const key = group.entries[index]?.submission.object_key;
      const bytes = pings[position]?.inline;
      if (key != null && bytes != null) puts.push({ key, bytes });
    }
  }
  valuesOf(await settleAll(puts, STORE_AT_ONCE, async ({ key, bytes }) => env.FILES.put(key, bytes)));
  return new Set(puts.map((put) => put.key));
}

/** Deletes the inline bytes of duplicates and superseded pings: no file refers to them. A sweep deletes those that are missed here. */
async function deleteUnusedBytes(
  env: Env,
  acceptedGroups: readonly AcceptedGroup[],
  inlineKeys: ReadonlySet<string>,
): Promise<void> {
  const unused = acceptedGroups.flatMap(({ group, accepted }) =>
    accepted.repeats.flatMap((index) => {
      const key = group.entries[index]?.submission.object_key ?? null;
      return key !== null && inlineKeys.has(key) ? [key] : [];
    }),
  );
  if (unused.length === 0) return;
  await deleteObjects(env.FILES, unused).catch(() => undefined);
}
