import { setTimeout as delay } from "node:timers/promises";
import { FILE_ERROR_CODES, type FileErrorCode } from "../../files/errorCodes.ts";
import { randomId } from "../../identifiers.ts";
import type { Job } from "../../operator/jobs/job.ts";
import { INSERT_REDECODE } from "../../operator/jobs/write.ts";
import { exitWith, misuse, readFlags, refusalOf } from "../commandLine.ts";
import { databasesAt } from "../databases.ts";
import { POLL_INTERVAL_MS, printFailures, readJobs } from "../jobs.ts";
import { stoppedService } from "../stateLock.ts";
import { clockInterval, TARGET_FLAGS, readTarget } from "../target.ts";

const USAGE = `Usage: npm run redecode -- --since DATE [--code CODE] [--json] [--local [--state DIR] | --remote [--env staging]]
       npm run redecode -- --failures JOB [--json] [--local [--state DIR] | --remote [--env staging]]
  Decodes stored files again that were received since DATE.
  Without --code: the files that an older decoder version has decoded.
  With --code: the files that failed with this error code, if their bytes are stored.
  The service does the work in the background. This command shows its progress.
  --failures lists the files that a job could not decode.`;

interface Progress {
  isFinished: boolean;
  looked_at: number;
  changed: number;
  failed: number;
  walked_files: number;
  total_files: number;
  /** Unix milliseconds. Null before a run has started. */
  started_at: number | null;
}

/** npm run redecode: see USAGE. */
const flags = readFlags({
  options: {
    since: { type: "string" },
    code: { type: "string" },
    failures: { type: "string" },
    json: { type: "boolean", default: false },
    ...TARGET_FLAGS,
  },
});
if (!flags.ok) exitWith(flags);
const { since: sinceText, code: codeText, failures, json } = flags.values;
if ((sinceText === undefined) === (failures === undefined)) exitWith(misuse(USAGE));
const since = sinceText === undefined ? 0 : Date.parse(sinceText);
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
const serviceTarget = target;

const opened = await databasesAt(serviceTarget);
if (!opened.ok) exitWith(opened);
const databases = opened;
let isOpen = true;
const closeOnce = async () => {
  if (isOpen) await databases.close();
  isOpen = false;
};
try {
  if (failures === undefined) await redecode();
  else await printFailures(databases, failures, json);
} catch (fault) {
  exitWith(refusalOf(fault));
} finally {
  await closeOnce();
}

/** Creates a job with one id in each database, and shows their progress. */
async function redecode(): Promise<void> {
  const stopped = serviceTarget.remote ? null : stoppedService(serviceTarget.state);
  if (stopped !== null) {
    await closeOnce();
    exitWith(stopped);
  }
  const jobId = randomId();
  for (const database of databases.all) {
    await database.run(INSERT_REDECODE, jobId, JSON.stringify({ since, code }));
  }
  if (!json) {
    console.log(
      `Created the job ${jobId}. The service starts its jobs every ${clockInterval(serviceTarget)}. Ctrl-C ends this command, not the job.`,
    );
  }
  if (!serviceTarget.remote) await closeOnce();
  let progress = await readProgress(jobId);
  let shown = "";
  while (!progress.isFinished) {
    const line = progressOf(progress);
    if (!json && line !== shown) console.log(line + estimateOf(progress, Date.now()));
    shown = line;
    await delay(POLL_INTERVAL_MS);
    progress = await readProgress(jobId);
  }
  const { looked_at, changed, failed } = progress;
  if (json) console.log(JSON.stringify({ job_id: jobId, looked_at, changed, failed }));
  else {
    console.log(`Done: ${progressOf(progress)}`);
    if (failed > 0) console.log(`To list the failed files: npm run redecode -- --failures ${jobId}`);
  }
}

function progressOf({ looked_at, changed, failed }: Progress): string {
  const done = code === null ? "decoded again" : "queued for another import";
  const files = looked_at === 1 ? "file" : "files";
  return `${looked_at} ${files} examined, ${changed} ${done}, ${failed} failed.`;
}

/** Returns the share of all files that the jobs have passed, and the time that the others take at their pace. */
function estimateOf({ walked_files, total_files, started_at }: Progress, nowMs: number): string {
  if (started_at === null || walked_files === 0) return "";
  const left = Math.max(0, total_files - walked_files);
  const seconds = Math.ceil((left * (nowMs - started_at)) / walked_files / 1_000);
  const percent = Math.min(99, Math.floor((100 * walked_files) / Math.max(1, total_files)));
  const time = seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} minutes`;
  return ` ${percent} % of ${total_files} files passed, about ${time} left.`;
}

/** Returns null without a code, and undefined for an unknown code. */
function codeOf(text: string | undefined): FileErrorCode | null | undefined {
  return text === undefined ? null : FILE_ERROR_CODES.find((known) => known === text);
}

/** Sums over the databases. Each has a job of its own with the same id. */
async function readProgress(jobId: string): Promise<Progress> {
  const created = databases.all.map(({ name }) => ({ jobId, database: name }));
  const jobs = await readJobs(serviceTarget, databases, created);
  const sum = (count: (job: Job) => number) => jobs.reduce((total, job) => total + count(job), 0);
  const starts = jobs.flatMap((job) => job.started_at ?? []);
  return {
    isFinished: jobs.every(({ finished_at }) => finished_at !== null),
    looked_at: sum((job) => job.looked_at),
    changed: sum((job) => job.changed),
    failed: sum((job) => job.failed),
    walked_files: sum((job) => job.walked_files),
    total_files: sum((job) => job.total_files ?? 0),
    started_at: starts.length === 0 ? null : Math.min(...starts),
  };
}
