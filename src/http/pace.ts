const KIB = 1024;

/** Minimum rate of a body or of an answer, in bytes a second: 0.5 Mbit/s. */
export const MIN_BYTES_PER_SECOND = 64 * KIB;
/** Maximum time for a whole body or answer: enough for 32 MiB at 9 Mbit/s. */
export const TRANSFER_MS = 30_000;
/** A transfer above the minimum rate may pause for this long. */
export const PAUSE_MS = 5_000;
/** A transfer is looked at this often. */
export const LOOK_EVERY_MS = 250;
/** A look that comes this much late was held up by other work of this isolate. */
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
  let lookedAt = Date.now();
  let endsAt = lookedAt + TRANSFER_MS;
  let dueAt = lookedAt + graceMs;
  const timer = setInterval(() => {
    const nowMs = Date.now();
    const heldUpMs = nowMs - lookedAt - LOOK_EVERY_MS;
    lookedAt = nowMs;
    if (heldUpMs > HELD_UP_MS) {
      dueAt += heldUpMs;
      endsAt += heldUpMs;
    }
    if (nowMs < dueAt && nowMs < endsAt) return;
    clearInterval(timer);
    onLate();
  }, LOOK_EVERY_MS);
  return {
    moved: (bytes) => {
      const earned = dueAt + (bytes / MIN_BYTES_PER_SECOND) * 1_000;
      dueAt = Math.max(dueAt, Math.min(Date.now() + PAUSE_MS, earned));
    },
    stop: () => clearInterval(timer),
  };
}
