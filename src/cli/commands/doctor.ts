import { readdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { DECODER_VERSION } from "../../fit/index.ts";
import { randomId } from "../../identifiers.ts";
import { ACTIONS, READ_RESULT, type ActParameters } from "../../operator/act/write.ts";
import { INSERT_ACT } from "../../operator/jobs/write.ts";
import {
  exitWith,
  misuse,
  partnerIdFault,
  readFlags,
  refusalOf,
  refuse,
  ROOT,
  type Refusal,
} from "../commandLine.ts";
import { databasesAt, type Database } from "../databases.ts";
import { findings, STATE_QUERIES, type DatabaseState } from "../findings.ts";
import { clockInterval, TARGET_FLAGS, readTarget, type Target } from "../target.ts";

const USAGE = `Usage: npm run doctor -- [--json] [--local [--state DIR] | --remote [--env staging]]
         shows versions, stores, the size and the oldest waiting work of each database; exit code 1 for a problem
       npm run doctor -- inspect <partner_id> <file_id or import_id>   shows what the collector knows
       npm run doctor -- retry <partner_id> <file_id or import_id>     queues failed files again
       npm run doctor -- resend <partner_id> <event_id>                delivers an event again
  The service does the work at its next run of the clock; no partner's key is needed.`;

const POLL_INTERVAL_MS = 1_000;
/** Longer than the longest run of the clock and its interval. */
const DEADLINE_MS = { local: 90_000, remote: 4 * 60_000 };

const examinationSchema = z.object({
  decoder_version: z.number(),
  collector_schema: z.number(),
  database_bytes: z.number(),
  stores: z.record(
    z.string(),
    z.object({ milliseconds: z.number(), fault: z.string().nullable(), backlog: z.number().nullable() }),
  ),
});
const resultRow = z.tuple([z.object({ result: z.string(), finished_at: z.number().nullable() })]);

async function main(): Promise<Refusal | null> {
  const flags = readFlags({
    options: { json: { type: "boolean", default: false }, ...TARGET_FLAGS },
    allowPositionals: true,
  });
  if (!flags.ok) return flags;
  const [action = "examine", partnerId = "", id = "", ...rest] = flags.positionals;
  const known = ACTIONS.find((name) => name === action);
  const isExamination = flags.positionals.length === 0;
  if (known === undefined || rest.length > 0 || (known === "examine") !== isExamination) return misuse(USAGE);
  if (!isExamination && id === "") return misuse(USAGE);
  const invalidId = isExamination ? null : partnerIdFault(partnerId);
  if (invalidId !== null) return invalidId;
  const target = readTarget(flags.values);
  if (!target.ok) return target;
  const databases = await databasesAt(target);
  if (!databases.ok) return databases;
  try {
    let problems = 0;
    for (const database of databases.all) {
      const done = await runAct(database, target, { action: known, partner_id: partnerId, id });
      if (!done.ok) return done;
      if (!isExamination) {
        // Any database can hold the job.
        console.log(JSON.stringify(done.result, null, flags.values.json ? undefined : 2));
        return null;
      }
      const state: DatabaseState = {
        ...examinationSchema.parse(done.result),
        expected_decoder_version: DECODER_VERSION,
        missing_migrations: await missingMigrations(database),
        waiting: await waitingWork(database),
      };
      const found = findings(state, Date.now());
      if (flags.values.json)
        console.log(JSON.stringify({ database: database.name, ...state, findings: found }));
      else {
        console.log(`Database ${database.name}:`);
        for (const { isProblem, text } of found) console.log(`${isProblem ? "PROBLEM" : "ok     "}  ${text}`);
      }
      problems += found.filter(({ isProblem }) => isProblem).length;
    }
    return problems === 0 ? null : refuse(`Problems: ${problems}. See src/cli/OPERATIONS.md.`);
  } catch (fault) {
    return refusalOf(fault);
  } finally {
    await databases.close();
  }
}

/** Has the service do an action, and waits for the result. */
async function runAct(
  database: Database,
  target: Target,
  parameters: ActParameters,
): Promise<{ ok: true; result: unknown } | Refusal> {
  const jobId = randomId();
  await database.run(INSERT_ACT, jobId, JSON.stringify(parameters));
  const untilMs = Date.now() + DEADLINE_MS[target.remote ? "remote" : "local"];
  for (;;) {
    const [row] = resultRow.parse(await database.run(READ_RESULT, jobId));
    if (row.finished_at !== null) return { ok: true, result: JSON.parse(row.result) };
    if (Date.now() > untilMs) {
      return refuse(
        `PROBLEM  The clock of the service does not run: it runs every ${clockInterval(target)}, and has not done this job. Is the service running? Look for "scheduled" lines in its log.`,
      );
    }
    await delay(POLL_INTERVAL_MS);
  }
}

async function missingMigrations(database: Database): Promise<string[]> {
  const names = z.array(z.object({ name: z.string() }));
  const applied = new Set(
    names.parse(await database.run("SELECT name FROM d1_migrations")).map(({ name }) => name),
  );
  const files = await readdir(path.join(ROOT, "migrations"));
  return files.filter((file) => file.endsWith(".sql") && !applied.has(file)).sort();
}

async function waitingWork(database: Database): Promise<DatabaseState["waiting"]> {
  const row = z.tuple([z.object({ count: z.number(), oldest: z.number().nullable() })]);
  const waiting: DatabaseState["waiting"] = {};
  for (const [name, query] of Object.entries(STATE_QUERIES)) {
    waiting[name] = row.parse(await database.run(query))[0];
  }
  return waiting;
}

const refusal = await main();
if (refusal !== null) exitWith(refusal);
