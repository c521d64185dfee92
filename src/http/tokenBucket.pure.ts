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
  const tokens = tokensAt(bucket, limitPerMinute, nowMs);
  const needed = Math.min(amount, limitPerMinute);
  const granted = tokens >= needed && limitPerMinute > 0;
  return settled(granted ? tokens - amount : tokens, limitPerMinute, nowMs, granted ? null : needed - tokens);
}

/** Takes `amount` tokens whatever the bucket holds. It owes what it does not have. A negative amount gives tokens back. */
export function charge(
  bucket: Bucket | null,
  limitPerMinute: number,
  amount: number,
  nowMs: number,
): { bucket: Bucket; quota: Quota } {
  return settled(tokensAt(bucket, limitPerMinute, nowMs) - amount, limitPerMinute, nowMs, null);
}

function tokensAt(bucket: Bucket | null, limitPerMinute: number, nowMs: number): number {
  if (bucket === null) return limitPerMinute;
  const filled = bucket.tokens + (Math.max(0, nowMs - bucket.at) * limitPerMinute) / MINUTE_MS;
  return Math.min(limitPerMinute, filled);
}

/** `missing` are the tokens that a request was refused for; null when it was granted. */
function settled(
  tokens: number,
  limitPerMinute: number,
  nowMs: number,
  missing: number | null,
): { bucket: Bucket; quota: Quota } {
  const secondsFor = (amount: number) =>
    limitPerMinute > 0
      ? Math.max(0, Math.ceil((amount / limitPerMinute) * (MINUTE_MS / 1000)))
      : MINUTE_MS / 1000;
  return {
    bucket: { tokens, at: nowMs },
    quota: {
      granted: missing === null,
      limit: limitPerMinute,
      remaining: Math.max(0, Math.floor(tokens)),
      fullInSeconds: secondsFor(limitPerMinute - tokens),
      retryAfterSeconds: missing === null ? 0 : Math.max(1, secondsFor(missing)),
    },
  };
}
