import { setTimeout as delay } from "node:timers/promises";
import { FILE_ERROR_CODES, type FileErrorCode } from "../../files/file.ts";
import { randomId } from "../../identifiers.ts";
import { INSERT_REDECODE, parseJob, READ_JOB, type Job } from "../../operator/write.ts";
import { exitWith, misuse, readFlags, refusalOf } from "../commandLine.ts";
import { databasesAt, type Database } from "../databases.ts";
import { clockInterval, TARGET_FLAGS, readTarget } from "../target.ts";

const USAGE = `Usage: npm run redecode -- --since DATE [--code CODE] [--json] [--local [--state DIR] | --remote [--env staging]]
  Decodes stored files again that were received since DATE.
  Without --code: the files that an older decoder version has decoded.
  With --code: the files that failed with this error code, if their bytes are stored.
  The service does the work in the background. This command shows its progress.`;

/** A query of the deployed database takes about as long. */
const POLL_INTERVAL_MS = 2_000;

interface Progress {
  isFinished: boolean;
  looked_at: number;
  changed: number;
  failed: number;
}

/** npm run redecode: see USAGE. */
const flags = readFlags({
  options: {
    since: { type: "string" },
    code: { type: "string" },
    json: { type: "boolean", default: false },
    ...TARGET_FLAGS,
  },
});
if (!flags.ok) exitWith(flags);
const { since: sinceText, code: codeText, json } = flags.values;
if (sinceText === undefined) exitWith(misuse(USAGE));
const since = Date.parse(sinceText);
if (Number.isNaN(since)) {
  exitWith(
    misuse(
      `--since must be a date such as 2026-11-25 or 2026-11-25T06:00:00Z; received ${JSON.stringify(sinceText)}.`,
    ),
  );
}
const code = codeOf(codeText);
if (code === undefined) {
  exitWith(
    misuse(`--code must be one of ${FILE_ERROR_CODES.join(", ")}; received ${JSON.stringify(codeText)}.`),
  );
}
const target = readTarget(flags.values);
if (!target.ok) exitWith(target);

const opened = await databasesAt(target);
if (!opened.ok) exitWith(opened);
const databases = opened;
try {
  const jobId = randomId();
  for (const database of databases.all) {
    await database.run(INSERT_REDECODE, jobId, JSON.stringify({ since, code }));
  }
  if (!json) {
    console.log(
      `Created the job ${jobId}. The service continues its jobs every ${clockInterval(target)}. Ctrl-C ends this command, not the job.`,
    );
  }
  let job = await readProgress(jobId);
  let shown = "";
  while (!job.isFinished) {
    const line = progressOf(job);
    if (!json && line !== shown) console.log(line);
    shown = line;
    await delay(POLL_INTERVAL_MS);
    job = await readProgress(jobId);
  }
  const { looked_at, changed, failed } = job;
  console.log(
    json ? JSON.stringify({ job_id: jobId, looked_at, changed, failed }) : `Done: ${progressOf(job)}`,
  );
} catch (fault) {
  exitWith(refusalOf(fault));
} finally {
  await databases.close();
}

function progressOf({ looked_at, changed, failed }: Progress): string {
  const done = code === null ? "decoded again" : "queued for another import";
  const files = looked_at === 1 ? "file" : "files";
  return `${looked_at} ${files} examined, ${changed} ${done}, ${failed} failed.`;
}

/** Returns null without a code, and undefined for an unknown code. */
function codeOf(text: string | undefined): FileErrorCode | null | undefined {
  return text === undefined ? null : FILE_ERROR_CODES.find((known) => known === text);
}

/** Sums over the databases. Each has a job of its own with the same id. */
async function readProgress(jobId: string): Promise<Progress> {
  const jobs = await Promise.all(databases.all.map(async (database) => readJob(database, jobId)));
  const sum = (count: (job: Job) => number) => jobs.reduce((total, job) => total + count(job), 0);
  return {
    isFinished: jobs.every(({ finished_at }) => finished_at !== null),
    looked_at: sum((job) => job.looked_at),
    changed: sum((job) => job.changed),
    failed: sum((job) => job.failed),
  };
}

async function readJob(from: Database, jobId: string): Promise<Job> {
  return parseJob((await from.run(READ_JOB, jobId))[0]);
}
