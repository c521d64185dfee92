import { z } from "zod";
import type { Claim } from "../collector/calls.ts";
import { collectorNamed, type Collector } from "../collector/client.ts";
import { ownerOf } from "../collector/projection.ts";
import type { Outcome } from "../collector/settle.ts";
import { settleAll } from "../concurrency.ts";
import { databaseFor } from "../database.ts";
import type { Env } from "../env.ts";
import { faultName, logSetback, logUnit } from "../log.ts";
import { readPartner } from "../partners/registry.ts";
import { importFile, ownFault, type DecodedFile } from "./importFile.ts";
import { makeReadable } from "./makeReadable.ts";

const messageSchema = z.object({ collector: z.string().min(1), dispatch_id: z.string().min(1) });

/** The platform lets 6 connections of an invocation wait for headers; the seventh would queue behind them. */
const CONNECTIONS = 6;
/** A claim lives 60 s without a word: outcomes are reported well before. */
const REPORT_EVERY_MS = 20_000;

/** Imports what dispatches name. Never throws: a throw would deliver every message of the batch again. */
export async function consumeDispatches(batch: MessageBatch, env: Env): Promise<void> {
  const connections = new Connections(CONNECTIONS);
  await settleAll(batch.messages, batch.messages.length, async (message) => {
    const startedAt = Date.now();
    const parsed = messageSchema.safeParse(message.body);
    if (!parsed.success) {
      logSetback("unreadable_message", { queue: batch.queue, message_id: message.id });
      message.ack();
      return;
    }
    const { collector, dispatch_id } = parsed.data;
    const about = {
      queue: batch.queue,
      partner_id: partnerOf(collector),
      collector,
      dispatch_id,
      attempt: message.attempts,
    };
    try {
      const tally = await importDispatch(env, collector, dispatch_id, connections);
      logUnit("dispatch", { ...about, ...tally, milliseconds: Date.now() - startedAt });
    } catch (fault) {
      // The collector counts a claim without a word, and sends again a message that claimed nothing.
      logUnit("dispatch", {
        ...about,
        outcome: "fault",
        fault: faultName(fault),
        milliseconds: Date.now() - startedAt,
      });
    }
    message.ack();
  });
}

/** A collector's name begins with its partner's id. */
function partnerOf(collector: string): string {
  return collector.slice(0, Math.max(0, collector.indexOf("/")));
}

/** A dispatch that its queue gave up on: the collector's leases bring the work back, so it is only counted here. */
export async function consumeDeadDispatches(batch: MessageBatch, env: Env): Promise<void> {
  for (const message of batch.messages) {
    const parsed = messageSchema.safeParse(message.body);
    const about = parsed.success
      ? { partner_id: partnerOf(parsed.data.collector), ...parsed.data }
      : { message_id: message.id };
    logUnit("dead_letter", {
      queue: batch.queue,
      ...about,
      outcome: parsed.success ? "done" : "unreadable_message",
    });
    if (parsed.success) {
      await collectorNamed(env, parsed.data.collector)
        .abandon(parsed.data.dispatch_id)
        .catch((fault: unknown) => logSetback("abandon_unheard", { ...about, fault: faultName(fault) }));
    }
    message.ack();
  }
}

type DispatchTally = { outcome: string; files: number; imported: number; failed: number; try_again: number };

async function importDispatch(
  env: Env,
  collectorName: string,
  dispatchId: string,
  connections: Connections,
): Promise<DispatchTally> {
  const tally: DispatchTally = { outcome: "done", files: 0, imported: 0, failed: 0, try_again: 0 };
  const collector = collectorNamed(env, collectorName);
  const claim: Claim | null = await collector.claim(dispatchId);
  if (claim === null) return { ...tally, outcome: "nothing_to_claim" };
  tally.files = claim.items.length;

  const reporter = new Reporter(env, collector, dispatchId, claim, tally);
  const partner = await readPartner(env.PARTNERS, claim.names.partner_id).catch(() => undefined);
  const context = {
    env,
    partnerId: claim.names.partner_id,
    userId: claim.names.user_id,
    rules: {
      local: env.ENVIRONMENT === "local",
      allowedHosts: partner?.callback_hosts ?? [],
      ownHost: claim.own_host,
    },
  };
  await settleAll(claim.items, CONNECTIONS, async (item) => {
    if (partner === undefined) {
      await reporter.add(ownFault(item, "The partner registry did not answer."));
      return;
    }
    await connections.use(async () => {
      if (reporter.claimIsOver()) return;
      await reporter.add(await importFile(context, item));
    });
  });
  await reporter.finish();
  return tally;
}

/** Gathers what became of the files, makes it readable and tells the collector: at the end, or every 20 s. */
class Reporter {
  readonly #env: Env;
  readonly #collector: Collector;
  readonly #dispatchId: string;
  readonly #claim: Claim;
  readonly #tally: DispatchTally;
  #decoded: DecodedFile[] = [];
  #outcomes: Outcome[] = [];
  #until: number | null;
  #reportedAt = Date.now();
  #reporting: Promise<void> = Promise.resolve();

  constructor(env: Env, collector: Collector, dispatchId: string, claim: Claim, tally: DispatchTally) {
    this.#env = env;
    this.#collector = collector;
    this.#dispatchId = dispatchId;
    this.#claim = claim;
    this.#tally = tally;
    this.#until = claim.until;
  }

  /** Somebody else may have the rest by now: no further URL is used. */
  claimIsOver(): boolean {
    return this.#until === null || Date.now() >= this.#until;
  }

  async add(file: DecodedFile | Outcome): Promise<void> {
    if (file.result === "decoded") this.#decoded.push(file);
    else this.#outcomes.push(file);
    if (Date.now() - this.#reportedAt >= REPORT_EVERY_MS) await this.finish();
  }

  /** Reports follow one another: each renews the claim for the next. */
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
      this.#until = await this.#collector.report(this.#dispatchId, this.#claim.claim, outcomes);
    } catch (fault) {
      this.#outcomes.unshift(...outcomes);
      throw fault;
    }
    for (const outcome of outcomes) this.#tally[outcome.result] += 1;
  }

  async #makeReadable(decoded: DecodedFile[]): Promise<Outcome[]> {
    const owner = ownerOf(this.#claim.names);
    const database = databaseFor(this.#env, owner.partner_id);
    try {
      const { outcomes, erasedBefore } = await makeReadable(database, owner, decoded);
      if (erasedBefore > 0) await this.#collector.erase(erasedBefore);
      return outcomes;
    } catch (fault) {
      const detail = `A store of ours did not answer (${faultName(fault)}).`;
      return decoded.map((file) => ownFault(file.item, detail, file.stored));
    }
  }
}

/** At most so many of an invocation's files are underway at a time, whichever message they came with. */
class Connections {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async use(work: () => Promise<void>): Promise<void> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
