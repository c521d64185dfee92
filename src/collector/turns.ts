import { randomId } from "../identifiers.ts";
import { logLine } from "../log.ts";
import { clockFor, type CollectorClock } from "./clock.pure.ts";
import type { CollectorIdentity } from "./identity.ts";
import { CollectorStorage } from "./storage/storage.ts";
import type { CollectorTurn } from "./turn.ts";

/** Begins and commits the turns of one collector, with its alarm. */
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
    const chance = { newId: randomId, random: Math.random };
    return { storage: this.storage, identity, clock: this.clock, now: Date.now(), ...chance, alarmBy };
  }

  /** Null for a collector that was never pinged. */
  beginIfKnown(): CollectorTurn | null {
    const identity = this.storage.identity.get();
    return identity === null ? null : this.begin(identity);
  }

  /** Commits a turn; null for a collector that was never pinged. */
  commitIfKnown<T>(work: (turn: CollectorTurn) => T): T | null {
    const turn = this.beginIfKnown();
    return turn === null ? null : this.commit(() => work(turn));
  }

  /** Commits all that the work writes, or nothing of it. A rollback does not reach what is cached in memory. */
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

  /** Makes sure that the alarm rings by then. Part of the commit of the turn that asks for it. */
  alarmBy(at: number): void {
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    void this.#durable.setAlarm(at);
  }

  /** Deletes everything, with the alarm. */
  async deleteAll(): Promise<void> {
    const deleted = this.#durable.deleteAll();
    this.storage.reload();
    this.#alarmAt = null;
    await deleted;
  }

  /** When the alarm is set to ring; null: it is not set, or ringing now. */
  get alarmAt(): number | null {
    return this.#alarmAt;
  }

  /** Sets the alarm again, although an earlier one should have rung. */
  resetAlarm(at: number): void {
    this.#alarmAt = null;
    this.alarmBy(at);
  }

  /** The stored alarm, once the object has woken. */
  async readAlarm(): Promise<void> {
    this.#alarmAt = await this.#durable.getAlarm();
  }

  /** The alarm rings now: no other is set until the next `alarmBy`. */
  alarmRings(): void {
    this.#alarmAt = null;
  }
}
