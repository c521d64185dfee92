import { newImportId } from "../identifiers.ts";
import type { CollectorNames } from "../collector/calls.ts";
import { collectorFor } from "../collector/client.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import { withTimeout } from "../concurrency/withTimeout.ts";
import { MAX_OTHER_SOURCES } from "../contract/limits.ts";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { faultName, logLine } from "../log.ts";
import { readSources } from "../sources/read.ts";

/** Maximum time that a task waits for other collectors. */
const DEADLINE_MS = 2_000;
/** Number of collectors that are asked at the same time. */
const PARALLEL = 5;

/**
 * Returns the user's other sources with held files, by name. A source is listed in D1 before its first ping is accepted,
 * and its collector knows pings that D1 does not have yet. Asks at most `MAX_OTHER_SOURCES` collectors. Null when a store
 * did not respond, or more sources exist, and none of those asked has held files. Never throws: the task works without it.
 */
export async function heldUnderOtherSource(env: Env, names: CollectorNames): Promise<string[] | null> {
  const held: string[] = [];
  let isComplete = false;
  try {
    isComplete = await withTimeout(DEADLINE_MS, askOthers(env, names, held));
  } catch (fault) {
    logLine({
      unit: "setback",
      outcome: "other_sources_unknown",
      partner_id: names.partner_id,
      fault: faultName(fault),
    });
  }
  return held.length === 0 && !isComplete ? null : [...held].sort();
}

/** Adds each other source with held files to `held`. Returns whether every other source has responded. */
async function askOthers(env: Env, names: CollectorNames, held: string[]): Promise<boolean> {
  const { partner_id, user_id } = names;
  const listed = await readSources(databaseFor(env, names), partner_id, user_id, "", MAX_OTHER_SOURCES + 2);
  const others = listed.filter((source) => source !== names.source);
  const asked = others.slice(0, MAX_OTHER_SOURCES);
  const answers = await settleAll(asked, PARALLEL, async (source) => {
    if (await hasHeld(env, { ...names, source })) held.push(source);
  });
  const failed = answers.find((answer) => answer.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return others.length === asked.length;
}

/** Returns whether a task for this source would release files. */
async function hasHeld(env: Env, names: CollectorNames): Promise<boolean> {
  const import_id = newImportId(names.partner_id, names.user_id, names.source);
  const task = { import_id, event_id: null, is_initial_import: false, expected: null };
  const { import: row, repeated } = await collectorFor(env, names).previewImport(names, task);
  return !repeated && row.total > row.skipped;
}
