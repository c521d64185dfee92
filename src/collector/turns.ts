import { randomId } from "../identifiers.ts";
import { logLine } from "../log.ts";
import { clockFor, type CollectorClock } from "./clock.pure.ts";
import type { CollectorIdentity } from "./identity.ts";
import { CollectorStorage } from "./storage/storage.ts";
import type { CollectorTurn } from "./turn.ts";

/** Begins and commits the turns of one collector, and sets its alarm. */
export class CollectorTurns {
  readonly storage: CollectorStorage;
  readonly clock: CollectorClock;
  readonly #durable: DurableObjectStorage;
  #alarmAt: number | null = null;

  constructor({ id, storage }: DurableObjectState, environment: string) {
    this.#durable = storage;
    this.clock = clockFor(environment);
    this.storage = storage.transactionSync(() => new CollectorStorage(storage.sql));
    const { refusal } = this.storage;
    if (refusal === null) return;
    const { version, readableFrom, known } = refusal;
    logLine({
      unit: "setback",
      outcome: "schema_refused",
      collector: id.name ?? null,
      version,
      readable_from: readableFrom,
      known,
    });
  }

  begin(identity: CollectorIdentity): CollectorTurn {
    const alarmBy = (at: number) => this.alarmBy(at);
    const randomness = { newId: randomId, random: Math.random };
    return { storage: this.storage, identity, clock: this.clock, now: Date.now(), ...randomness, alarmBy };
  }

  /** Begins a turn. Null for a collector without an identity, which has no pings and no imports. */
  beginIfKnown(): CollectorTurn | null {
    const identity = this.storage.identity.get();
    return identity === null ? null : this.begin(identity);
  }

  /** Runs the work in a committed turn. Null for a collector without an identity. */
  commitIfKnown<T>(work: (turn: CollectorTurn) => T): T | null {
    const turn = this.beginIfKnown();
    return turn === null ? null : this.commit(() => work(turn));
  }

  /** Commits all writes of the work, or none of them. A rollback does not undo memory, so the cache is read again. */
  commit<T>(work: () => T): T {
    const alarmAt = this.#alarmAt;
    try {
      return this.#durable.transactionSync(work);
    } catch (fault) {
      this.storage.reload();
      this.#alarmAt = alarmAt;
      throw fault;
    }
  }

  /** Sets the alarm to `at`, unless it is set to an earlier time. Part of the commit of the calling turn. */
  alarmBy(at: number): void {
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    void this.#durable.setAlarm(at);
  }

  /** Deletes all storage and the alarm. */
  async deleteAll(): Promise<void> {
    const deleted = this.#durable.deleteAll();
    this.storage.reload();
    this.#alarmAt = null;
    await deleted;
  }

  /** Time of the alarm in Unix milliseconds. Null when it is not set, or is running now. */
  get alarmAt(): number | null {
    return this.#alarmAt;
  }

  /** Sets the alarm to `at`, even when it is set to an earlier time that has passed. */
  resetAlarm(at: number): void {
    this.#alarmAt = null;
    this.alarmBy(at);
  }

  /** Reads the stored alarm after the object starts. */
  async readAlarm(): Promise<void> {
    this.#alarmAt = await this.#durable.getAlarm();
  }

  /** Notes that the alarm is running: no alarm is set until the next `alarmBy`. */
  clearAlarm(): void {
    this.#alarmAt = null;
  }
}
