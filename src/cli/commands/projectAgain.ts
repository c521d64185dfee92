import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { chunksOf } from "../../concurrency/chunksOf.ts";
import { FIRST_DATABASE } from "../../database/databases.ts";
import { randomId } from "../../identifiers.ts";
import type { AgainParameters } from "../../operator/again/write.ts";
import type { Job } from "../../operator/jobs/job.ts";
import { INSERT_AGAIN } from "../../operator/jobs/write.ts";
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
import { databaseNamed, databasesAt } from "../databases.ts";
import { POLL_INTERVAL_MS, printFailures, readJobs, type CreatedJob } from "../jobs.ts";
import { registryAt } from "../registries.ts";
import { stoppedService } from "../stateLock.ts";
import { clockInterval, TARGET_FLAGS, readTarget, type Target } from "../target.ts";

const USAGE = `Usage: npm run project-again -- <partner_id> [<user_id>] [--objects FILE] [--json] [--local [--state DIR] | --remote [--env staging]]
       npm run project-again -- --all [--objects FILE] …
       npm run project-again -- --failures JOB …
  Writes what the database has lost anew, from the collectors and the stored bytes: of a user, of a partner or of all
  partners. Downloads nothing. --objects FILE reads only the Durable Objects with these ids, one to a line.
  The service does the work in the background. This command shows its progress.
  --failures lists the files and collectors that a job could not write.`;

/** Number of object ids of one job. Its parameters stay below the 100 KB of a D1 statement. */
const IDS_PER_JOB = 1_000;
const OBJECT_ID = /^[0-9a-f]{64}$/;

async function main(): Promise<Refusal | null> {
  const flags = readFlags({
    options: {
      all: { type: "boolean", default: false },
      objects: { type: "string" },
      failures: { type: "string" },
      json: { type: "boolean", default: false },
      ...TARGET_FLAGS,
    },
    allowPositionals: true,
  });
  if (!flags.ok) return flags;
  const { all, objects, failures, json } = flags.values;
  const [partnerId, userId, ...rest] = flags.positionals;
  const scopes = [all, partnerId !== undefined, failures !== undefined].filter(Boolean);
  if (rest.length > 0 || scopes.length !== 1) return misuse(USAGE);
  const invalidId = partnerId === undefined ? null : partnerIdFault(partnerId);
  if (invalidId !== null) return invalidId;
  const target = readTarget(flags.values);
  if (!target.ok) return target;
  if (failures !== undefined) return showFailures(target, failures, json);
  const ids = objects === undefined ? null : await readIds(objects);
  if (ids !== null && !ids.ok) return ids;
  const scope = { partner_id: partnerId ?? null, user_id: userId ?? null };
  const partners = await allPartners(target);
  if (!partners.ok) return partners;
  if (partnerId !== undefined && !partners.databases.has(partnerId))
    return refuse(`No partner ${partnerId} exists. npm run partner -- list shows all of them.`);
  const jobs: AgainParameters[] =
    ids === null
      ? (partnerId === undefined ? [...partners.databases.keys()] : [partnerId]).map((partner_id) => ({
          ...scope,
          partner_id,
          objects: null,
        }))
      : chunksOf(ids.ids, IDS_PER_JOB).map((slice) => ({ ...scope, objects: slice }));
  if (jobs.length === 0) return refuse("The registry has no partners, so there is nothing to write.");
  return runJobs(target, jobs, partners.databases, json);
}

async function showFailures(target: Target, jobId: string, json: boolean): Promise<Refusal | null> {
  const databases = await databasesAt(target);
  if (!databases.ok) return databases;
  try {
    await printFailures(databases, jobId, json);
    return null;
  } catch (fault) {
    return refusalOf(fault);
  } finally {
    await databases.close();
  }
}

async function runJobs(
  target: Target,
  jobs: readonly AgainParameters[],
  databaseOfPartner: ReadonlyMap<string, string>,
  json: boolean,
): Promise<Refusal | null> {
  const databases = await databasesAt(target);
  if (!databases.ok) return databases;
  let isOpen = true;
  const closeOnce = async () => {
    if (isOpen) await databases.close();
    isOpen = false;
  };
  try {
    const stopped = target.remote ? null : stoppedService(target.state);
    if (stopped !== null) return stopped;
    const created: CreatedJob[] = [];
    for (const parameters of jobs) {
      // A job reads its partner's sources. One of object ids needs none, and any database can hold it.
      const name = databaseOfPartner.get(parameters.partner_id ?? "") ?? FIRST_DATABASE;
      const found = databaseNamed(databases, name);
      if (!found.ok) return found;
      const jobId = randomId();
      await found.database.run(INSERT_AGAIN, jobId, JSON.stringify(parameters));
      created.push({ jobId, database: name });
    }
    if (!target.remote) await closeOnce();
    if (!json) {
      console.log(
        `Created ${created.length === 1 ? "a job" : `${created.length} jobs`}. The service starts its jobs every ${clockInterval(target)}. Ctrl-C ends this command, not the jobs.`,
      );
    }
    let shown = "";
    for (;;) {
      const states = await readJobs(target, databases, created);
      const counts = countsOf(states);
      const done = states.every((job) => job.finished_at !== null);
      const line = `${done ? "Done: " : ""}${counts.looked_at} files examined, ${counts.changed} written, ${counts.failed} failed.`;
      const failing = states.filter(({ failed }) => failed > 0).map(({ job_id }) => job_id);
      if (json && done) console.log(JSON.stringify({ ...counts, jobs_with_failures: failing }));
      if (!json && line !== shown) console.log(line);
      if (!json && done)
        for (const id of failing) {
          console.log(`To list the failures: npm run project-again -- --failures ${id}`);
        }
      if (done) return null;
      shown = line;
      await delay(POLL_INTERVAL_MS);
    }
  } catch (fault) {
    return refusalOf(fault);
  } finally {
    await closeOnce();
  }
}

function countsOf(jobs: readonly Job[]) {
  const sum = (name: "looked_at" | "changed" | "failed") => jobs.reduce((total, job) => total + job[name], 0);
  return { looked_at: sum("looked_at"), changed: sum("changed"), failed: sum("failed") };
}

/** Returns the database of each partner. */
async function allPartners(target: Target): Promise<{ ok: true; databases: Map<string, string> } | Refusal> {
  const registry = registryAt(target);
  try {
    const partners = await registry.list();
    return {
      ok: true,
      databases: new Map(partners.map((partner) => [partner.partner_id, partner.database])),
    };
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

const refusal = await main();
if (refusal !== null) exitWith(refusal);
