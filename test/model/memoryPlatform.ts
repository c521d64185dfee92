import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { PingCollector } from "../../src/collector/PingCollector.ts";
import type { Env } from "../../src/env.ts";
import { PartnerWindows } from "../../src/windows/PartnerWindows.ts";
import { MemoryD1, MemoryKV, MemoryR2 } from "../support/memory/bindings.ts";
import { MemoryDatabase, type Row } from "../support/memory/sqlite.ts";
import { current, Ended, Invocation } from "./invocations.ts";
import { castTo, collectorCall, readLedger, type CollectorMethod, type Platform } from "./platform.ts";

const MIGRATIONS_FOLDER = path.join(import.meta.dirname, "../../migrations");
const MIGRATIONS = readdirSync(MIGRATIONS_FOLDER)
  .toSorted()
  .map((name) => readFileSync(path.join(MIGRATIONS_FOLDER, name), "utf8"));

function sqlOver(database: MemoryDatabase, mayRun: () => void): SqlStorage {
  const exec = (sql: string, ...bindings: (string | number | null)[]) => {
    mayRun();
    if (bindings.length === 0 && sql.includes(";")) {
      database.script(sql);
      return { toArray: (): Row[] => [] };
    }
    const { rows } = database.run(sql, bindings);
    return {
      toArray: () => rows,
      one: () => {
        if (rows.length !== 1) throw new Error("not exactly one row");
        return rows[0];
      },
      [Symbol.iterator]: () => rows[Symbol.iterator](),
    };
  };
  return castTo<SqlStorage>({ exec });
}

/** One instance of an object. Eviction ends it; its later actions have no effect. */
interface Life {
  invocation: Invocation;
  instance: PingCollector;
  ready: Promise<unknown>;
  alarmIsRunning: boolean;
  /** Whether its alarm handler runs and has set no new alarm. `getAlarm` then returns null; the alarm is still stored. */
  handlerHasSetNoAlarm: boolean;
}

/** An object with its storage, which survives its instances. */
class MemoryObject {
  readonly database: MemoryDatabase;
  readonly name: string;
  readonly #env: () => Env;
  alarmAt: number | null = null;
  #life: Life | null = null;

  constructor(name: string, database: MemoryDatabase, env: () => Env) {
    this.name = name;
    this.database = database;
    this.#env = env;
  }

  live(): Life {
    if (this.#life === null || this.#life.invocation.ended) this.#life = this.#begin();
    return this.#life;
  }

  #begin(): Life {
    const invocation = new Invocation(`object ${this.name.slice(-6)}`);
    const mayRun = () => {
      if (invocation.ended) throw new Ended("the object was evicted");
    };
    let ready: Promise<unknown> = Promise.resolve();
    let life: Life | null = null;
    const storage = {
      sql: sqlOver(this.database, mayRun),
      transactionSync: <T>(work: () => T) => {
        mayRun();
        const result = this.database.atomically(work);
        collectorCall.getStore()?.committed?.();
        return result;
      },
      getAlarm: async () => (life?.handlerHasSetNoAlarm === true ? null : this.alarmAt),
      setAlarm: (at: number) => {
        mayRun();
        this.alarmAt = at;
        if (life !== null) life.handlerHasSetNoAlarm = false;
        return Promise.resolve();
      },
      deleteAll: async () => {
        mayRun();
        this.database.drop();
        this.alarmAt = null;
      },
    };
    const ctx = {
      id: { toString: () => this.name },
      storage,
      blockConcurrencyWhile: (work: () => Promise<unknown>) => {
        ready = work();
        return ready;
      },
    };
    const instance = new PingCollector(castTo<DurableObjectState>(ctx), this.#env());
    life = { invocation, instance, ready, alarmIsRunning: false, handlerHasSetNoAlarm: false };
    return life;
  }

  evict(): void {
    const life = this.#life;
    if (life === null) return;
    life.invocation.ended = true;
    this.#life = null;
  }

  async call(method: CollectorMethod, args: unknown[]): Promise<unknown> {
    const life = this.live();
    await life.ready;
    return current.run(life.invocation, async () => {
      const call: unknown = Reflect.get(life.instance, method);
      if (typeof call !== "function") throw new Error(`there is no ${method}`);
      const result: unknown = await Reflect.apply(call, life.instance, structuredClone(args));
      return structuredClone(result);
    });
  }

  /** Runs alarms as the platform does: one at a time, and an alarm stays until its handler succeeds. */
  async alarm(endsAfterGates: number | null): Promise<boolean> {
    const life = this.live();
    if (life.alarmIsRunning || this.alarmAt === null) return false;
    const { invocation } = life;
    if (endsAfterGates !== null) invocation.endsAt = invocation.gates + endsAfterGates;
    life.alarmIsRunning = true;
    await life.ready;
    life.handlerHasSetNoAlarm = true;
    try {
      await current.run(invocation, () => life.instance.alarm());
      if (life.handlerHasSetNoAlarm) this.alarmAt = null;
    } catch (fault) {
      if (!(fault instanceof Ended)) throw fault;
    } finally {
      life.alarmIsRunning = false;
      life.handlerHasSetNoAlarm = false;
    }
    return true;
  }
}

/** Simulated bindings and objects for the real code. Every step can be stopped, and all state can be read. */
export function memoryPlatform(): Platform & { files: MemoryR2; fresh(): void } {
  const d1s = [new MemoryD1(), new MemoryD1()];
  for (const { database } of d1s) for (const migration of MIGRATIONS) database.script(migration);
  const files = new MemoryR2();
  const objects = new Map<string, MemoryObject>();
  // Databases are cleared and reused, because creating one takes longer than most stories.
  const spare: MemoryDatabase[] = [];
  const objectOf = (name: string) => {
    const found = objects.get(name) ?? new MemoryObject(name, spare.pop() ?? new MemoryDatabase(), () => env);
    objects.set(name, found);
    return found;
  };
  const windows = new Map<string, PartnerWindows>();
  const env = castTo<Env>({
    DB: d1s[0],
    DB_2: d1s[1],
    FILES: files,
    PARTNERS: new MemoryKV(),
    COLLECTOR: {
      getByName: (name: string) =>
        new Proxy(
          {},
          {
            get:
              (_stub, method) =>
              (...args: unknown[]) =>
                objectOf(name).call(castTo(method), args),
          },
        ),
    },
    WINDOWS: {
      getByName: (name: string) => {
        const found = windows.get(name) ?? new PartnerWindows(castTo<DurableObjectState>({}), {});
        windows.set(name, found);
        return found;
      },
    },
    PRIORITY: {},
    BULK: {},
    RETRY: {},
    DELIVERIES: {},
    ENVIRONMENT: "local",
    OWN_HOSTS: "api.example.com",
    JURISDICTION: "",
    TRAINING_PLAN_URL: "",
    TRAINING_PLAN_SECRET: "",
  });
  return {
    env,
    files,
    interleaving: true,
    fresh() {
      for (const { database } of d1s) database.clear();
      files.objects.clear();
      for (const { database } of objects.values()) {
        database.drop();
        spare.push(database);
      }
      objects.clear();
      windows.clear();
    },
    setNow(ms) {
      Date.now = () => ms;
    },
    alarm: (name, endsAfterGates) => objectOf(name).alarm(endsAfterGates),
    alarmAt: async (name) => objectOf(name).alarmAt,
    evict: async (name) => objectOf(name).evict(),
    look: async (name) => readLedger(sqlOver(objectOf(name).database, () => undefined)),
  };
}
