import { collectorListed } from "../../collector/client.ts";
import { identityOf } from "../../collector/identity.ts";
import { databaseFor } from "../../database/databases.ts";
import type { Job, JobKind, JobPage } from "../jobs/job.ts";
import { nextCollector } from "./findCollectors.ts";
import { projectPage } from "./projectPage.ts";
import { againParametersSchema, parsePosition, type AgainParameters, type Position } from "./write.ts";

/** Number of files in one page: as many as an importer makes readable in one transaction. */
const PAGE_FILES = 25;

/** Writes what the read model has lost, collector after collector. A page finds a collector, or has some of its files. */
export const PROJECT_AGAIN: JobKind = {
  pageFiles: PAGE_FILES,
  async read(env, database, job, alone) {
    const parameters = againParametersSchema.parse(JSON.parse(job.parameters));
    const position = parsePosition(job.after_file);
    const { collector, file } = position;
    if (collector === null) {
      const next = await nextCollector(env, database, parameters, position);
      return nothing(next === null ? { ...job, finished_at: Date.now() } : at(job, next));
    }
    const found = await collectorListed(env, collector).readPage(file, alone ? 1 : PAGE_FILES);
    if (found === null || !isWanted(found.names, parameters)) return nothing(at(job, behind(position)));
    const { names, files, next } = found;
    const owned = databaseFor(env, identityOf(names));
    const after = at(job, next === null ? behind(position) : { ...position, file: next });
    return {
      after: { ...after, looked_at: job.looked_at + files.length },
      items:
        files.length === 0 && found.imports.length > 0
          ? [{ partner_id: names.partner_id, file_id: collector }]
          : files.map(({ newest }) => ({ partner_id: names.partner_id, file_id: newest.file_id })),
      process: async () => projectPage(env, owned, found),
    };
  },
  unreadable(job) {
    const position = parsePosition(job.after_file);
    const { collector } = position;
    if (collector === null) return null;
    const [partner_id = ""] = collector.includes("/") ? collector.split("/") : [];
    return { item: { partner_id, file_id: collector }, after: at(job, behind(position)) };
  },
};

function nothing(after: Job): JobPage {
  return { after, items: [], process: async () => ({ changed: 0, failures: [] }) };
}

function at(job: Job, position: Position): Job {
  return { ...job, after_file: JSON.stringify(position) };
}

/** Returns the position after the collector at hand. */
function behind(position: Position): Position {
  return { ...position, collector: null, file: "" };
}

function isWanted(
  names: { partner_id: string; user_id: string },
  { partner_id, user_id }: AgainParameters,
): boolean {
  return (
    (partner_id === null || names.partner_id === partner_id) &&
    (user_id === null || names.user_id === user_id)
  );
}
