/** A token bucket that holds the tokens of a minute and fills evenly. Pure: the time is an argument. */

export interface Bucket {
  tokens: number;
  /** Unix milliseconds of the last update. */
  at: number;
}

/** State of a bucket after a request for tokens. */
export interface Quota {
  granted: boolean;
  limit: number;
  /** Whole tokens that are left. */
  remaining: number;
  /** Seconds until the bucket is full again. */
  fullInSeconds: number;
  /** Seconds until the same request could be granted; 0 when it was granted. */
  retryAfterSeconds: number;
}

const MINUTE_MS = 60_000;

/**
 * Takes `amount` tokens from a bucket of `limitPerMinute`; null is a full bucket. A full bucket grants more than its
 * content and then owes the rest, so that a request larger than the limit is possible.
 */
export function take(
  bucket: Bucket | null,
  limitPerMinute: number,
  amount: number,
  nowMs: number,
): { bucket: Bucket; quota: Quota } {
  const perMs = limitPerMinute / MINUTE_MS;
  const filled = bucket === null ? limitPerMinute : bucket.tokens + Math.max(0, nowMs - bucket.at) * perMs;
  const tokens = Math.min(limitPerMinute, filled);
  const needed = Math.min(amount, limitPerMinute);
  const granted = tokens >= needed && limitPerMinute > 0;
  const left = granted ? tokens - amount : tokens;
  const secondsFor = (missing: number) =>
    perMs > 0 ? Math.max(0, Math.ceil(missing / perMs / 1000)) : MINUTE_MS / 1000;
  return {
    bucket: { tokens: left, at: nowMs },
    quota: {
      granted,
      limit: limitPerMinute,
      remaining: Math.max(0, Math.floor(left)),
      fullInSeconds: secondsFor(limitPerMinute - left),
      retryAfterSeconds: granted ? 0 : Math.max(1, secondsFor(needed - tokens)),
    },
  };
}
