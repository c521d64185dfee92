const KIB = 1024;

/** Minimum rate of a request or response body: 0.5 Mbit/s. */
export const MIN_BYTES_PER_SECOND = 64 * KIB;
/** Maximum time for a complete body: enough for 32 MiB at 9 Mbit/s. */
export const TRANSFER_MS = 30_000;
/** Maximum pause of a transfer that was above the minimum rate before. */
export const PAUSE_MS = 5_000;
/** Interval between checks of a transfer. */
export const CHECK_INTERVAL_MS = 250;
/** Minimum delay of a check that shows that the isolate is busy with other work. */
const BUSY_DELAY_MS = 500;

/** Enforces the minimum rate of one transfer. A slower caller would occupy memory that other requests wait for. */
export interface Pace {
  /** Records bytes that were transferred. */
  transferred: (bytes: number) => void;
  stop: () => void;
}

/**
 * Calls `onLate` once when a transfer becomes too slow. A transfer starts with `graceMs`. Each byte extends its time by
 * the byte's duration at the minimum rate, to at most `PAUSE_MS` from now. Time in which the isolate is busy does not count.
 */
export function startPace(graceMs: number, onLate: () => void): Pace {
  let checkedAt = Date.now();
  let endsAt = checkedAt + TRANSFER_MS;
  let dueAt = checkedAt + graceMs;
  const timer = setInterval(() => {
    const nowMs = Date.now();
    const delayMs = nowMs - checkedAt - CHECK_INTERVAL_MS;
    checkedAt = nowMs;
    if (delayMs > BUSY_DELAY_MS) {
      dueAt += delayMs;
      endsAt += delayMs;
    }
    if (nowMs < dueAt && nowMs < endsAt) return;
    clearInterval(timer);
    onLate();
  }, CHECK_INTERVAL_MS);
  return {
    transferred: (bytes) => {
      const extended = dueAt + (bytes / MIN_BYTES_PER_SECOND) * 1_000;
      dueAt = Math.max(dueAt, Math.min(Date.now() + PAUSE_MS, extended));
    },
    stop: () => clearInterval(timer),
  };
}
