import { readdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { DECODER_VERSION } from "../../fit/index.ts";
import { randomId } from "../../identifiers.ts";
import { ACTIONS, READ_RESULT, type ActParameters } from "../../operator/act/write.ts";
import { INSERT_ACT } from "../../operator/jobs/write.ts";
import {
  CommandFault,
  exitWith,
  misuse,
  partnerIdFault,
  readFlags,
  refusalOf,
  refuse,
  ROOT,
  type Refusal,
} from "../commandLine.ts";
import { readCommit } from "../commit.ts";
import { databaseNamed, databasesAt, type Database, type OpenDatabases } from "../databases.ts";
import { readRows } from "../jobs.ts";
import { findings, STATE_QUERIES, type DatabaseState, type Finding } from "../findings.ts";
import { registryAt } from "../registries.ts";
import { stoppedService } from "../stateLock.ts";
import { clockInterval, TARGET_FLAGS, readTarget, type Target } from "../target.ts";

const USAGE = `Usage: npm run doctor -- [--json] [--local [--state DIR] | --remote [--env staging]]
         shows the commit, versions, stores, the size and the oldest waiting work of each database; exit code 1 for a problem
       npm run doctor -- inspect <partner_id> <file_id or import_id>   shows what the collector knows
       npm run doctor -- retry <partner_id> <file_id or import_id>     queues failed files again
       npm run doctor -- resend <partner_id> <event_id>                delivers an event again
  The service does the work at its next run of the clock; no partner's key is needed.`;

const POLL_INTERVAL_MS = 1_000;
/** Longer than the longest run of the clock and its interval. */
const DEADLINE_MS = { local: 90_000, remote: 4 * 60_000 };

const examinationSchema = z.object({
  version: z.object({ id: z.string(), tag: z.string().nullable() }),
  decoder_version: z.number(),
  collector_schema: z.number(),
  database_bytes: z.number(),
  stores: z.record(
    z.string(),
    z.object({ milliseconds: z.number(), fault: z.string().nullable(), backlog: z.number().nullable() }),
  ),
});
/** Result of an action that a fault has ended. */
const faultSchema = z.object({ fault: z.string() });
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
  const stopped = target.remote ? null : stoppedService(target.state);
  const requests: ActRequest[] = [];
  try {
    if (stopped !== null) return stopped;
    if (isExamination) {
      const parameters = { action: "examine", partner_id: "", id: "" } as const;
      for (const database of databases.all) requests.push(await requestAct(database, parameters));
    } else {
      const owner = await databaseOfPartner(databases, target, partnerId);
      if (!owner.ok) return owner;
      requests.push(await requestAct(owner.database, { action: known, partner_id: partnerId, id }));
    }
  } catch (fault) {
    return refusalOf(fault);
  } finally {
    // The polls of a local service are without workerd, which would lock its databases.
    await databases.close();
  }
  if (isExamination) return examine(requests, target, flags.values.json);
  for (const request of requests) {
    const done = await resultOf(request, target);
    if (!done.ok) return done;
    const missed = missedId(done.result, partnerId, id);
    if (missed !== null) return missed;
    console.log(JSON.stringify(done.result, null, flags.values.json ? undefined : 2));
  }
  return null;
}

/** Shows the state of each database. One that is down does not hide the others. */
async function examine(
  requests: readonly ActRequest[],
  target: Target,
  json: boolean,
): Promise<Refusal | null> {
  const expectedTag = (await readCommit())?.tag ?? null;
  let problems = 0;
  for (const request of requests) {
    const { database } = request;
    if (!json) console.log(`Database ${database.name}:`);
    let state: DatabaseState | null = null;
    let found: Finding[];
    try {
      state = await stateOf(request, target, expectedTag);
      found = findings(state, Date.now());
    } catch (fault) {
      found = [{ isProblem: true, text: refusalOf(fault).problem }];
    }
    if (json) console.log(JSON.stringify({ database: database.name, ...state, findings: found }));
    else
      for (const { isProblem, text } of found) console.log(`${isProblem ? "PROBLEM" : "ok     "}  ${text}`);
    problems += found.filter(({ isProblem }) => isProblem).length;
  }
  return problems === 0 ? null : refuse(`Problems: ${problems}. See src/cli/OPERATIONS.md.`);
}

/** Throws a CommandFault when the database or the service does not do it. */
async function stateOf(
  request: ActRequest,
  target: Target,
  expectedTag: string | null,
): Promise<DatabaseState> {
  const done = await resultOf(request, target);
  if (!done.ok) throw new CommandFault(done.problem);
  const examination = examinationSchema.safeParse(done.result);
  if (!examination.success) {
    throw new CommandFault("Another version of the service examined itself: its result cannot be read.");
  }
  return {
    ...examination.data,
    expected_tag: expectedTag,
    expected_decoder_version: DECODER_VERSION,
    ...(await migrationsOf(request.database, target)),
    waiting: await waitingWork(request.database, target),
  };
}

/** Returns the database of the partner's rows. The others may be down. */
async function databaseOfPartner(
  databases: OpenDatabases,
  target: Target,
  partnerId: string,
): Promise<ReturnType<typeof databaseNamed>> {
  const registry = registryAt(target);
  try {
    const partner = await registry.read(partnerId);
    return partner === null
      ? refuse(`No partner ${partnerId} exists. npm run partner -- list shows all of them.`)
      : databaseNamed(databases, partner.database);
  } finally {
    await registry.close();
  }
}

/** A requested action. */
interface ActRequest {
  database: Database;
  action: ActParameters["action"];
  jobId: string;
  requestedAt: number;
  /** Why the database does not have the request. */
  refusal: Refusal | null;
}

/** Requests an action. The service does it at its next run of the clock. */
async function requestAct(database: Database, parameters: ActParameters): Promise<ActRequest> {
  const { action } = parameters;
  const request = { database, action, jobId: randomId(), requestedAt: Date.now(), refusal: null };
  try {
    await database.run(INSERT_ACT, request.jobId, JSON.stringify(parameters));
    return request;
  } catch (fault) {
    return { ...request, refusal: refusalOf(fault) };
  }
}

/** Waits for the result of an action. */
async function resultOf(
  { database, action, jobId, requestedAt, refusal }: ActRequest,
  target: Target,
): Promise<{ ok: true; result: unknown } | Refusal> {
  if (refusal !== null) return refusal;
  const untilMs = requestedAt + DEADLINE_MS[target.remote ? "remote" : "local"];
  for (;;) {
    const [row] = resultRow.parse(await readRows(target, database, READ_RESULT, jobId));
    if (row.finished_at !== null) {
      const result: unknown = JSON.parse(row.result);
      const ended = faultSchema.safeParse(result);
      return ended.success
        ? refuse(`The service could not ${action}: ${ended.data.fault}. See src/cli/OPERATIONS.md#logs.`)
        : { ok: true, result };
    }
    if (Date.now() > untilMs) {
      return refuse(
        `The clock of the service does not run: it runs every ${clockInterval(target)}, and has not done this job. Look for "scheduled" lines in its log.`,
      );
    }
    await delay(POLL_INTERVAL_MS);
  }
}

/** Results of actions that have found nothing with the id. */
const MISSED: { result: z.ZodType; problem: string }[] = [
  {
    result: z.object({ file: z.null(), import: z.null() }),
    problem: "no file or import",
  },
  {
    result: z.object({ retried: z.literal(0) }),
    problem: "no failed file, and no import with failed files,",
  },
  {
    result: z.object({ resent: z.literal(false) }),
    problem: "no event that can be sent now",
  },
];

function missedId(result: unknown, partnerId: string, id: string): Refusal | null {
  const missed = MISSED.find((known) => known.result.safeParse(result).success);
  return missed === undefined
    ? null
    : refuse(`The partner ${partnerId} has ${missed.problem} with the id ${id}. Nothing was done.`);
}

async function migrationsOf(
  database: Database,
  target: Target,
): Promise<Pick<DatabaseState, "migrations" | "missing_migrations">> {
  const names = z.array(z.object({ name: z.string() }));
  const applied = new Set(
    names.parse(await readRows(target, database, "SELECT name FROM d1_migrations")).map(({ name }) => name),
  );
  const files = await readdir(path.join(ROOT, "migrations"));
  return {
    migrations: applied.size,
    missing_migrations: files.filter((file) => file.endsWith(".sql") && !applied.has(file)).sort(),
  };
}

async function waitingWork(database: Database, target: Target): Promise<DatabaseState["waiting"]> {
  const row = z.tuple([z.object({ count: z.number(), oldest: z.number().nullable() })]);
  const waiting: DatabaseState["waiting"] = {};
  for (const [name, query] of Object.entries(STATE_QUERIES)) {
    waiting[name] = row.parse(await readRows(target, database, query))[0];
  }
  return waiting;
}

const refusal = await main();
if (refusal !== null) exitWith(refusal);
