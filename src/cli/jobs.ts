import { z } from "zod";
import { parseJob, READ_FAILURES, READ_JOB } from "../operator/jobs/write.ts";
import type { Job } from "../operator/jobs/job.ts";
import type { Database, OpenDatabases } from "./databases.ts";
import { readLocally } from "./localReads.ts";
import type { Target } from "./target.ts";

/** Time between two reads of a job's progress. A query of the deployed database takes about as long. */
export const POLL_INTERVAL_MS = 2_000;

/** A job that a command has created. */
export interface CreatedJob {
  jobId: string;
  /** Name of its database. */
  database: string;
}

/** Runs one SELECT. A local database is read without workerd, which would lock the service's databases, so close them before. */
export async function readRows(
  target: Target,
  database: Database,
  sql: string,
  ...values: readonly (string | number)[]
): Promise<unknown[]> {
  return target.remote
    ? database.run(sql, ...values)
    : readLocally(target.state, [database.name], sql, ...values);
}

/** Reads jobs. Close the databases before. */
export async function readJobs(
  target: Target,
  databases: OpenDatabases,
  created: readonly CreatedJob[],
): Promise<Job[]> {
  const rows: unknown[] = [];
  for (const { jobId, database: name } of created) {
    const database = databases.all.find((known) => known.name === name);
    if (database !== undefined) rows.push(...(await readRows(target, database, READ_JOB, jobId)));
  }
  return rows.map(parseJob);
}

const failureRows = z.array(
  z.object({
    partner_id: z.string(),
    file_id: z.string(),
    code: z.string(),
    object_key: z.string().nullable(),
  }),
);

/** Prints what a job could not process. */
export async function printFailures(databases: OpenDatabases, jobId: string, json: boolean): Promise<void> {
  const found = await Promise.all(databases.all.map(async (database) => database.run(READ_FAILURES, jobId)));
  const rows = failureRows.parse(found.flat());
  if (json) console.log(JSON.stringify(rows));
  else {
    for (const { partner_id, file_id, code, object_key } of rows) {
      console.log([partner_id, file_id, code, object_key ?? ""].join("\t"));
    }
  }
}
