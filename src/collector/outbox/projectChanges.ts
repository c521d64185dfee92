import { withTimeout } from "../../concurrency/withTimeout.ts";
import { boundOf, readErased } from "../../erasure/read.ts";
import { projectEdits, projectFiles } from "../../files/write.ts";
import { projectImports } from "../../imports/write.ts";
import { mustReport, readWanted, wantedOf, type WantedOutcomes } from "../../outcomes/read.ts";
import { introduceSources, relistSource } from "../../sources/write.ts";
import { touchUsers } from "../../users/write.ts";
import { projectionOf } from "../files/projection.pure.ts";
import type { FileVersions } from "../files/versions.pure.ts";
import { importProjection, needsProjection } from "../imports/import.pure.ts";
import { markProjected } from "../imports/markProjected.ts";
import type { CollectorTurn } from "../turn.ts";
import type { OutboxEntry } from "./entry.ts";
import type { ApplyMissedErasure } from "./applyMissedErasure.ts";
import type { UnprojectedDispatches } from "./unprojectedDispatches.ts";

/** Maximum time that a database without a response delays the alarm's other work. */
export const DATABASE_DEADLINE_MS = 30_000;
/** Maximum number of live ride dispatches that one alarm projects. */
export const DISPATCHES_PER_ALARM = 500;
/** Maximum number of imports that one alarm projects. */
const IMPORTS_PER_ALARM = 100;

/**
 * Writes changes to the read model in one batch: files, the progress of imports, the user's last ping, and the source.
 * Skips files that the importer has made readable, because it has written them and their user, except their edits.
 * Returns whether an endpoint of the partner wants to receive the failures or edits.
 */
export async function projectChanges(
  { storage, identity }: CollectorTurn,
  entries: readonly { seq: number; entry: OutboxEntry }[],
  database: D1Database,
  unprojected: UnprojectedDispatches,
  applyMissedErasure: ApplyMissedErasure,
): Promise<boolean> {
  const dispatches = unprojected.first(DISPATCHES_PER_ALARM);
  const fileIds = new Set(dispatches.flatMap(({ files }) => files.map(([fileId]) => fileId)));
  const touches: { version: number; pinged_at: number }[] = [];
  const written: number[] = [];
  for (const { seq, entry } of entries) {
    if (entry.kind === "project_files") for (const fileId of entry.file_ids) fileIds.add(fileId);
    else if (entry.kind === "touch_user") touches.push(entry);
    else continue;
    written.push(seq);
  }
  const found = [...storage.files.read([...fileIds]).values()];
  const edited = found.flatMap((file) => (file.edits === null ? [] : projectionOf(identity, file)));
  const files = found
    .filter((file) => !isWrittenByImporter(file))
    .map((file) => projectionOf(identity, file));
  touches.push(...files.map(({ version, received_at }) => ({ version, pinged_at: received_at })));
  const imports = storage.imports.all().filter(needsProjection).slice(0, IMPORTS_PER_ALARM);
  const versions = [
    ...touches.map(({ version }) => version),
    ...edited.map(({ version }) => version),
    ...imports.map(({ requested_at }) => requested_at),
  ];
  const { isIntroduced } = storage.identity;
  const version = isIntroduced ? greatest(versions) : storage.newestVersion();

  const { partner_id } = identity;
  const statements = [
    ...projectFiles(database, partner_id, files),
    ...projectEdits(database, partner_id, edited),
    ...projectImports(
      database,
      partner_id,
      imports.map((row) => importProjection(identity, row)),
    ),
    ...touchUsers(
      database,
      partner_id,
      touches.length === 0
        ? []
        : [
            {
              ...identity,
              version: greatest(touches.map(({ version }) => version)),
              pinged_at: greatest(touches.map(({ pinged_at }) => pinged_at)),
            },
          ],
    ),
  ];
  const toReport = [...files.filter(({ status }) => status === "failed"), ...edited];
  const wantedAt = statements.length;
  if (toReport.length > 0) statements.push(readWanted(database, partner_id));
  let bound = 0;
  let wanted: WantedOutcomes = "none";
  const source = { ...identity, version };
  if (!isIntroduced && version > 0) statements.push(...introduceSources(database, partner_id, [source]));
  else if (statements.length > 0) statements.push(...relistSource(database, partner_id, source));
  if (statements.length > 0) {
    const results = await withTimeout(
      DATABASE_DEADLINE_MS,
      database.batch([...statements, readErased(database, partner_id, identity.user_hash)]),
    );
    bound = boundOf(results.at(-1));
    if (toReport.length > 0) wanted = wantedOf(results[wantedAt]);
  }
  // Before entries are removed: if this throws, the next alarm repeats the batch and finds the erasure again.
  await applyMissedErasure(bound);
  storage.outbox.remove(written);
  unprojected.forget(dispatches.map(({ dispatch_id }) => dispatch_id));
  for (const row of imports) markProjected(storage, row, row.announced);
  // An erasure meanwhile may have deleted the source that this batch listed.
  if (!isIntroduced && version > storage.erasedBefore) storage.identity.noteIntroduction();
  return mustReport(wanted, toReport);
}

function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** Returns whether the newest version was imported. Then the importer has written it with the reported revision. */
function isWrittenByImporter({ held, current }: FileVersions): boolean {
  return held === null && current?.state === "imported";
}
