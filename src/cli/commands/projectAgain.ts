import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { randomId } from "../../identifiers.ts";
import {
  INSERT_AGAIN,
  parseAgainJob,
  type AgainJob,
  type AgainParameters,
} from "../../operator/again/write.ts";
import { READ_JOB } from "../../operator/write.ts";
import {
  exitWith,
  misuse,
  partnerIdFault,
  readFlags,
  refusalOf,
  refuse,
  systemCode,
  type Refusal,
} from "../commandLine.ts";
import { databaseAt } from "../databases.ts";
import { registryAt } from "../registries.ts";
import { clockInterval, TARGET_FLAGS, readTarget, type Target } from "../target.ts";

const USAGE = `Usage: npm run project-again -- <partner_id> [<user_id>] [--objects FILE] [--json] [--local [--state DIR] | --remote [--env staging]]
       npm run project-again -- --all [--objects FILE] …
  Writes what the database has lost anew, from the collectors and the stored bytes: of a user, of a partner or of all
  partners. Downloads nothing. --objects FILE reads only the Durable Objects with these ids, one to a line.
  The service does the work in the background. This command shows its progress.`;

/** A query of the deployed database takes about as long. */
const POLL_INTERVAL_MS = 2_000;
/** Number of object ids of one job. Its parameters stay below the 100 KB of a D1 statement. */
const IDS_PER_JOB = 1_000;
const OBJECT_ID = /^[0-9a-f]{64}$/;

async function main(): Promise<Refusal | null> {
  const flags = readFlags({
    options: {
      all: { type: "boolean", default: false },
      objects: { type: "string" },
      json: { type: "boolean", default: false },
      ...TARGET_FLAGS,
    },
    allowPositionals: true,
  });
  if (!flags.ok) return flags;
  const { all, objects, json } = flags.values;
  const [partnerId, userId, ...rest] = flags.positionals;
  if (rest.length > 0 || all === (partnerId !== undefined)) return misuse(USAGE);
  const invalidId = partnerId === undefined ? null : partnerIdFault(partnerId);
  if (invalidId !== null) return invalidId;
  const target = readTarget(flags.values);
  if (!target.ok) return target;
  const ids = objects === undefined ? null : await readIds(objects);
  if (ids !== null && !ids.ok) return ids;
  const scope = { partner_id: partnerId ?? null, user_id: userId ?? null };
  const partners = ids === null && partnerId === undefined ? await allPartners(target) : null;
  if (partners !== null && !partners.ok) return partners;
  const jobs: AgainParameters[] =
    ids === null
      ? (partners?.ids ?? [scope.partner_id]).map((partner_id) => ({ ...scope, partner_id, objects: null }))
      : slices(ids.ids).map((slice) => ({ ...scope, objects: slice }));
  if (jobs.length === 0) return refuse("The registry has no partners, so there is nothing to write.");
  return runJobs(target, jobs, json);
}

async function runJobs(
  target: Target,
  jobs: readonly AgainParameters[],
  json: boolean,
): Promise<Refusal | null> {
  const database = await databaseAt(target);
  if (!database.ok) return database;
  try {
    const jobIds: string[] = [];
    for (const parameters of jobs) {
      const jobId = randomId();
      await database.run(INSERT_AGAIN, jobId, JSON.stringify(parameters));
      jobIds.push(jobId);
    }
    if (!json) {
      console.log(
        `Created ${jobIds.length === 1 ? "a job" : `${jobIds.length} jobs`}. The service continues its jobs every ${clockInterval(target)}. Ctrl-C ends this command, not the jobs.`,
      );
    }
    let shown = "";
    for (;;) {
      const states: AgainJob[] = [];
      for (const jobId of jobIds) states.push(parseAgainJob((await database.run(READ_JOB, jobId))[0]));
      const counts = countsOf(states);
      const done = states.every((job) => job.finished_at !== null);
      const line = `${done ? "Done: " : ""}${counts.looked_at} files examined, ${counts.changed} written, ${counts.failed} failed.`;
      if (json && done) console.log(JSON.stringify(counts));
      if (!json && line !== shown) console.log(line);
      if (done) return null;
      shown = line;
      await delay(POLL_INTERVAL_MS);
    }
  } catch (fault) {
    return refusalOf(fault);
  } finally {
    await database.close();
  }
}

function countsOf(jobs: readonly AgainJob[]) {
  const sum = (name: "looked_at" | "changed" | "failed") => jobs.reduce((total, job) => total + job[name], 0);
  return { looked_at: sum("looked_at"), changed: sum("changed"), failed: sum("failed") };
}

async function allPartners(target: Target): Promise<{ ok: true; ids: string[] } | Refusal> {
  const registry = await registryAt(target);
  if (!registry.ok) return registry;
  try {
    return { ok: true, ids: (await registry.list()).map(({ partner_id }) => partner_id) };
  } catch (fault) {
    return refusalOf(fault);
  } finally {
    await registry.close();
  }
}

async function readIds(file: string): Promise<{ ok: true; ids: string[] } | Refusal> {
  try {
    const ids = (await readFile(file, "utf8"))
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    const invalid = ids.find((id) => !OBJECT_ID.test(id));
    return invalid === undefined
      ? { ok: true, ids }
      : refuse(
          `${file} must have one id of 64 hexadecimal characters to a line; found ${JSON.stringify(invalid)}.`,
        );
  } catch (fault) {
    return refuse(`Cannot read ${file} (${systemCode(fault) ?? String(fault)}).`);
  }
}

function slices(ids: readonly string[]): string[][] {
  const found: string[][] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_JOB)
    found.push(ids.slice(start, start + IDS_PER_JOB));
  return found;
}

const refusal = await main();
if (refusal !== null) exitWith(refusal);
