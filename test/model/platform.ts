import { AsyncLocalStorage } from "node:async_hooks";
import { z } from "zod";
import type { PingCollector } from "../../src/collector/PingCollector.ts";
import type { Dispatch } from "../../src/collector/dispatches/dispatch.pure.ts";
import type { FileVersions } from "../../src/collector/files/versions.pure.ts";
import type { ImportState } from "../../src/collector/imports/import.pure.ts";
import type { OutboxEntry } from "../../src/collector/outbox/entry.ts";
import { allDatabases } from "../../src/database/databases.ts";
import { CollectorDatabase } from "../../src/collector/storage/database.ts";
import { CollectorStorage } from "../../src/collector/storage/storage.ts";
import type { Env } from "../../src/env.ts";
import type { Faults, Store } from "./faults.ts";
import { current, type Scheduler } from "./invocations.ts";

/** Casts simulated parts, which have everything of the platform's interfaces that src uses. */
export function castTo<T>(value: unknown): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return value as T;
}

/** Platform of the intake: its bindings, and a test's access to its objects. */
export interface Platform {
  env: Env;
  /** Whether invocations can be stopped between two steps, and objects can crash in the middle. */
  interleaving: boolean;
  setNow(ms: number): void;
  /** Runs the object's alarm as if it were due. Returns false without an alarm, or while it is running. */
  alarm(name: string, endsAfterGates: number | null): Promise<boolean>;
  /** Runs the alarm handler although no alarm is due, because delivery is at least once. */
  alarmAt(name: string): Promise<number | null>;
  evict(name: string): Promise<void>;
  look(name: string): Promise<Ledger>;
}

/** Content of a collector's storage. */
export interface Ledger {
  released_through: number;
  erased_before: number;
  known: boolean;
  files: FileVersions[];
  imports: ImportState[];
  dispatches: Dispatch[];
  outbox: OutboxEntry[];
  /** Ids of held files that wait for their download. */
  prefetches: string[];
  remembered: string[];
}

export function readLedger(sql: SqlStorage): Ledger {
  const storage = new CollectorStorage(sql);
  const database = new CollectorDatabase(sql);
  const ids = (query: string) => database.read<{ id: string }>(query).map((row) => row.id);
  return {
    released_through: storage.identity.releasedThrough,
    erased_before: storage.erasedBefore,
    known: storage.identity.get() !== null,
    files: [...storage.files.read(ids("SELECT file_id id FROM files")).values()],
    imports: storage.imports.all(),
    dispatches: storage.dispatches.due(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    outbox: storage.outbox.first(Number.MAX_SAFE_INTEGER).map(({ entry }) => entry),
    prefetches: ids("SELECT value id FROM prefetches, json_each(file_ids)"),
    remembered: ids("SELECT file_id id FROM remembered_duplicates"),
  };
}

/** Receives a call's result, and the times of commits during the call if the platform can observe them. */
export type CallObserver = ((result: unknown) => void) & { committed?: () => void };

/** The current call of an object in memory. */
export const collectorCall = new AsyncLocalStorage<CallObserver>();

/** Calls between objects, as an observer sees them. */
export interface Observer {
  called(method: CollectorMethod, collector: string, args: unknown[]): CallObserver;
  sent(queue: QueueBinding, body: unknown): void;
  stored(key: string, bytes: Uint8Array): void;
  /** Send times of the waiting messages, in Unix milliseconds. */
  waiting(queue: QueueBinding): number[];
}

const COLLECTOR_METHODS = [
  "accept",
  "applyMissedErasure",
  "newestVersion",
  "wake",
  "startImport",
  "previewImport",
  "retry",
  "erase",
  "deleteFile",
  "editFile",
  "readImport",
  "cancelImport",
  "claim",
  "report",
  "abandon",
  "namedObjects",
] as const satisfies (keyof PingCollector)[];
export type CollectorMethod = (typeof COLLECTOR_METHODS)[number];

export const QUEUES = ["PRIORITY", "BULK", "RETRY", "DELIVERIES"] as const;
export type QueueBinding = (typeof QUEUES)[number];

/**
 * Adds gates, faults and the observer to every call of a binding, in place. The observer receives all queue messages,
 * and delivers, repeats, reorders or loses them.
 */
export function instrument(env: Env, scheduler: Scheduler, faults: Faults, observer: Observer): void {
  const reach = async (store: Store, effect: () => Promise<unknown>): Promise<unknown> => {
    const invocation = current.getStore();
    if (invocation !== undefined) await scheduler.gate(invocation);
    try {
      return await faults.meet(store, effect);
    } catch (fault) {
      if (invocation !== undefined) invocation.faults += 1;
      throw fault;
    } finally {
      if (invocation !== undefined) await scheduler.gate(invocation);
    }
  };

  for (const [method, store] of [
    ["get", "r2.get"],
    ["delete", "r2.delete"],
    ["list", "r2.list"],
  ] as const) {
    around(env.FILES, method, (call) => reach(store, async () => call()));
  }
  around(env.FILES, "put", (call, [key, bytes]) =>
    reach("r2.put", async () => {
      const put: unknown = await call();
      if (put !== null && typeof key === "string" && bytes instanceof Uint8Array) observer.stored(key, bytes);
      return put;
    }),
  );
  around(env.PARTNERS, "get", (call) => reach("kv", async () => call()));
  for (const database of allDatabases(env)) {
    around(database, "batch", (call) => reach("d1", async () => call()));
    around(database, "prepare", (call) => statementAround(call(), reach));
  }
  for (const queue of QUEUES) {
    replace(env[queue], "metrics", () =>
      reach("queue", async () => {
        const waiting = observer.waiting(queue);
        const oldest = waiting.length === 0 ? undefined : new Date(Math.min(...waiting));
        return { backlogCount: waiting.length, backlogBytes: 0, oldestMessageTimestamp: oldest };
      }),
    );
    replace(env[queue], "send", (body: unknown) => reach("queue", async () => observer.sent(queue, body)));
    replace(env[queue], "sendBatch", (messages: unknown) =>
      reach("queue", async () => {
        for (const { body } of z.array(z.object({ body: z.unknown() })).parse(messages))
          observer.sent(queue, body);
      }),
    );
  }
  around(env.WINDOWS, "getByName", (call) => {
    const stub: unknown = call();
    return Object.fromEntries(
      ["enter", "leave"].map((method) => [
        method,
        (...args: unknown[]) => reach("windows", async () => callOf(stub, method)(...args)),
      ]),
    );
  });
  around(env.COLLECTOR, "getByName", (call, [name]) => {
    const stub: unknown = call();
    return Object.fromEntries(
      COLLECTOR_METHODS.map((method) => [
        method,
        (...args: unknown[]) =>
          reach("rpc", async () => {
            const done = observer.called(method, String(name), args);
            const result: unknown = await collectorCall.run(done, () => callOf(stub, method)(...args));
            done(result);
            return result;
          }),
      ]),
    );
  });
}

function statementAround(
  statement: unknown,
  reach: (store: Store, effect: () => Promise<unknown>) => Promise<unknown>,
): unknown {
  if (typeof statement !== "object" || statement === null) throw new Error("no statement");
  const run = (method: string) => {
    const inner = callOf(statement, method);
    return (...args: unknown[]) => reach("d1", async () => inner(...args));
  };
  const bind = callOf(statement, "bind");
  return Object.assign(statement, {
    run: run("run"),
    first: run("first"),
    all: run("all"),
    bind: (...args: unknown[]) => statementAround(bind(...args), reach),
  });
}

type Call = (...args: unknown[]) => unknown;

function callOf(target: unknown, name: string): Call {
  if ((typeof target !== "object" && typeof target !== "function") || target === null) throw new Error(name);
  const call: unknown = Reflect.get(target, name);
  if (typeof call !== "function") throw new Error(`there is no ${name}`);
  return (...args) => Reflect.apply(call, target, args) as unknown;
}

const restored: (() => void)[] = [];

function replace(target: object, name: string, call: Call): void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  Reflect.set(target, name, call);
  restored.push(() => {
    if (own === undefined) Reflect.deleteProperty(target, name);
    else Reflect.defineProperty(target, name, own);
  });
}

function around(target: object, name: string, wrap: (call: () => unknown, args: unknown[]) => unknown): void {
  const inner = callOf(target, name);
  replace(target, name, (...args) => wrap(() => inner(...args), args));
}

/** Removes all instruments. */
export function restoreBindings(): void {
  for (const restore of restored.splice(0).reverse()) restore();
}
