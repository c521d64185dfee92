import { databaseFor } from "../../src/database/databases.ts";
import { MAX_RETRIED_FILES } from "../../src/contract/limits.ts";
import type {
  AcceptedPings,
  Claim,
  CollectorNames,
  PingEntry,
  PingStatus,
  StartedImport,
  TaskEntry,
} from "../../src/collector/calls.ts";
import type { Submission } from "../../src/collector/files/submission.pure.ts";
import { consumeDeadDeliveries, consumeDeliveries } from "../../src/deliveries/consume.ts";
import { deleteFile } from "../../src/files/deleteFile.ts";
import { editFile } from "../../src/files/editFile.ts";
import type { EditChange } from "../../src/files/edits.pure.ts";
import { hourOf, INLINE_PREFIX } from "../../src/files/objectKeys.ts";
import { sweepInlineBytes } from "../../src/files/sweep.ts";
import { collectorName, fileId } from "../../src/identifiers.ts";
import { consumeDeadDispatches, consumeDispatches } from "../../src/importer/consumeDispatches.ts";
import { cancelImport } from "../../src/imports/cancelImport.ts";
import { startImport } from "../../src/imports/startImport.ts";
import { digestOf, newWebhookSecret, partnerKey, type Partner } from "../../src/partners/partner.ts";
import { acceptPings } from "../../src/pings/acceptPings.ts";
import type { ValidPing } from "../../src/pings/ping.ts";
import { runScheduled } from "../../src/scheduled.ts";
import { eraseUser } from "../../src/erasure/eraseUser.ts";
import { pingFields } from "../support/pings.ts";
import { Faults } from "./faults.ts";
import { current, Ended, Invocation, Scheduler } from "./invocations.ts";
import { badContent, goodContent, Host, type Content, type HostKind } from "./outside.ts";
import { FeedReader } from "./feedReader.ts";
import {
  castTo,
  instrument,
  restoreBindings,
  type CallObserver,
  type CollectorMethod,
  type Platform,
  type QueueBinding,
} from "./platform.ts";

export const USERS = ["ada", "ben"] as const;
const SOURCES = ["watch", "phone"] as const;
const SUMMARIES = ["ride-1", "ride-2", "ride-3"] as const;
const EVENTS = [null, "event-1", "event-2"] as const;
const RECEIVER = "https://partner.example.com/events";
const PLANNER = "https://planner.example.com/plans";

const LONGEST_INVOCATION_MS = 15 * 60_000;
const HOUR_MS = 60 * 60_000;
/** Minutes past the hour. */
const SWEEP_AT_MS = 5 * 60_000;
/** The first delivery and three retries. */
const DELIVERIES_OF_MESSAGE = 4;

/** How far a command's invocation runs: to the end, or for steps that each choose the invocation to continue. */
export type Pace = "finish" | number[];

export interface PingSpec {
  user: number;
  source: number;
  summary: number;
  priority: 0 | 1;
  overwrite: boolean;
  sequence: number | null;
  /** Source of the bytes. A number repeats the URL or the bytes of an earlier ping of the file. */
  from: { host: HostKind } | { inline: "good" | "bad" } | { repeat: number; same: boolean };
}

export interface EditSpec {
  user: number;
  source: number;
  summary: number;
  field: "activity_name" | "sport" | "exclude_from_training";
  undo: boolean;
}

/** An edit in a call of a collector. `value` is null when it undoes an edit. */
export interface CollectorEdit {
  file_id: string;
  field: EditSpec["field"];
  value: string | boolean | null;
  from: number;
  to: number;
  /** Whether the collector knew the file. Null while unknown. */
  known: boolean | null;
}

export interface TaskSpec {
  user: number;
  source: number;
  event: number;
  initial: boolean;
}

/** A ping in a call of a collector. The order of two calls is known when their spans do not overlap. */
export interface CollectorPing {
  collector: string;
  file_id: string;
  priority: 0 | 1;
  overwrite: boolean;
  submission: Submission;
  content: Content;
  /** Whether its host would send the bytes. */
  gives: boolean;
  from: number;
  to: number;
  /** Null while unknown, because the call ended without a result. */
  status: PingStatus | null;
  version: number | null;
  invocation: Invocation | undefined;
  /** When the partner got the response that accepted it. Null without a response. */
  answered: number | null;
}

export interface CollectorTask {
  collector: string;
  user: string;
  from: number;
  to: number;
  event_id: string | null;
  initial: boolean;
  answer: StartedImport | null;
  invocation: Invocation | undefined;
  /** When the partner got the response. Null without a response. */
  answered: number | null;
}

export interface Erasure {
  user: string;
  from: number;
  to: number;
  at: number;
  done: boolean;
}

/** A deletion of one file. */
export interface Deletion {
  file_id: string;
  from: number;
  to: number;
  /** Whether the file was known. Null without a result. */
  done: boolean | null;
}

interface Download {
  invocation: Invocation;
  file_id: string;
  version: number;
  dispatch: string;
  stored: boolean;
}

interface Post {
  id: string;
  invocation: Invocation;
  at: number;
  ok: boolean;
}

export interface Message {
  queue: QueueBinding;
  body: unknown;
  id: string;
  sentAt: number;
  /** Number of deliveries, including the next one. Two concurrent deliveries of a message count as one. */
  attempts: number;
}

export type ReceiverBehavior = "well" | "failing" | "away";

/** A broken promise. */
export class Broken extends Error {
  override name = "Broken";
}

/** Settings that hold from the start of a story. */
export interface StorySettings {
  /** Whether a training plan service exists. */
  planner: boolean;
  /** Whether held files are downloaded before their task. */
  prefetch: boolean;
}

let worlds = 0;

/** One run: its own partner, the requests, the observations of hosts and receivers, and the expected results. */
export class World {
  readonly platform: Platform;
  readonly faults = new Faults();
  readonly scheduler: Scheduler;
  readonly partner: Partner;
  readonly planner: boolean;
  now: number;
  /** Counter that orders observations. */
  #moment = 0;
  readonly messages: Message[] = [];
  readonly pings: CollectorPing[] = [];
  readonly edits: CollectorEdit[] = [];
  readonly tasks: CollectorTask[] = [];
  readonly erasures: Erasure[] = [];
  readonly deletions: Deletion[] = [];
  /** Readers that follow only the lists of changes. */
  readonly readers: readonly FeedReader[];
  readonly hosts = new Map<string, Host>();
  /** Content of stored objects, by key. */
  readonly objects = new Map<string, Content>();
  /** Content of each claimed version. */
  readonly claimed = new Map<string, Content>();
  readonly downloads: Download[] = [];
  readonly posts: Post[] = [];
  /** Sent pings, so that the partner can repeat one. */
  readonly sent: ValidPing[] = [];
  /** Imports that were to be cancelled, and whether the response said that they are. */
  readonly cancelled = new Map<string, "requested" | "answered">();
  readonly answered: { file_id: string; collector: string; user: string; from: number }[] = [];
  readonly broken: string[] = [];
  readonly trace: string[] = [];
  receiver: ReceiverBehavior = "well";
  /** Whether a clock of the service was behind another. */
  skewed = false;
  /** Whether held files are downloaded before their task: in the whole story, in none of it, or in a part. */
  prefetch: "always" | "never" | "changed";
  /** Collectors that were called. */
  readonly called = new Set<string>();
  #invocations: Invocation[] = [];
  #marks = 0;
  #sent = 0;
  /** Running deliveries of a message. */
  readonly #delivering = new Map<string, number>();
  readonly #contents = new Map<string, Content>();
  readonly #fetch = globalThis.fetch;

  constructor(platform: Platform, startAt: number, { planner, prefetch }: StorySettings) {
    worlds += 1;
    this.platform = platform;
    this.scheduler = new Scheduler(platform.interleaving);
    this.now = startAt;
    this.planner = planner;
    this.prefetch = prefetch ? "always" : "never";
    const created_at = new Date(startAt).toISOString();
    this.partner = {
      partner_id: `model-${worlds}-${startAt}`,
      name: null,
      status: "active",
      created_at,
      database: worlds % 2 === 0 ? "DB" : "DB_2",
      revision: 0,
      self_service_locked: false,
      keys: [
        { key_id: "key", digest: digestOf("key"), created_at, expires_at: null, label: null, scope: "full" },
      ],
      event_url: RECEIVER,
      webhook_secrets: [{ secret_id: "secret", secret: newWebhookSecret(), created_at, expires_at: null }],
      callback_hosts: [],
      source_order: [],
      prefetch_held: prefetch,
      limits: { requests_per_minute: null, files_per_minute: null },
      quotas: { files: null, stored_bytes: null },
    };
    this.readers = [
      new FeedReader(platform.env, this.partner, 1),
      new FeedReader(platform.env, this.partner, 2),
    ];
  }

  async open(): Promise<void> {
    const { env } = this.platform;
    this.platform.setNow(this.now);
    await env.PARTNERS.put(partnerKey(this.partner.partner_id), JSON.stringify(this.partner));
    env.TRAINING_PLAN_URL = this.planner ? PLANNER : "";
    env.TRAINING_PLAN_SECRET = this.planner ? newWebhookSecret() : "";
    instrument(env, this.scheduler, this.faults, {
      called: (method, collector, args) => this.#called(method, collector, args),
      sent: (queue, body) => {
        this.#sent += 1;
        this.messages.push({ queue, body, id: `message-${this.#sent}`, sentAt: this.now, attempts: 1 });
      },
      waiting: (queue) =>
        this.messages.filter((message) => message.queue === queue).map(({ sentAt }) => sentAt),
      stored: (key, bytes) => this.#stored(key, bytes),
    });
    globalThis.fetch = async (input, init) => this.#answer(new Request(input, init));
  }

  /** Changes whether held files are downloaded before their task. */
  async setPrefetch(prefetch_held: boolean): Promise<void> {
    if (this.partner.prefetch_held === prefetch_held) return;
    this.prefetch = "changed";
    this.partner.prefetch_held = prefetch_held;
    const { partner_id } = this.partner;
    await this.platform.env.PARTNERS.put(partnerKey(partner_id), JSON.stringify(this.partner));
  }

  close(): void {
    restoreBindings();
    globalThis.fetch = this.#fetch;
  }

  moment(): number {
    this.#moment += 1;
    return this.#moment;
  }

  note(line: string): void {
    this.trace.push(line);
  }

  break(promise: string): void {
    this.broken.push(promise);
    this.trace.push(`BROKEN ${promise}`);
  }

  setNow(ms: number): void {
    this.now = ms;
    this.platform.setNow(ms);
  }

  collectors(): { name: string; user: string; source: string }[] {
    return USERS.flatMap((user) =>
      SOURCES.map((source) => ({ name: collectorName(this.partner.partner_id, user, source), user, source })),
    );
  }

  collectorAt(pick: number): string {
    const all = this.collectors();
    return all[pick % all.length]?.name ?? "";
  }

  /** Starts an invocation. Its failure is what a caller would see, and does not fail the model. */
  async invoke<T>(
    label: string,
    endsAt: number | null,
    pace: Pace,
    work: () => Promise<T>,
    then: (result: T) => void = () => undefined,
  ): Promise<void> {
    const invocation = new Invocation(label, endsAt);
    this.#invocations.push(invocation);
    this.scheduler.start(async () => {
      try {
        const result = await current.run(invocation, work);
        if (!invocation.ended) current.run(invocation, () => then(result));
        if (label !== "scheduled") this.note(`${label}: ${invocation.ended ? "ended" : "done"}`);
      } catch (fault) {
        const known =
          fault instanceof Error &&
          (fault instanceof Ended ||
            fault.name === "StoreFault" ||
            /did not answer|has ended|evicted/.test(fault.message));
        this.note(`${label}: ${fault instanceof Error ? fault.message : String(fault)}`);
        if (!known && !invocation.ended) {
          this.break(
            `${label} threw ${fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)}`,
          );
        }
      }
    });
    await (pace === "finish" ? this.scheduler.finish() : this.scheduler.steps(pace));
  }

  /**
   * Moves the time forward or back. Ends invocations at the platform's maximum duration, and runs the hourly sweep at
   * its minutes.
   */
  async pass(ms: number): Promise<void> {
    if (ms >= LONGEST_INVOCATION_MS) {
      for (const invocation of this.#invocations) invocation.ended = true;
      // A call of an object that they made ends as well, and not hours later: its waits have deadlines of seconds.
      await this.scheduler.finish();
    }
    if (ms < 0) this.skewed = true;
    const until = this.now + ms;
    for (;;) {
      const sweepAt = Math.floor((this.now - SWEEP_AT_MS) / HOUR_MS + 1) * HOUR_MS + SWEEP_AT_MS;
      if (sweepAt > until) break;
      this.setNow(sweepAt);
      if (!this.#storedInlineAt(sweepAt - 2 * HOUR_MS)) continue;
      await this.faults.without(() => current.exit(() => sweepInlineBytes(this.platform.env, sweepAt)));
    }
    this.setNow(until);
  }

  /** Returns whether the sweep of that hour has objects to check. */
  #storedInlineAt(ms: number): boolean {
    const prefix = `${INLINE_PREFIX}${hourOf(ms)}/`;
    return [...this.objects.keys()].some((key) => key.startsWith(prefix));
  }

  /** Ends a running invocation. */
  kill(pick: number): void {
    const alive = this.#invocations.filter((invocation) => !invocation.ended);
    const invocation = alive[alive.length - 1 - (pick % Math.max(1, alive.length))];
    if (invocation !== undefined) invocation.ended = true;
  }

  ping(specs: readonly PingSpec[], endsAt: number | null, pace: Pace): Promise<void> {
    const pings = specs.map((spec) => this.#pingOf(spec));
    this.sent.push(...pings);
    const from = this.moment();
    return this.invoke(
      `ping ${pings.map((ping) => `${ping.user_id}/${ping.source}/${ping.summary_id}:p${ping.priority}${ping.overwrite_mode ? "o" : ""}${ping.sequence_number === null ? "" : `#${ping.sequence_number}`}=${ping.activity_name}`).join(" ")}`,
      endsAt,
      pace,
      () => acceptPings(this.platform.env, this.partner, pings, this.now),
      (answers) => {
        for (const ping of this.pings)
          if (ping.invocation === current.getStore()) ping.answered = this.moment();
        if (answers.length !== pings.length) this.break("every ping of a request has a result");
        for (const answer of answers) {
          const collector = collectorName(this.partner.partner_id, answer.user_id, answer.source);
          this.answered.push({ file_id: answer.file_id, collector, user: answer.user_id, from });
          this.note(`  ${answer.user_id}/${answer.source}/${answer.summary_id} ${answer.status}`);
        }
      },
    );
  }

  #pingOf({ user, source, summary, priority, overwrite, sequence, from }: PingSpec): ValidPing {
    const names = {
      user_id: USERS[user] ?? "",
      source: SOURCES[source] ?? "",
      summary_id: SUMMARIES[summary] ?? "",
    };
    const fields = {
      file_type: "FIT" as const,
      ...names,
      ...pingFields({ priority, overwrite_mode: overwrite, sequence_number: sequence }),
    };
    if ("repeat" in from) {
      const earlier = this.sent.filter(
        (ping) =>
          ping.user_id === names.user_id &&
          ping.source === names.source &&
          ping.summary_id === names.summary_id,
      );
      const found = earlier[earlier.length - 1 - (from.repeat % Math.max(1, earlier.length))];
      if (found !== undefined)
        return from.same ? found : { ...found, ...fields, activity_name: found.activity_name };
      return this.#pingOf({ user, source, summary, priority, overwrite, sequence, from: { host: "once" } });
    }
    this.#marks += 1;
    const mark = this.#marks;
    const activity_name = `${"host" in from ? from.host : from.inline} ${mark}`;
    if ("host" in from) {
      const callback_url = `https://files.example.com/${this.partner.partner_id}/${mark}`;
      this.hosts.set(callback_url, new Host(from.host, mark, this.now));
      return { ...fields, activity_name, callback_url, inline: null };
    }
    const content = from.inline === "good" ? goodContent(mark) : badContent(mark);
    const callback_url = Buffer.from(content.bytes).toString("base64");
    this.#contents.set(callback_url, content);
    return { ...fields, activity_name, callback_url, inline: content.bytes };
  }

  task({ user, source, event, initial }: TaskSpec, endsAt: number | null, pace: Pace): Promise<void> {
    const task = {
      bulk_fit_transfer_complete: true as const,
      user_id: USERS[user] ?? "",
      source: SOURCES[source] ?? "",
      is_initial_import: initial,
      event_id: EVENTS[event] ?? null,
    };
    return this.invoke(
      `task ${task.user_id}/${task.source} ${task.event_id} ${initial ? "initial" : ""}`,
      endsAt,
      pace,
      () => startImport(this.platform.env, this.partner, task),
      (done) => {
        if (!done.ok) return this.note(`  ${done.code}`);
        const answer = done.outcome;
        for (const sent of this.tasks)
          if (sent.invocation === current.getStore()) sent.answered = this.moment();
        const { import_id, total } = answer.import;
        this.note(`  ${import_id.slice(-4)} total ${total} ${answer.repeated ? "repeated" : ""}`);
      },
    );
  }

  /** Delivers messages of one queue to its consumer: the chosen one and those behind it. */
  async deliver(
    pick: number,
    count: number,
    keep: boolean,
    endsAt: number | null,
    pace: Pace,
  ): Promise<void> {
    const first = this.messages[pick % Math.max(1, this.messages.length)];
    if (first === undefined) return;
    const batch = this.messages.filter((message) => message.queue === first.queue).slice(0, count);
    if (!batch.includes(first)) batch[0] = first;
    if (!keep) for (const message of batch) this.messages.splice(this.messages.indexOf(message), 1);
    for (const message of batch) await this.hand(message, endsAt, pace);
  }

  /**
   * Delivers one message to its consumer, in a new invocation. A retried message is delivered after all its earlier
   * deliveries have ended. Returns false when one has not.
   */
  async hand(message: Message, endsAt: number | null, pace: Pace): Promise<boolean> {
    const { queue, id } = message;
    const underway = this.#delivering.get(id) ?? 0;
    if (message.attempts > 1 && underway > 0) {
      if (!this.messages.includes(message)) this.messages.push(message);
      return false;
    }
    this.#delivering.set(id, underway + 1);
    const consume = queue === "DELIVERIES" ? consumeDeliveries : consumeDispatches;
    await this.invoke(`deliver ${queue} ${id} #${message.attempts}`, endsAt, pace, async () => {
      try {
        await consume(this.#batchOf(message), this.platform.env);
      } finally {
        this.#delivering.set(id, (this.#delivering.get(id) ?? 1) - 1);
      }
    });
    return true;
  }

  #batchOf(message: Message): MessageBatch {
    const batch = {
      queue: `partner-api-${message.queue.toLowerCase()}`,
      messages: [
        {
          ...message,
          timestamp: new Date(),
          ack: () => undefined,
          retry: () => {
            // After its last delivery it becomes a dead letter.
            if (message.attempts < DELIVERIES_OF_MESSAGE)
              this.messages.push({ ...message, attempts: message.attempts + 1 });
          },
        },
      ],
      ackAll: () => undefined,
      retryAll: () => undefined,
    };
    return castTo<MessageBatch>(batch);
  }

  lose(pick: number): void {
    const [lost] = this.messages.splice(pick % Math.max(1, this.messages.length), 1);
    this.note(`lose ${lost?.queue ?? "nothing"}`);
  }

  /** Moves a message to the dead letter queue. */
  bury(pick: number, pace: Pace): Promise<void> {
    const [message] = this.messages.splice(pick % Math.max(1, this.messages.length), 1);
    if (message === undefined) return Promise.resolve();
    const batch = this.#batchOf(message);
    return this.invoke(`bury ${message.queue}`, null, pace, () =>
      message.queue === "DELIVERIES"
        ? consumeDeadDeliveries(batch)
        : consumeDeadDispatches(batch, this.platform.env),
    );
  }

  alarm(name: string, endsAt: number | null, pace: Pace): Promise<void> {
    // The handler belongs to the object's instance, not to the code that starts it.
    this.scheduler.start(() => current.exit(() => this.platform.alarm(name, endsAt)));
    return pace === "finish" ? this.scheduler.finish() : this.scheduler.steps(pace);
  }

  scheduled(endsAt: number | null, pace: Pace): Promise<void> {
    return this.invoke("scheduled", endsAt, pace, () => runScheduled(this.platform.env, this.now));
  }

  erase(user: number, endsAt: number | null, pace: Pace): Promise<void> {
    const erasure: Erasure = {
      user: USERS[user] ?? "",
      from: this.moment(),
      to: Number.POSITIVE_INFINITY,
      at: this.now,
      done: false,
    };
    this.erasures.push(erasure);
    return this.invoke(
      `erase ${erasure.user}`,
      endsAt,
      pace,
      () => eraseUser(this.platform.env, this.partner, erasure.user, this.now),
      (known) => {
        erasure.done = known;
        erasure.to = this.moment();
        this.note(`  ${known ? "gone" : "unknown"}`);
      },
    );
  }

  deleteFile(
    { user, source, summary }: { user: number; source: number; summary: number },
    endsAt: number | null,
    pace: Pace,
  ): Promise<void> {
    const names = {
      userId: USERS[user] ?? "",
      source: SOURCES[source] ?? "",
      summaryId: SUMMARIES[summary] ?? "",
    };
    const file_id = fileId({ partnerId: this.partner.partner_id, ...names });
    const deletion: Deletion = { file_id, from: this.moment(), to: Number.POSITIVE_INFINITY, done: null };
    this.deletions.push(deletion);
    return this.invoke(
      `delete ${names.userId}/${names.source}/${names.summaryId}`,
      endsAt,
      pace,
      () => deleteFile(this.platform.env, this.partner, file_id),
      (known) => {
        deletion.done = known;
        deletion.to = this.moment();
        this.note(`  ${known ? "deleted" : "unknown"}`);
      },
    );
  }

  /** Lets a reader read some pages of the lists of changes. */
  poll(pick: number, pages: number, pace: Pace): Promise<void> {
    const reader = this.readers[pick % this.readers.length];
    if (reader === undefined) return Promise.resolve();
    return this.invoke(`poll ${pick}`, null, pace, () => reader.read(pages, this.skewed));
  }

  retryFile(
    { user, source, summary }: { user: number; source: number; summary: number },
    pace: Pace,
  ): Promise<void> {
    const names = {
      partnerId: this.partner.partner_id,
      userId: USERS[user] ?? "",
      source: SOURCES[source] ?? "",
    };
    const file_id = fileId({ ...names, summaryId: SUMMARIES[summary] ?? "" });
    const { COLLECTOR } = this.platform.env;
    return this.invoke(
      `retry ${names.userId}/${names.source}/${SUMMARIES[summary]}`,
      null,
      pace,
      async () => {
        await COLLECTOR.getByName(collectorName(names.partnerId, names.userId, names.source)).retry(
          { file_ids: [file_id] },
          MAX_RETRIED_FILES,
        );
      },
    );
  }

  edit({ user, source, summary, field, undo }: EditSpec, endsAt: number | null, pace: Pace): Promise<void> {
    const names = {
      partnerId: this.partner.partner_id,
      userId: USERS[user] ?? "",
      source: SOURCES[source] ?? "",
      summaryId: SUMMARIES[summary] ?? "",
    };
    const file_id = fileId(names);
    this.#marks += 1;
    const value = undo ? null : field === "exclude_from_training" ? true : `${field} ${this.#marks}`;
    const change =
      field === "activity_name"
        ? { file: { activity_name: castTo<string | null>(value) } }
        : { session_index: 0, activity: { [field]: value } };
    const label = `edit ${names.userId}/${names.source}/${names.summaryId} ${field}=${value}`;
    return this.invoke(label, endsAt, pace, async () => {
      await editFile(this.platform.env, this.partner, file_id, change);
    });
  }

  retryImport(pick: number, pace: Pace): Promise<void> {
    const started = this.tasks.filter((task) => task.answer !== null);
    const task = started[pick % Math.max(1, started.length)];
    const import_id = task?.answer?.import.import_id;
    if (task === undefined || import_id === undefined) return Promise.resolve();
    return this.invoke(`retry import ${import_id.slice(-4)}`, null, pace, async () => {
      await this.platform.env.COLLECTOR.getByName(task.collector).retry({ import_id }, MAX_RETRIED_FILES);
    });
  }

  cancel(pick: number, endsAt: number | null, pace: Pace): Promise<void> {
    const started = this.tasks.filter((task) => task.answer !== null);
    const import_id = started[pick % Math.max(1, started.length)]?.answer?.import.import_id;
    if (import_id === undefined) return Promise.resolve();
    if (!this.cancelled.has(import_id)) this.cancelled.set(import_id, "requested");
    return this.invoke(
      `cancel ${import_id.slice(-4)}`,
      endsAt,
      pace,
      () => cancelImport(this.platform.env, this.partner, import_id),
      (found) => {
        this.note(`  ${found === null ? "unknown" : found.import.status}`);
        if (found?.is_cancelled === true) this.cancelled.set(import_id, "answered");
      },
    );
  }

  #stored(key: string, bytes: Uint8Array): void {
    const invocation = current.getStore();
    const version = Number(key.split("/").at(-1));
    const file_id = key.split("/").at(-2);
    for (const download of this.downloads) {
      if (
        download.invocation === invocation &&
        download.file_id === file_id &&
        download.version === version
      ) {
        download.stored = true;
      }
    }
    this.objects.set(key, this.#contentOf(bytes));
  }

  #contentOf(bytes: Uint8Array): Content {
    const same = (content: Content) => Buffer.compare(content.bytes, bytes) === 0;
    for (const host of this.hosts.values()) if (same(host.content)) return host.content;
    for (const content of this.#contents.values()) if (same(content)) return content;
    throw new Broken("bytes were stored that no host sent");
  }

  #called(method: CollectorMethod, collector: string, args: unknown[]): CallObserver {
    // The scheduled sweep also wakes collectors of other partners.
    if (collector.startsWith(`${this.partner.partner_id}/`)) this.called.add(collector);
    switch (method) {
      case "accept":
        return this.#accepting(collector, castTo(args));
      case "startImport": {
        const [names, task] = castTo<[CollectorNames, TaskEntry]>(args);
        const from = this.moment();
        const observed: CollectorTask = {
          collector,
          user: names.user_id,
          from,
          to: this.platform.interleaving ? from : Number.POSITIVE_INFINITY,
          event_id: task.event_id,
          initial: task.is_initial_import,
          answer: null,
          invocation: current.getStore(),
          answered: null,
        };
        this.tasks.push(observed);
        return (result) => {
          const answer = castTo<StartedImport>(result);
          // The caller looks at the user's other sources, then calls again.
          if (answer.not_started === true) {
            this.tasks.splice(this.tasks.indexOf(observed), 1);
            return;
          }
          observed.answer = answer;
          if (!this.platform.interleaving) observed.to = this.moment();
        };
      }
      case "claim": {
        const invocation = current.getStore();
        const [dispatchId] = castTo<[string]>(args);
        return (result) => {
          const claim = castTo<Claim | null>(result);
          if (claim === null) return;
          invocation?.claims.set(dispatchId, { until: claim.until, items: claim.items });
          for (const item of claim.items) {
            const { callback_url, object_key } = item.submission;
            const host = callback_url === null ? undefined : this.hosts.get(callback_url);
            const content = (object_key === null ? undefined : this.objects.get(object_key)) ?? host?.content;
            if (content !== undefined) this.claimed.set(`${item.file_id}/${item.version}`, content);
          }
        };
      }
      case "report": {
        const invocation = current.getStore();
        const [dispatchId] = castTo<[string]>(args);
        return (result) => {
          const claim = invocation?.claims.get(dispatchId);
          if (claim !== undefined && typeof result === "number") claim.until = result;
        };
      }
      case "editFile": {
        const [file_id, change] = castTo<[string, EditChange]>(args);
        const [[field, value] = []] = Object.entries("file" in change ? change.file : change.activity);
        const from = this.moment();
        const observed: CollectorEdit = {
          file_id,
          field: castTo(field),
          value: castTo(value),
          from,
          to: this.platform.interleaving ? from : Number.POSITIVE_INFINITY,
          known: null,
        };
        this.edits.push(observed);
        return (result) => {
          observed.known = result !== null;
          if (!this.platform.interleaving) observed.to = this.moment();
        };
      }
      case "applyMissedErasure":
      case "newestVersion":
      case "wake":
      case "previewImport":
      case "retry":
      case "erase":
      case "deleteFile":
      case "readImport":
      case "cancelImport":
      case "abandon":
      case "namedObjects":
        return () => undefined;
    }
  }

  #accepting(collector: string, [, entries]: Parameters<AcceptCall>): CallObserver {
    const from = this.moment();
    const observed = entries.map((entry): CollectorPing => {
      const { callback_url, object_key, priority, overwrite_mode } = entry.submission;
      const host = callback_url === null ? undefined : this.hosts.get(callback_url);
      const content = host?.content ?? (object_key === null ? undefined : this.objects.get(object_key));
      if (content === undefined) throw new Broken("a collector got a report of bytes that are not stored");
      return {
        collector,
        file_id: entry.file_id,
        priority,
        overwrite: overwrite_mode,
        submission: entry.submission,
        content,
        gives: host?.willGive ?? true,
        from,
        to: this.platform.interleaving ? from : Number.POSITIVE_INFINITY,
        status: null,
        version: null,
        invocation: current.getStore(),
        answered: null,
      };
    });
    this.pings.push(...observed);
    const answered = (result: unknown) => {
      const accepted = castTo<AcceptedPings>(result);
      for (const [index, ping] of observed.entries()) {
        ping.status = accepted.statuses[index] ?? null;
        ping.version = accepted.versions[index] ?? null;
        if (!this.platform.interleaving) ping.to = this.moment();
      }
    };
    // A first ping waits for the database before its collector accepts it. Other pings may come in between.
    const committed = () => {
      const at = this.moment();
      for (const ping of observed) Object.assign(ping, { from: at, to: at });
    };
    return Object.assign(answered, { committed });
  }

  async #answer(request: Request): Promise<Response> {
    const invocation = current.getStore();
    if (invocation === undefined) throw new TypeError("Network connection lost.");
    await this.scheduler.gate(invocation);
    const answer =
      request.url === RECEIVER || request.url === PLANNER
        ? await this.#receive(request, invocation)
        : this.#give(request.url, invocation);
    await this.scheduler.gate(invocation);
    return answer;
  }

  #give(url: string, invocation: Invocation): Response {
    const host = this.hosts.get(url);
    if (host === undefined) throw new TypeError("Network connection lost.");
    const [dispatch, item] =
      [...invocation.claims]
        .flatMap(([id, claim]) => claim.items.map((item) => [id, item] as const))
        .find(([, item]) => item.submission.callback_url === url) ?? [];
    if (dispatch === undefined || item === undefined) {
      this.break("a URL is used only by its claim");
      return new Response(null, { status: 500 });
    }
    const { file_id, version } = item;
    if (item.prefetch === true && this.prefetch === "never")
      this.break("without the setting, no file is downloaded before its task");
    // An erasure may delete the bytes before it reaches the collector. Until then, work may download them again.
    const { collector } = this.pings.find((ping) => ping.file_id === file_id) ?? {};
    const user = this.collectors().find(({ name }) => name === collector)?.user;
    const erased = this.erasures.some((erasure) => erasure.user === user);
    for (const earlier of this.downloads) {
      if (earlier.file_id !== file_id || earlier.version !== version) continue;
      const until = earlier.invocation.claims.get(earlier.dispatch)?.until ?? 0;
      const excused =
        !earlier.stored && (earlier.invocation.ended || earlier.invocation.faults > 0 || until <= this.now);
      if (!excused && !erased) this.break(`no URL is downloaded twice: ${host.kind} ${host.content.mark}`);
    }
    const { response, gave } = host.answer(this.now);
    this.note(`  GET ${host.kind} ${host.content.mark}: ${response.status}`);
    if (gave) this.downloads.push({ invocation, file_id, version, dispatch, stored: false });
    return response;
  }

  async #receive(request: Request, invocation: Invocation): Promise<Response> {
    const id = request.headers.get("webhook-id") ?? "";
    for (const earlier of this.posts) {
      if (earlier.id !== id || !earlier.ok) continue;
      const excused =
        earlier.invocation.ended || earlier.invocation.faults > 0 || earlier.at + 60_000 <= this.now;
      if (!excused) this.break("an accepted event is not sent again");
    }
    await this.faults.without(() => this.#checkPost(id));
    this.note(`  POST ${id.slice(0, 4)}${id.slice(-4)} ${this.receiver}`);
    this.posts.push({ id, invocation, at: this.now, ok: this.receiver === "well" });
    if (this.receiver === "away") throw new TypeError("Network connection lost.");
    return new Response(null, { status: this.receiver === "well" ? 204 : 500 });
  }

  /** Checks what must be true when a receiver gets the event of an import. */
  async #checkPost(id: string): Promise<void> {
    const importId = id.slice(id.indexOf("_") + 1);
    const database = databaseFor(this.platform.env, this.partner);
    const look = <T>(work: () => Promise<T>) => current.exit(work);
    const row = await look(() =>
      database
        .prepare("SELECT status, completed_at FROM imports WHERE partner_id = ? AND import_id = ?")
        .bind(this.partner.partner_id, importId)
        .first(),
    );
    // An erasure may come before an event that is already being sent.
    const task = this.tasks.find(({ answer }) => answer?.import.import_id === importId);
    if (row === null && this.erasures.some((erasure) => erasure.user === task?.user)) return;
    if (row?.["completed_at"] == null)
      this.break("an import can be read as completed before its plan request and event");
    if (id.startsWith("plan_")) return;
    const plan = await look(() =>
      database
        .prepare("SELECT status, attempt_count FROM deliveries WHERE partner_id = ? AND delivery_id = ?")
        .bind(this.partner.partner_id, `plan_${importId}`)
        .first(),
    );
    if (plan?.["status"] === "pending" && plan["attempt_count"] === 0)
      this.break("the plan is requested before the event");
    if (task === undefined) return;
    const ledger = await look(() => this.platform.look(task.collector));
    for (const file of ledger.files) {
      if (file.current?.import_id !== importId || file.current.retried) continue;
      const read = await look(() =>
        database
          .prepare("SELECT status, version, stored_version FROM files WHERE partner_id = ? AND file_id = ?")
          .bind(this.partner.partner_id, file.file_id)
          .first(),
      );
      const { state, version } = file.current;
      const readable =
        state === "imported"
          ? Number(read?.["stored_version"] ?? 0) >= version
          : state === "failed" &&
            (read?.["status"] === "failed" ||
              read?.["status"] === "skipped" ||
              Number(read?.["version"] ?? 0) > version);
      if (!readable) this.break(`a file of an import is readable before its event (${state})`);
    }
  }
}

type AcceptCall = (names: CollectorNames, entries: PingEntry[]) => void;
