import { z } from "zod";
import type { Claim, Claimant, Outcome, WorkItem } from "../collector/calls.ts";
import { collectorNamed, type Collector } from "../collector/client.ts";
import { identityOf } from "../collector/identity.ts";
import { withRetries } from "../concurrency/withRetries.ts";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { randomId } from "../identifiers.ts";
import { faultName, logLine, type DispatchResult } from "../log.ts";
import { reserveAll, sharedMemory } from "../memory/budget.ts";
import { gatherOutcomes } from "../outcomes/client.ts";
import type { Lane } from "../windows/partner.pure.ts";
import { MEMORY_SHORT } from "./download.ts";
import { enterHosts, runInHostSlots } from "./hostSlots.ts";
import { importFile, ownFault, postponed, type DecodedFile } from "./importFile.ts";
import { makeReadable } from "./makeReadable.ts";
import { permitOf } from "./permission.ts";

const messageSchema = z.object({ collector: z.string().min(1), dispatch_id: z.string().min(1) });

/** Maximum number of simultaneous downloads. The platform lets only 6 connections of an invocation wait for headers. */
const CONNECTIONS = 6;
/** Maximum time between reports while files end. A file that starts then has 55 s of the claim left, and needs 50. */
const REPORT_EVERY_MS = 5_000;
/** A claim with less time left is renewed before a file starts: a download needs up to 30 s, storing up to 10 s. */
const RENEW_BELOW_MS = 45_000;
/** Maximum time for one file, including its waits for memory. */
const LONGEST_FILE_MS = 5 * 60_000;

/** Delay before a message is redelivered after a fault, such as an unreachable collector. */
const RETRY = { delaySeconds: 1 };
/** Minimum time that files are postponed after a fault of D1. */
const D1_PAUSE_MS = 5_000;

/** Imports the files of dispatches. Acknowledges each message or retries it. Never throws. */
export async function consumeDispatches(batch: MessageBatch, env: Env): Promise<void> {
  for (const message of batch.messages) await consumeDispatch(message, batch.queue, env);
}

async function consumeDispatch(message: Message, queue: string, env: Env): Promise<void> {
  const startedAt = Date.now();
  const parsed = messageSchema.safeParse(message.body);
  if (!parsed.success) {
    logLine({ unit: "setback", outcome: "unreadable_message", queue, message_id: message.id });
    message.ack();
    return;
  }
  const { collector, dispatch_id } = parsed.data;
  const fields = {
    unit: "dispatch" as const,
    queue,
    partner_id: partnerOf(collector),
    collector,
    dispatch_id,
    attempt: message.attempts,
  };
  const claimant = { claim: randomId(), message_id: message.id, attempt: message.attempts };
  try {
    const result = await importDispatch(env, collector, dispatch_id, claimant, laneOf(queue));
    logLine({ ...fields, ...result, milliseconds: Date.now() - startedAt });
    message.ack();
  } catch (fault) {
    logLine({
      ...fields,
      outcome: "fault",
      fault: faultName(fault),
      milliseconds: Date.now() - startedAt,
    });
    // The next delivery ends this delivery's claim at the collector, so nothing waits for it to expire.
    message.retry(RETRY);
  }
}

/** Returns the lane of a queue. Queue names of the staging environment have a suffix. */
function laneOf(queue: string): Lane {
  if (queue.startsWith("partner-api-priority")) return "PRIORITY";
  return queue.startsWith("partner-api-bulk") ? "BULK" : "RETRY";
}

/** Returns the lane of claimed files. Held ones have few slots, so that they do not delay imports. */
function laneOfItems(items: readonly WorkItem[], queueLane: Lane): Lane {
  return items.some((item) => item.prefetch === true) ? "PREFETCH" : queueLane;
}

/** Returns the partner's id, with which a collector's name begins. */
function partnerOf(collector: string): string {
  return collector.slice(0, Math.max(0, collector.indexOf("/")));
}

/** Reports dead-lettered dispatches to their collectors, which send the work again immediately. */
export async function consumeDeadDispatches(batch: MessageBatch, env: Env): Promise<void> {
  for (const message of batch.messages) {
    const parsed = messageSchema.safeParse(message.body);
    const unit = { unit: "dead_letter" as const, queue: batch.queue };
    if (!parsed.success) {
      logLine({ ...unit, message_id: message.id, outcome: "unreadable_message" });
      message.ack();
      continue;
    }
    const { collector, dispatch_id } = parsed.data;
    const names = { partner_id: partnerOf(collector), collector, dispatch_id };
    logLine({ ...unit, ...names, outcome: "done" });
    try {
      await collectorNamed(env, collector).abandon(dispatch_id);
      message.ack();
    } catch (fault) {
      // The message is redelivered. Independently the collector sends the work again after the claim or lease.
      logLine({ unit: "setback", outcome: "abandon_failed", ...names, fault: faultName(fault) });
      message.retry(RETRY);
    }
  }
}

async function importDispatch(
  env: Env,
  collectorName: string,
  dispatchId: string,
  claimant: Claimant,
  lane: Lane,
): Promise<DispatchResult> {
  const tally: DispatchResult = {
    outcome: "done",
    files: 0,
    imported: 0,
    stored: 0,
    failed: 0,
    try_again: 0,
    own_faults: 0,
    postponed: 0,
  };
  const permit = permitOf(env, partnerOf(collectorName));
  const permission = await permit();
  // The dispatch stays unclaimed. The collector sends it again after each lease, until the partner is resumed.
  if (!permission.ok && permission.why === "suspended") return { ...tally, outcome: "suspended" };
  // A stub may stay broken after a call that threw, so each call gets a new stub.
  const collector = () => collectorNamed(env, collectorName);
  // Without settings nothing is downloaded, and held files are tried again.
  const prefetches = !permission.ok || permission.prefetchHeld;
  const claim = await withRetries(async (): Promise<Claim | null> =>
    collector().claim(dispatchId, { ...claimant, prefetches }),
  );
  if (claim === null) return { ...tally, outcome: "nothing_to_claim" };
  tally.files = claim.items.length;

  const reporter = new Reporter(env, collector, dispatchId, claim, tally);
  const { partner_id: partnerId, user_id: userId } = claim.names;
  const hosts = await enterHosts(env, partnerId, laneOfItems(claim.items, lane), claim.items, CONNECTIONS);
  const wholeBudget = claim.exclusive ? await reserveAll(partnerId, claim.until) : null;
  const memory = claim.exclusive ? wholeBudget : sharedMemory(partnerId);
  try {
    await runInHostSlots(claim.items, hosts, CONNECTIONS, async (item, slots) => {
      if (memory === null) {
        await reporter.add(ownFault(item, MEMORY_SHORT.detail));
        return;
      }
      if (reporter.claimedUntil() === null) return;
      const endsAt = Date.now() + LONGEST_FILE_MS;
      const until = () => Math.min(endsAt, reporter.claimedUntil() ?? 0);
      const file = await importFile({ env, partnerId, userId, permit, memory }, item, slots, until);
      if (file.result === "suspended") tally.outcome = "suspended";
      else await reporter.add(file);
    });
  } finally {
    wholeBudget?.release();
    // The slots are free for other work while the files are made readable.
    const left = Promise.all([...hosts.values()].map(async (slots) => slots.leave()));
    try {
      await reporter.finish();
    } finally {
      await left;
    }
  }
  if (tally.outcome === "suspended") {
    await withRetries(async () => collector().putBack(dispatchId, claim.claim));
  }
  return tally;
}

/** Makes decoded files readable and reports outcomes to the collector: every `REPORT_EVERY_MS` and at the end. */
class Reporter {
  readonly #env: Env;
  readonly #collector: () => Collector;
  readonly #dispatchId: string;
  readonly #claim: Claim;
  readonly #tally: DispatchResult;
  #decoded: DecodedFile[] = [];
  #outcomes: Outcome[] = [];
  #until: number | null;
  #reportedAt = Date.now();
  #reporting: Promise<void> = Promise.resolve();
  #isRenewing = false;

  constructor(env: Env, collector: () => Collector, dispatchId: string, claim: Claim, tally: DispatchResult) {
    this.#env = env;
    this.#collector = collector;
    this.#dispatchId = dispatchId;
    this.#claim = claim;
    this.#tally = tally;
    this.#until = claim.until;
  }

  /**
   * Returns the end of the claim in Unix milliseconds. Null when the claim has ended: another importer may work on the
   * remaining files, so no more URLs are used. A file that waits for memory calls this repeatedly, to renew the claim.
   */
  claimedUntil(): number | null {
    const leftMs = (this.#until ?? 0) - Date.now();
    if (leftMs <= 0) return null;
    if (leftMs < RENEW_BELOW_MS) this.#renew();
    return this.#until;
  }

  /** Renews the claim without an outcome. When a renewal fails, the next call tries again. */
  #renew(): void {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    this.#reporting = this.#renewAfter(this.#reporting);
  }

  async #renewAfter(earlier: Promise<void>): Promise<void> {
    try {
      await earlier.catch(() => undefined);
      this.#until = await this.#collector().report(this.#dispatchId, this.#claim.claim, []);
    } catch {
      // The claim has time left, and the next call tries again.
    } finally {
      this.#isRenewing = false;
    }
  }

  async add(file: DecodedFile | Outcome): Promise<void> {
    if (file.result === "decoded") this.#decoded.push(file);
    else this.#outcomes.push(file);
    if (Date.now() - this.#reportedAt >= REPORT_EVERY_MS) await this.finish();
  }

  /** Reports run one after another, because each renews the claim for the next. */
  async finish(): Promise<void> {
    this.#reporting = this.#reporting.catch(() => undefined).then(() => this.#report());
    await this.#reporting;
  }

  async #report(): Promise<void> {
    const decoded = this.#decoded.splice(0);
    const outcomes = this.#outcomes.splice(0);
    if (decoded.length + outcomes.length === 0) return;
    this.#reportedAt = Date.now();
    outcomes.push(...(await this.#makeReadable(decoded)));
    try {
      this.#until = await withRetries(
        async () => this.#collector().report(this.#dispatchId, this.#claim.claim, outcomes),
        () => this.claimedUntil() !== null,
      );
    } catch (fault) {
      this.#outcomes.unshift(...outcomes);
      throw fault;
    }
    for (const outcome of outcomes) {
      this.#tally[outcome.result] += 1;
      if (outcome.result === "try_again" && outcome.origin === "own_store") this.#tally.own_faults += 1;
    }
  }

  async #makeReadable(decoded: DecodedFile[]): Promise<Outcome[]> {
    const owner = identityOf(this.#claim.names);
    const database = databaseFor(this.#env, owner);
    try {
      const { outcomes, erasedBefore, mustReport } = await makeReadable(database, owner, decoded);
      if (mustReport) await gatherOutcomes(this.#env, owner);
      if (erasedBefore > 0) await this.#collector().applyMissedErasure(erasedBefore);
      return outcomes;
    } catch (fault) {
      logLine({
        unit: "setback",
        outcome: "imported_later",
        partner_id: owner.partner_id,
        dispatch_id: this.#dispatchId,
        files: decoded.length,
        fault: faultName(fault),
      });
      return decoded.map((file) => postponed(file.item, "own_store", D1_PAUSE_MS, file.stored));
    }
  }
}
