/** A token bucket. It holds the tokens of one minute and fills at a constant rate. */

export interface Bucket {
  tokens: number;
  /** Unix milliseconds of the last update. */
  at: number;
}

/** State of a bucket after a request for tokens. */
export interface Quota {
  granted: boolean;
  limit: number;
  /** Tokens left in the bucket, rounded down. */
  remaining: number;
  /** Seconds until the bucket is full again. */
  fullInSeconds: number;
  /** Seconds until the same request can be granted. 0 if it was granted. */
  retryAfterSeconds: number;
}

const MINUTE_MS = 60_000;

/**
 * Takes `amount` tokens from a bucket of `limitPerMinute`. Null is a full bucket. A full bucket also grants a request
 * larger than the limit; its content is negative afterwards.
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
  return withQuota(
    granted ? tokens - amount : tokens,
    limitPerMinute,
    nowMs,
    granted ? null : needed - tokens,
  );
}

/** Takes `amount` tokens in any case; the bucket may go below zero. A negative amount returns tokens. */
export function charge(
  bucket: Bucket | null,
  limitPerMinute: number,
  amount: number,
  nowMs: number,
): { bucket: Bucket; quota: Quota } {
  return withQuota(tokensAt(bucket, limitPerMinute, nowMs) - amount, limitPerMinute, nowMs, null);
}

function tokensAt(bucket: Bucket | null, limitPerMinute: number, nowMs: number): number {
  if (bucket === null) return limitPerMinute;
  const filled = bucket.tokens + (Math.max(0, nowMs - bucket.at) * limitPerMinute) / MINUTE_MS;
  return Math.min(limitPerMinute, filled);
}

/** Returns a bucket with its quota. `missing` is the number of tokens that a rejected request lacked; null if granted. */
function withQuota(
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
