import type { CollectorClock } from "./clock.pure.ts";
import type { Randomness } from "./dispatches/dispatch.pure.ts";
import type { CollectorIdentity } from "./identity.ts";
import type { CollectorStorage } from "./storage/storage.ts";

/**
 * One call of the collector, or one alarm. All writes of a turn, and the alarm that it sets, are one commit. The work
 * of a turn is synchronous.
 */
export interface CollectorTurn extends Randomness {
  readonly storage: CollectorStorage;
  readonly identity: CollectorIdentity;
  readonly clock: CollectorClock;
  /** Start of the turn in Unix milliseconds. */
  readonly now: number;
  /** Sets the alarm to `at`, unless it is set to an earlier time. */
  alarmBy(at: number): void;
}
