import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { FILE_ERROR_CODES, type FileErrorCode } from "../files/file.ts";
import { randomId } from "../identifiers.ts";
import { INSERT_REDECODE, parseJob, READ_JOB, type Job } from "../operator/write.ts";
import { DEFAULT_STATE, exitWith, readFlags, refuse, type Refusal } from "./command.ts";
import { openLocalStores } from "./localState.ts";
import { runWrangler, RemoteFault } from "./wrangler.ts";

/** npm run redecode -- --since DATE [--code CODE] [--json] [--local [--state DIR] | --remote] */
const USAGE = `npm run redecode -- --since DATE [--code CODE] [--json] [--local [--state DIR] | --remote]
  Decodes stored files again that were received since then: those an older decoder has read, or with --code
  those that failed with it. The service works it off; this command shows how far it is.`;

/** The service looks for work every minute, deployed, and every 10 s here. */
const LOOK_EVERY_MS = 2_000;

/** One D1, here or deployed. */
interface Database {
  ok: true;
  run(sql: string, ...values: string[]): Promise<unknown[]>;
  close(): Promise<void>;
}

const flags = readFlags({
  options: {
    since: { type: "string" },
    code: { type: "string" },
    json: { type: "boolean", default: false },
    local: { type: "boolean", default: false },
    remote: { type: "boolean", default: false },
    state: { type: "string" },
  },
});
if (!flags.ok) exitWith(flags);
const { since: sinceText, code: codeText, json, local, remote, state } = flags.values;
if (sinceText === undefined) exitWith(refuse(USAGE));
const since = Date.parse(sinceText);
if (Number.isNaN(since))
  exitWith(refuse(`--since takes a date such as 2026-11-25 or 2026-11-25T06:00:00Z, not ${sinceText}.`));
const code = codeOf(codeText);
if (code === undefined) exitWith(refuse(`--code takes one of ${FILE_ERROR_CODES.join(", ")}.`));
if (local && remote) exitWith(refuse("--local and --remote exclude each other."));
if (remote && state !== undefined) exitWith(refuse("--state belongs to --local."));

const database = remote ? remoteDatabase() : await localDatabase(path.resolve(state ?? DEFAULT_STATE));
if (!database.ok) exitWith(database);
try {
  const jobId = randomId();
  await database.run(INSERT_REDECODE, jobId, JSON.stringify({ since, code }));
  if (!json)
    console.log(
      `Asked for. The service looks for such work every ${remote ? "minute" : "10 seconds"}; Ctrl-C leaves it to it.`,
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
  if (!(fault instanceof RemoteFault)) throw fault;
  exitWith(refuse(fault.message));
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

async function localDatabase(folder: string): Promise<Database | Refusal> {
  const stores = await openLocalStores(folder);
  if (!stores.ok) return stores;
  return {
    ok: true,
    run: async (sql, ...values) =>
      (
        await stores.database
          .prepare(sql)
          .bind(...values)
          .all()
      ).results,
    close: async () => stores.close(),
  };
}

/** Values are our own ids and JSON of numbers and codes: quoting them is enough for a command that takes no bindings. */
function remoteDatabase(): Database {
  return {
    ok: true,
    run: async (sql, ...values) => {
      const bound = values.reduce(
        (text, value) => text.replace("?", () => `'${value.replaceAll("'", "''")}'`),
        sql,
      );
      const printed = await runWrangler(["d1", "execute", "DB", "--remote", "--json", "--command", bound]);
      const answers: unknown = JSON.parse(printed);
      const first: unknown = Array.isArray(answers) ? answers[0] : null;
      return typeof first === "object" && first !== null && "results" in first && Array.isArray(first.results)
        ? first.results
        : [];
    },
    close: async () => {},
  };
}
