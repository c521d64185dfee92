import type { CollectorClock } from "./clock.pure.ts";
import type { Chance } from "./dispatches/dispatch.pure.ts";
import type { CollectorIdentity } from "./identity.ts";
import type { CollectorStorage } from "./storage/storage.ts";

/**
 * One call of the collector, or one alarm. Everything that a turn writes, and its alarm, is one commit. Work of a
 * turn is synchronous.
 */
export interface CollectorTurn extends Chance {
  readonly storage: CollectorStorage;
  readonly identity: CollectorIdentity;
  readonly clock: CollectorClock;
  /** When the turn began, in Unix milliseconds. */
  readonly now: number;
  /** Makes sure that the alarm rings by then. */
  alarmBy(at: number): void;
}
