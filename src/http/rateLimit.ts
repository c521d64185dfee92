import { charge, take, type Bucket, type Quota } from "../concurrency/tokenBucket.pure.ts";
import type { Context } from "hono";
import type { AppEnv, RequestContext, Middleware } from "./context.ts";
import { problem } from "./problem.ts";

/** Buckets of this isolate, by policy and partner. */
const buckets = new Map<string, Bucket>();

/** Retry-After when the platform's limiter rejects a request. Its period is one minute. */
const CEILING_RETRY_SECONDS = 60;

/** Bytes of a body, a decoded file or a response that one request covers. Each further part of this size counts as another request. */
export const BYTES_PER_REQUEST = 256 * 1024;

/** Rows of the read model that one request covers. Each further part of this size counts as another request. */
export const ROWS_PER_REQUEST = 1_000;

type Policy = "intake" | "read" | "files" | "planner";

/** Changes a partner's bucket and stores its state for the `RateLimit` headers of the response. */
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

/** Returns the policy that a request counts against. The planner's reads do not count against the partner's limits. */
function policyOf(c: Pick<Context<AppEnv>, "req" | "var">): Policy {
  if (c.var.grant !== undefined) return "planner";
  return c.req.method === "GET" || c.req.method === "HEAD" ? "read" : "intake";
}

/** Returns a 429 with `Retry-After`. */
export function rateLimited(c: RequestContext, detail: string, retryAfterSeconds: number) {
  return problem(c, "rate_limited", detail, { headers: { "Retry-After": String(retryAfterSeconds) } });
}

/** Counts the files of a valid request. Returns a 429 if they exceed the partner's limit, else null. */
export function spendFiles(c: RequestContext, files: number) {
  const limit = c.var.partner.limits.files_per_minute;
  if (limit === null) return null;
  const quota = spend(c, "files", (bucket) => take(bucket, limit, files, Date.now()));
  if (quota.granted) return null;
  return rateLimited(
    c,
    `The request names ${files} files. With the files of the last minute, they exceed the partner's limit of ${limit} files per minute. Send the request again after the time in \`Retry-After\`.`,
    quota.retryAfterSeconds,
  );
}

const partsBeyondFirst = (bytes: number) => Math.max(0, Math.ceil(bytes / BYTES_PER_REQUEST) - 1);

/** Counts the declared size of a body. Returns a 429 if it exceeds the partner's limit, else null. */
export function spendDeclared(c: Context<AppEnv>, bytes: number) {
  const limit = c.var.partner.limits.requests_per_minute;
  const parts = partsBeyondFirst(bytes);
  if (limit === null || parts === 0) return null;
  // The request's own token is returned first: one request may take more than the limit only from a full bucket.
  const quota = spend(c, policyOf(c), (bucket) => {
    const nowMs = Date.now();
    return take(charge(bucket, limit, -1, nowMs).bucket, limit, 1 + parts, nowMs);
  });
  if (quota.granted) return null;
  return rateLimited(
    c,
    `Each ${BYTES_PER_REQUEST / 1024} KiB of a body counts as a request, and the partner's limit is ${limit} requests per minute. Send the request again after the time in \`Retry-After\`.`,
    quota.retryAfterSeconds,
  );
}

/**
 * Counts the size of a response, of a chunked body, or of the unpacked bytes of a file, except the bytes that were counted
 * before. The size is known only after the work, so the bucket may go below zero and the partner's next requests wait.
 */
export function chargeBytes(c: Context<AppEnv>, bytes: number, countedBytes = 0): void {
  const limit = c.var.partner.limits.requests_per_minute;
  const parts = partsBeyondFirst(bytes) - partsBeyondFirst(countedBytes);
  if (limit === null || parts <= 0) return;
  spend(c, policyOf(c), (bucket) => charge(bucket, limit, parts, Date.now()));
}

/**
 * Counts the rows that the database read for a response. All partners share the database, so a read that examines
 * thousands of rows counts as several requests. The number is known only after the work, as in `chargeBytes`.
 */
export function chargeRows(c: RequestContext & Pick<Context<AppEnv>, "req">, rows: number): void {
  const limit = c.var.partner.limits.requests_per_minute;
  const parts = Math.ceil(rows / ROWS_PER_REQUEST) - 1;
  if (limit === null || parts <= 0) return;
  spend(c, policyOf(c), (bucket) => charge(bucket, limit, parts, Date.now()));
}

/** Returns a function that counts the rows of a response that is read in parts. All parts together count like one read. */
export function rowCounter(c: RequestContext & Pick<Context<AppEnv>, "req">): (rows: number) => void {
  let rest = 0;
  return (rows) => {
    const requests = Math.floor((rest + rows) / ROWS_PER_REQUEST);
    rest = rest + rows - requests * ROWS_PER_REQUEST;
    chargeRows(c, (requests + 1) * ROWS_PER_REQUEST);
  };
}

/** Returns the key of the platform's limit: the partner, or the planner's reads of the partner. */
function ceilingKey({ var: { partner, grant } }: RequestContext): string {
  return grant === undefined ? partner.partner_id : `planner/${partner.partner_id}`;
}

/**
 * Counts a partner's requests, reads and writes separately, and sets the `RateLimit` headers of
 * draft-ietf-httpapi-ratelimit-headers. The platform's limiter is the upper bound over all isolates of a location. It also
 * applies to partners without a limit.
 */
export const limitRequests: Middleware = async (c, next) => {
  c.set("quotas", new Map());
  const { limits } = c.var.partner;
  const limit = limits.requests_per_minute;
  const quota = limit === null ? null : spend(c, policyOf(c), (bucket) => take(bucket, limit, 1, Date.now()));
  if (quota !== null && !quota.granted) {
    c.res = rateLimited(
      c,
      `The partner's limit of ${limit} requests per minute is reached. Send the request again after the time in \`Retry-After\`.`,
      quota.retryAfterSeconds,
    );
  } else if (!(await c.env.REQUEST_CEILING.limit({ key: ceilingKey(c) })).success) {
    c.res = rateLimited(
      c,
      "The service's limit of requests per minute for one partner is reached. Send the request again after the time in `Retry-After`.",
      CEILING_RETRY_SECONDS,
    );
  } else {
    await next();
  }
  const quotas = [...c.var.quotas];
  if (quotas.length === 0) return;
  const policies = quotas.map(([policy, { limit }]) => `"${policy}";q=${limit};w=60`);
  const states = quotas.map(
    ([policy, { remaining, fullInSeconds }]) => `"${policy}";r=${remaining};t=${fullInSeconds}`,
  );
  c.res.headers.set("RateLimit-Policy", policies.join(", "));
  c.res.headers.set("RateLimit", states.join(", "));
};
