import { collectorNamed } from "../collector/client.ts";
import { settleAll, valuesOf } from "../concurrency/settleAll.ts";
import type { Env } from "../env.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import type { Partner } from "../partners/partner.ts";
import type { AcceptedFile } from "./acceptedPings.ts";
import { COLLECTORS_AT_ONCE, groupPings, type Group, type TakenGroup } from "./groupPings.ts";
import type { ValidPing } from "./ping.ts";

/** Inline files are stored this many at a time: as many connections as an invocation may open at once. */
const STORE_AT_ONCE = 6;

/**
 * Takes pings for good: once resolved, live rides are in the queue. Answers in the request's order.
 * Throws when a store is down; what was accepted stays accepted, and repeating the same pings does no harm.
 */
export async function acceptPings(
  env: Env,
  partner: Partner,
  pings: readonly ValidPing[],
  nowMs: number,
): Promise<AcceptedFile[]> {
  const { partner_id } = partner;
  const groups = groupPings(partner_id, pings, nowMs);
  const inlineKeys = await storeInlineBytes(env, groups, pings);
  const results = await settleAll(groups, COLLECTORS_AT_ONCE, async (group) => ({
    group,
    accepted: await collectorNamed(env, group.collector).accept(group.names, group.entries),
  }));
  const taken = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  await dropUntakenBytes(env, taken, inlineKeys);
  valuesOf(results);
  return inOrder(
    pings,
    taken.map(({ group, accepted }) => ({ group, statuses: accepted.statuses })),
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
  const results = await settleAll(groups, COLLECTORS_AT_ONCE, async (group) => ({
    group,
    statuses: await collectorNamed(env, group.collector).previewPings(group.names, group.entries),
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

/** Bytes are stored before any collector names them; the keys answer which ones came with this request. */
async function storeInlineBytes(
  env: Env,
  groups: readonly Group[],
  pings: readonly ValidPing[],
): Promise<Set<string>> {
  const puts: { key: string; bytes: Uint8Array }[] = [];
  for (const group of groups) {
    for (const [index, place] of group.places.entries()) {
      const key = group.entries[index]?.submission.object_key;
      const bytes = pings[place]?.inline;
      if (key != null && bytes != null) puts.push({ key, bytes });
    }
  }
  valuesOf(await settleAll(puts, STORE_AT_ONCE, async ({ key, bytes }) => env.FILES.put(key, bytes)));
  return new Set(puts.map((put) => put.key));
}

/** Inline bytes of duplicates are named by nobody. What is missed here is swept after an hour. */
async function dropUntakenBytes(
  env: Env,
  taken: readonly TakenGroup[],
  inlineKeys: ReadonlySet<string>,
): Promise<void> {
  const untaken = taken.flatMap(({ group, accepted }) =>
    accepted.repeats.flatMap((index) => {
      const key = group.entries[index]?.submission.object_key ?? null;
      return key !== null && inlineKeys.has(key) ? [key] : [];
    }),
  );
  if (untaken.length === 0) return;
  await deleteObjects(env.FILES, untaken).catch(() => undefined);
}
