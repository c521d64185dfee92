const KIB = 1024;

/** Minimum rate of a body or of an answer, in bytes a second: 0.5 Mbit/s. */
export const MIN_BYTES_PER_SECOND = 64 * KIB;
/** Maximum time for a whole body or answer: enough for 32 MiB at 9 Mbit/s. */
export const TRANSFER_MS = 30_000;
/** A transfer above the minimum rate may pause for this long. */
export const PAUSE_MS = 5_000;
/** A timer that fires this much late was held up by other work of this isolate. */
const HELD_UP_MS = 500;

/** The minimum rate of one transfer. A caller that is slower holds memory that other requests wait for. */
export interface Pace {
  /** Notes bytes that were transferred. */
  moved: (bytes: number) => void;
  stop: () => void;
}

/**
 * Calls `onLate` once when a transfer becomes too slow. It starts with `graceMs` of time; each byte adds the time that
 * it takes at the minimum rate, up to `PAUSE_MS` ahead. Time in which this isolate was busy does not count.
 */
export function startPace(graceMs: number, onLate: () => void): Pace {
  const startedAt = Date.now();
  let endsAt = startedAt + TRANSFER_MS;
  let dueAt = Math.min(startedAt + graceMs, endsAt);
  let firesAt = dueAt;
  let timer = setTimeout(look, dueAt - startedAt);
  function look(): void {
    const nowMs = Date.now();
    const heldUpMs = nowMs - firesAt;
    if (heldUpMs > HELD_UP_MS) {
      endsAt += heldUpMs;
      dueAt = Math.max(dueAt, nowMs + HELD_UP_MS);
    }
    if (nowMs >= dueAt || nowMs >= endsAt) return onLate();
    firesAt = Math.min(dueAt, endsAt);
    timer = setTimeout(look, firesAt - nowMs);
  }
  return {
    moved: (bytes) => {
      const nowMs = Date.now();
      const earned = dueAt + (bytes / MIN_BYTES_PER_SECOND) * 1_000;
      dueAt = Math.max(dueAt, Math.min(nowMs + PAUSE_MS, earned));
    },
    stop: () => clearTimeout(timer),
  };
}
