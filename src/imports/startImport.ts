import type { CollectorNames, StartedImport, TaskEntry } from "../collector/calls.ts";
import { collectorFor } from "../collector/client.ts";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { boundOf, readErased } from "../erasure/read.ts";
import { USER_ERASED, type UserErased } from "../erasure/userErased.ts";
import { fileId, newImportId } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import { introduceSources } from "../sources/write.ts";
import type { Task } from "./task.ts";
import { projectImport, replaceMissing } from "./write.ts";

/**
 * Releases everything held for the task's user and source as one import. A repeated task returns the import that it
 * started before. Throws when a store cannot be reached; the caller may repeat it.
 */
export async function startImport(
  env: Env,
  partnerId: string,
  task: Task,
): Promise<{ ok: true; outcome: StartedImport } | UserErased> {
  const names = namesOf(partnerId, task);
  const started: StartedImport = await collectorFor(env, names).startImport(names, entryOf(partnerId, task));
  const erasedBefore = await writeImport(env, partnerId, started, missingOf(task, started.missing));
  if (started.import.requested_at <= erasedBefore) {
    // The erasure's clock was ahead of the collector's, and it has not reached the collector. Erase, so that a
    // repeated task starts a new import.
    await collectorFor(env, names).applyMissedErasure(erasedBefore);
    return USER_ERASED;
  }
  return { ok: true, outcome: started };
}

/** Returns what `startImport` would return now, with an import_id that names no import. */
export async function previewImport(env: Env, partnerId: string, task: Task): Promise<StartedImport> {
  const names = namesOf(partnerId, task);
  return collectorFor(env, names).previewImport(names, entryOf(partnerId, task));
}

/** Returns the expected summary_ids at these indexes, or null when the task has no `expected_summary_ids`. */
export function missingOf(task: Task, places: readonly number[] | null): string[] | null {
  const expected = task.expected_summary_ids;
  if (places === null || expected === undefined) return null;
  return places.flatMap((place) => expected[place] ?? []);
}

function namesOf(partnerId: string, { user_id, source }: Task): CollectorNames {
  return { partner_id: partnerId, user_id, source };
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
  partnerId: string,
  { import: row, first_contact }: StartedImport,
  missing: string[] | null,
): Promise<number> {
  const database = databaseFor(env, partnerId);
  try {
    const results = await database.batch([
      projectImport(database, partnerId, row),
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
