import type { CollectorNames, StartedImport, TaskEntry } from "../collector/calls.ts";
import { collectorFor } from "../collector/client.ts";
import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { boundOf, readErased } from "../erasure/read.ts";
import { USER_ERASED, type UserErased } from "../erasure/userErased.ts";
import { fileId, newImportId } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import { introduceSources } from "../sources/write.ts";
import type { Task } from "./task.ts";
import { heldUnderOtherSource } from "./otherSources.ts";
import { projectImports, replaceMissing } from "./write.ts";

/**
 * Releases everything held for the task's user and source as one import. A repeated task returns the import that it
 * started before. Throws when a store cannot be reached; the caller may repeat it.
 */
export async function startImport(
  env: Env,
  owner: Owner,
  task: Task,
): Promise<{ ok: true; outcome: StartedImport } | UserErased> {
  const names = namesOf(owner, task);
  const started = await release(env, names, entryOf(owner.partner_id, task));
  const erasedBefore = await writeImport(env, owner, started, missingOf(task, started.missing));
  if (started.import.requested_at <= erasedBefore) {
    // The erasure's clock was ahead of the collector's, and it has not reached the collector. Erase, so that a
    // repeated task starts a new import.
    await collectorFor(env, names).applyMissedErasure(erasedBefore);
    return USER_ERASED;
  }
  return { ok: true, outcome: started };
}

/**
 * Starts the import in the collector. When nothing is held, looks at the user's other sources first, so that the import
 * and its event can name them.
 */
async function release(env: Env, names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
  const collector = collectorFor(env, names);
  const started = await collector.startImport(names, { ...task, unless_empty: true });
  if (started.not_started !== true) return started;
  const held_under_other_source = await heldUnderOtherSource(env, names);
  return collector.startImport(names, { ...task, held_under_other_source });
}

/** Returns what `startImport` would return now, with an import_id that names no import. */
export async function previewImport(env: Env, owner: Owner, task: Task): Promise<StartedImport> {
  const names = namesOf(owner, task);
  const preview = await collectorFor(env, names).previewImport(names, entryOf(owner.partner_id, task));
  if (preview.repeated || preview.import.total > 0) return preview;
  const held_under_other_source = await heldUnderOtherSource(env, names);
  return { ...preview, import: { ...preview.import, held_under_other_source } };
}

/** Returns the expected summary_ids at these indexes, or null when the task has no `expected_summary_ids`. */
export function missingOf(task: Task, places: readonly number[] | null): string[] | null {
  const expected = task.expected_summary_ids;
  if (places === null || expected === undefined) return null;
  return places.flatMap((place) => expected[place] ?? []);
}

function namesOf({ partner_id, database }: Owner, { user_id, source }: Task): CollectorNames {
  return { partner_id, database, user_id, source };
}

function entryOf(partnerId: string, task: Task): TaskEntry {
  const { user_id: userId, source } = task;
  return {
    import_id: newImportId(partnerId, userId, source),
    event_id: task.event_id ?? null,
    is_initial_import: task.is_initial_import,
    expected:
      task.expected_summary_ids?.map((summaryId) => fileId({ partnerId, userId, source, summaryId })) ?? null,
  };
}

/**
 * Writes a started import to the read model. Returns the bound of the user's last erasure, or 0. When D1 fails, the
 * collector's alarm projects the import later. The collector does not store missing summary_ids: with these the function
 * throws, and the repeated task writes them.
 */
async function writeImport(
  env: Env,
  owner: Owner,
  { import: row, first_contact }: StartedImport,
  missing: string[] | null,
): Promise<number> {
  const partnerId = owner.partner_id;
  const database = databaseFor(env, owner);
  try {
    const results = await database.batch([
      ...projectImports(database, partnerId, [row]),
      ...(missing === null ? [] : replaceMissing(database, partnerId, row.import_id, missing)),
      ...introduceSources(database, partnerId, first_contact ? [{ ...row, version: row.requested_at }] : []),
      readErased(database, partnerId, row.user_hash),
    ]);
    return boundOf(results.at(-1));
  } catch (fault) {
    if (missing !== null) throw fault;
    logLine({
      unit: "setback",
      outcome: "projected_later",
      partner_id: partnerId,
      import_id: row.import_id,
      fault: faultName(fault),
    });
    return 0;
  }
}
