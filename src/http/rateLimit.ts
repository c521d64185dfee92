import { take, type Bucket, type Quota } from "./tokenBucket.pure.ts";
import type { RequestContext, Middleware } from "./context.ts";
import { problem } from "./problem.ts";

/** Buckets of this isolate by policy and partner: a few for each partner. */
const buckets = new Map<string, Bucket>();

/** The platform's counter covers a minute. */
const CEILING_RETRY_SECONDS = 60;

type Policy = "intake" | "read" | "files";

/** Takes tokens from a partner's bucket and sets its state for the answer's `RateLimit` fields. */
function spend(c: RequestContext, policy: Policy, limitPerMinute: number, amount: number): Quota {
  const key = `${policy}/${c.var.partner.partner_id}`;
  const { bucket, quota } = take(buckets.get(key) ?? null, limitPerMinute, amount, Date.now());
  buckets.set(key, bucket);
  c.var.quotas.set(policy, quota);
  return quota;
}

/** Answers 429 with `Retry-After`. */
export function tooMany(c: RequestContext, detail: string, retryAfterSeconds: number) {
  return problem(c, "rate_limited", detail, { headers: { "Retry-After": String(retryAfterSeconds) } });
}

/** Counts the files of a valid request. Returns the 429 if they exceed the partner's limit, else null. */
export function spendFiles(c: RequestContext, files: number) {
  const limit = c.var.partner.limits.files_per_minute;
  if (limit === null) return null;
  const quota = spend(c, "files", limit, files);
  if (quota.granted) return null;
  return tooMany(
    c,
    `At most ${limit} files a minute; send this request again later.`,
    quota.retryAfterSeconds,
  );
}

/**
 * Counts a partner's requests, reads apart from others, and writes the `RateLimit` fields of
 * draft-ietf-httpapi-ratelimit-headers. The platform's limiter is the ceiling over all isolates of a location.
 */
export const limitRequests: Middleware = async (c, next) => {
  c.set("quotas", new Map());
  const { partner_id, limits } = c.var.partner;
  const limit = limits.requests_per_minute;
  const reads = c.req.method === "GET" || c.req.method === "HEAD";
  const quota = limit === null ? null : spend(c, reads ? "read" : "intake", limit, 1);
  if (quota !== null && !quota.granted) {
    c.res = tooMany(c, `At most ${limit} requests a minute.`, quota.retryAfterSeconds);
  } else if (quota !== null && !(await c.env.REQUEST_CEILING.limit({ key: partner_id })).success) {
    c.res = tooMany(c, "More requests than this service takes of one partner.", CEILING_RETRY_SECONDS);
  } else {
    await next();
  }
  const stands = [...c.var.quotas];
  if (stands.length === 0) return;
  const policies = stands.map(([policy, { limit }]) => `"${policy}";q=${limit};w=60`);
  const left = stands.map(
    ([policy, { remaining, fullInSeconds }]) => `"${policy}";r=${remaining};t=${fullInSeconds}`,
  );
  c.res.headers.set("RateLimit-Policy", policies.join(", "));
  c.res.headers.set("RateLimit", left.join(", "));
};
