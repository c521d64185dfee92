import { setTimeout as delay } from "node:timers/promises";
import { FILE_ERROR_CODES, type FileErrorCode } from "../../files/file.ts";
import { randomId } from "../../identifiers.ts";
import { INSERT_REDECODE, parseJob, READ_JOB, type Job } from "../../operator/write.ts";
import { exitWith, misuse, readFlags, refusalOf } from "../commandLine.ts";
import { databaseAt, type Database } from "../databases.ts";
import { clockInterval, TARGET_FLAGS, readTarget } from "../target.ts";

/** npm run redecode -- --since DATE [--code CODE] [--json] [--local [--state DIR] | --remote [--env staging]] */
const USAGE = `npm run redecode -- --since DATE [--code CODE] [--json] [--local [--state DIR] | --remote [--env staging]]
  Decodes stored files again that were received since then: those an older decoder has read, or with --code
  those that failed with it. The service works it off; this command shows how far it is.`;

/** Often enough for somebody who watches; deployed, a look takes about as long. */
const LOOK_EVERY_MS = 2_000;

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
if (Number.isNaN(since))
  exitWith(misuse(`--since takes a date such as 2026-11-25 or 2026-11-25T06:00:00Z, not ${sinceText}.`));
const code = codeOf(codeText);
if (code === undefined) exitWith(misuse(`--code takes one of ${FILE_ERROR_CODES.join(", ")}.`));
const target = readTarget(flags.values);
if (!target.ok) exitWith(target);

const database = await databaseAt(target);
if (!database.ok) exitWith(database);
try {
  const jobId = randomId();
  await database.run(INSERT_REDECODE, jobId, JSON.stringify({ since, code }));
  if (!json)
    console.log(
      `Asked for. The service looks for such work every ${clockInterval(target)}; Ctrl-C leaves it to it.`,
    );
  let job = await readJob(database, jobId);
  let shown = "";
  while (job.finished_at === null) {
    const line = `${job.looked_at} looked at, ${job.changed} decoded again, ${job.failed} could not be`;
    if (!json && line !== shown) console.log(line);
    shown = line;
    await delay(LOOK_EVERY_MS);
    job = await readJob(database, jobId);
  }
  const { looked_at, changed, failed } = job;
  console.log(
    json
      ? JSON.stringify({ job_id: jobId, looked_at, changed, failed })
      : `Done: ${looked_at} looked at, ${changed} decoded again, ${failed} could not be.`,
  );
} catch (fault) {
  exitWith(refusalOf(fault));
} finally {
  await database.close();
}

/** Undefined when there is no such code. */
function codeOf(text: string | undefined): FileErrorCode | null | undefined {
  return text === undefined ? null : FILE_ERROR_CODES.find((known) => known === text);
}

async function readJob(from: Database, jobId: string): Promise<Job> {
  return parseJob((await from.run(READ_JOB, jobId))[0]);
}
