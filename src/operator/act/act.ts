import { collectorNamed, collectorOfId } from "../../collector/client.ts";
import { MIGRATIONS } from "../../collector/storage/schema.ts";
import { MAX_RETRIED_FILES } from "../../contract/limits.ts";
import { isUsedUp, sumOverDatabases, wholeInvocation, type Allowance } from "../../database/databases.ts";
import { readEvent } from "../../deliveries/read.ts";
import { resendEvent } from "../../deliveries/sendEvent.ts";
import { receiversOfEvent } from "../../endpoints/read.ts";
import type { Env } from "../../env.ts";
import { previewRetry, retryFiles } from "../../files/retryFiles.ts";
import { DECODER_VERSION } from "../../fit/index.ts";
import { faultName } from "../../log.ts";
import { partnerKey } from "../../partners/partner.ts";
import { readPartner } from "../../partners/registry.ts";
import type { ActParameters } from "./write.ts";
import { claimActs, finishAct, sizeOf } from "./write.ts";

/** Maximum number of actions of one run for each database. */
const ACTS_PER_RUN = 50;
/** Lifetime of a claim. Then another run repeats the action of a run that died. */
const CLAIM_MS = 60_000;
/** Key that no store has. Reading it tries the store. */
const NO_KEY = "doctor";

/** Does the actions that operators have requested. Returns how many. */
export async function runActs(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) => {
    let done = 0;
    for (const { job_id, parameters } of await claimActs(database, nowMs, nowMs + CLAIM_MS, ACTS_PER_RUN)) {
      // The claim of the others ends, and another run does them.
      if (isUsedUp(allowance)) break;
      let result: object;
      try {
        result = await act(env, database, parameters, nowMs);
      } catch (fault) {
        result = { fault: faultName(fault) };
      }
      await finishAct(database, job_id, result);
      done += 1;
    }
    return done;
  });
}

async function act(
  env: Env,
  database: D1Database,
  { action, partner_id, id }: ActParameters,
  nowMs: number,
): Promise<object> {
  switch (action) {
    case "examine":
      return examine(env, database);
    case "inspect":
      return inspect(env, partner_id, id);
    case "retry":
      return { retried: await retry(env, partner_id, id) };
    case "resend":
      return { resent: await resend(env, partner_id, id, nowMs) };
  }
}

/** Result of `examine`: one entry for each store, with its fault if it failed. */
export interface Examination {
  /** The running version. Its tag is the commit, or null without one. */
  version: { id: string; tag: string | null };
  decoder_version: number;
  collector_schema: number;
  database_bytes: number;
  stores: Record<string, { milliseconds: number; fault: string | null; backlog: number | null }>;
}

async function examine(env: Env, database: D1Database): Promise<Examination> {
  const stores: Examination["stores"] = {};
  const attempt = async (name: string, work: () => Promise<number | null>) => {
    const startedAt = Date.now();
    let backlog: number | null = null;
    let fault: string | null = null;
    try {
      backlog = await work();
    } catch (thrown) {
      fault = faultName(thrown);
    }
    stores[name] = { milliseconds: Date.now() - startedAt, fault, backlog };
  };
  const nothing = async (work: Promise<unknown>) => {
    await work;
    return null;
  };
  await attempt("R2", async () => nothing(env.FILES.head(NO_KEY)));
  await attempt("KV", async () => nothing(env.PARTNERS.get(partnerKey(NO_KEY))));
  await attempt("collector", async () => nothing(collectorNamed(env, NO_KEY).newestVersion()));
  for (const name of QUEUES) {
    await attempt(`queue ${name}`, async () => (await env[name].metrics()).backlogCount);
  }
  const { id, tag } = env.CF_VERSION_METADATA;
  return {
    version: { id, tag: tag === "" ? null : tag },
    decoder_version: DECODER_VERSION,
    collector_schema: MIGRATIONS.length,
    database_bytes: await sizeOf(database),
    stores,
  };
}

const QUEUES = [
  "PRIORITY",
  "BULK",
  "RETRY",
  "DELIVERIES",
  "JOBS",
  "DISPATCHES_DEAD",
  "DELIVERIES_DEAD",
] as const;

/** Returns the collector's view of a file or of an import. Fields with user ids are part of it: it is not logged. */
async function inspect(env: Env, partnerId: string, id: string): Promise<object> {
  const collector = collectorOfId(env, partnerId, id);
  const file = await collector.readFile(id);
  return {
    file,
    timeline: file === null ? null : await collector.timeline(id),
    retry: file === null ? null : await previewRetry(env, partnerId, { file_id: id, by: "operator" }),
    import: await collector.readImport(id),
    newest_version: await collector.newestVersion(),
    alarm_was_missing: await collector.wake(),
  };
}

/** Delivers an event again. Returns false when it is unknown, is due or is being delivered, or without the partner's settings. */
async function resend(env: Env, partnerId: string, id: string, nowMs: number): Promise<boolean> {
  const partner = await readPartner(env.PARTNERS, partnerId);
  const event = partner === null ? null : await readEvent(env, partner, id);
  if (partner === null || event === null) return false;
  return resendEvent(env, partner, id, await receiversOfEvent(env, partner, event), nowMs);
}

/** Queues a failed file, or all failed files of an import, again. Returns how many. */
async function retry(env: Env, partnerId: string, id: string): Promise<number> {
  const by = "operator";
  const file = await retryFiles(env, partnerId, { file_id: id, by }, 1);
  return file > 0 ? file : retryFiles(env, partnerId, { import_id: id, by }, MAX_RETRIED_FILES);
}
