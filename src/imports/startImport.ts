import { databaseFor } from "../database.ts";
import type { Env } from "../env.ts";
import { collectorName, fileId, newImportId } from "../identifiers.ts";
import { faultName, logUnit } from "../log.ts";
import type { Partner } from "../partners/partner.ts";
import { NO_EVENT_URL, type ImportAnswer } from "./answers.ts";
import type { Task } from "./task.ts";
import { projectImport, type ImportProjection } from "./write.ts";

/**
 * Releases all that is held for the task's user and source as one import; a task that was carried out already
 * answers the import it started then. Throws when the collector cannot be reached; repeating it is harmless.
 */
export async function startImport(env: Env, partner: Partner, task: Task): Promise<ImportAnswer> {
  const partnerId = partner.partner_id;
  const { user_id, source } = task;
  const collector = env.COLLECTOR.getByName(collectorName(partnerId, user_id, source));
  const event_id = task.event_id ?? null;
  const started = await collector.startImport(
    { partner_id: partnerId, user_id, source },
    {
      import_id: newImportId(partnerId, user_id),
      event_id,
      is_initial_import: task.is_initial_import,
      expected:
        task.expected_summary_ids?.map((summaryId) => ({
          file_id: fileId({ partnerId, userId: user_id, source, summaryId }),
          summary_id: summaryId,
        })) ?? null,
    },
  );
  const row: ImportProjection = started.import;
  await tellReadModel(env, partnerId, row);
  const warnings = event_id !== null && partner.event_url === null ? [NO_EVENT_URL] : [];
  return importAnswer(row, started.repeated, warnings);
}

/** If the database is down, the collector's alarm tells it later. */
async function tellReadModel(env: Env, partnerId: string, row: ImportProjection): Promise<void> {
  try {
    await projectImport(databaseFor(env, partnerId, row.import_id), partnerId, row).run();
  } catch (fault) {
    logUnit("request", {
      partner_id: partnerId,
      import_id: row.import_id,
      outcome: "projected_later",
      fault: faultName(fault),
    });
  }
}

function importAnswer(row: ImportProjection, repeated: boolean, warnings: string[]): ImportAnswer {
  const { import_id, user_id, source, is_initial_import, event_id, status, missing_summary_ids } = row;
  const { total, imported, skipped, failed } = row;
  return {
    import_id,
    user_id,
    source,
    is_initial_import,
    event_id,
    status,
    files: { total, pending: total - imported - skipped - failed, imported, skipped, failed },
    ...(missing_summary_ids === null ? {} : { missing_summary_ids }),
    repeated,
    warnings,
  };
}
