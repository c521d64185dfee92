import { charge, take, type Bucket, type Quota } from "./tokenBucket.pure.ts";
import type { Context } from "hono";
import type { AppEnv, RequestContext, Middleware } from "./context.ts";
import { problem } from "./problem.ts";

/** Buckets of this isolate by policy and partner: a few for each partner. */
const buckets = new Map<string, Bucket>();

/** The platform's counter covers a minute. */
const CEILING_RETRY_SECONDS = 60;

/** Bytes of an inspected body, or of streams, that one request pays for. Each further part counts as a request. */
export const BYTES_PER_REQUEST = 256 * 1024;

type Policy = "intake" | "read" | "files";

/** Changes a partner's bucket and sets its state for the answer's `RateLimit` fields. */
function spend(
  c: RequestContext,
  policy: Policy,
  change: (bucket: Bucket | null) => ReturnType<typeof take>,
): Quota {
  const key = `${policy}/${c.var.partner.partner_id}`;
  const { bucket, quota } = change(buckets.get(key) ?? null);
  buckets.set(key, bucket);
  c.var.quotas.set(policy, quota);
  return quota;
}

/** The policy that a request counts against. */
function policyOf(c: Pick<Context<AppEnv>, "req">): Policy {
  return c.req.method === "GET" || c.req.method === "HEAD" ? "read" : "intake";
}

/** Answers 429 with `Retry-After`. */
export function tooMany(c: RequestContext, detail: string, retryAfterSeconds: number) {
  return problem(c, "rate_limited", detail, { headers: { "Retry-After": String(retryAfterSeconds) } });
}

/** Counts the files of a valid request. Returns the 429 if they exceed the partner's limit, else null. */
export function spendFiles(c: RequestContext, files: number) {
  const limit = c.var.partner.limits.files_per_minute;
  if (limit === null) return null;
  const quota = spend(c, "files", (bucket) => take(bucket, limit, files, Date.now()));
  if (quota.granted) return null;
  return tooMany(
    c,
    `At most ${limit} files a minute; send this request again later.`,
    quota.retryAfterSeconds,
  );
}

const partsBeyondFirst = (bytes: number) => Math.max(0, Math.ceil(bytes / BYTES_PER_REQUEST) - 1);

/** Counts the declared size of a body. Returns the 429 if it exceeds the partner's limit, else null. */
export function spendDeclared(c: Context<AppEnv>, bytes: number) {
  const limit = c.var.partner.limits.requests_per_minute;
  const parts = partsBeyondFirst(bytes);
  if (limit === null || parts === 0) return null;
  // The request itself has taken a token, which is given back: together they may be more than the whole limit.
  const quota = spend(c, policyOf(c), (bucket) => {
    const nowMs = Date.now();
    return take(charge(bucket, limit, -1, nowMs).bucket, limit, 1 + parts, nowMs);
  });
  if (quota.granted) return null;
  return tooMany(
    c,
    `A body counts as a request for each ${BYTES_PER_REQUEST / 1024} KiB, and at most ${limit} requests a minute are accepted.`,
    quota.retryAfterSeconds,
  );
}

/**
 * Counts the size of an answer, or of a body in chunks. It is known only when the work is done, so the partner's next
 * requests wait for it.
 */
export function chargeBytes(c: Context<AppEnv>, bytes: number): void {
  const limit = c.var.partner.limits.requests_per_minute;
  const parts = partsBeyondFirst(bytes);
  if (limit === null || parts === 0) return;
  spend(c, policyOf(c), (bucket) => charge(bucket, limit, parts, Date.now()));
}

/**
 * Counts a partner's requests, reads apart from others, and writes the `RateLimit` fields of
 * draft-ietf-httpapi-ratelimit-headers. The platform's limiter is the ceiling over all isolates of a location, also for
 * a partner without a limit.
 */
export const limitRequests: Middleware = async (c, next) => {
  c.set("quotas", new Map());
  const { partner_id, limits } = c.var.partner;
  const limit = limits.requests_per_minute;
  const quota = limit === null ? null : spend(c, policyOf(c), (bucket) => take(bucket, limit, 1, Date.now()));
  if (quota !== null && !quota.granted) {
    c.res = tooMany(c, `At most ${limit} requests a minute.`, quota.retryAfterSeconds);
  } else if (!(await c.env.REQUEST_CEILING.limit({ key: partner_id })).success) {
    c.res = tooMany(
      c,
      "More requests a minute than this service accepts from one partner.",
      CEILING_RETRY_SECONDS,
    );
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
