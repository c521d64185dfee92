import type { ChainedFile } from "./firstPass.ts";
import { windowFinder, type SessionWindows } from "./sessionWindows.ts";

/**
 * Messages that belong to a session but do not name it. Devices write some of them once for each session, in their order,
 * others once for all.
 */

/** Returns the message of a session: its own when each session has one, else the first message when it holds for all. */
export function messageOfSession<T>(messages: readonly T[], index: number, sessions: number): T | undefined {
  if (messages.length === sessions) return messages[index];
  return messages.length === 1 ? messages[0] : undefined;
}

/** Returns the name of the activity profile from `sport` messages, for a session that has none. */
export function profileNameOf({ sports, sessions }: ChainedFile, index: number): string | null {
  const sport = sessions[index]?.sport;
  const own = messageOfSession(sports, index, Math.max(1, sessions.length));
  return own === undefined || (own.sport ?? sport) !== (sport ?? own.sport) ? null : (own.name ?? null);
}

/** Returns the recovery heart rate of each session; the last measured one. NaN for none. */
export function recoveryHeartRatesOf({ chained, clock, windows }: SessionWindows): number[] {
  const found = windows.map(() => NaN);
  const windowAt = windowFinder(windows);
  for (const { timestamp, heartRate } of chained.recoveryHeartRates) {
    found[windowAt(clock.place(timestamp))] = heartRate;
  }
  return found;
}
