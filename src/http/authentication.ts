import { validKey, PARTNER_ID, type Partner } from "../partners/partner.ts";
import { readKnownPartner, readPartnerAndUsage } from "../partners/registry.ts";
import type { Middleware } from "./context.ts";
import { authenticatePlanner, isPlannerToken } from "./plannerAccess.ts";
import { partnerSuspended, problem } from "./problem.ts";
import { take, type Bucket } from "../concurrency/tokenBucket.pure.ts";

/** Keys of an unknown partner: comparing with this digest takes as long as with a real one. No key has it. */
const UNKNOWN_PARTNER: Pick<Partner, "keys"> = {
  keys: [
    { key_id: "", digest: "0".repeat(64), created_at: "", expires_at: null, label: null, scope: "full" },
  ],
};

/** Maximum number of failures per minute for one partner id and network. A client with an outdated key stays below it. */
const FAILURES_PER_MINUTE = 60;
/** Maximum number of failures per minute for one network, over all partner ids. */
const FAILURES_OF_NETWORK_PER_MINUTE = 300;
/** Maximum number of buckets in a map. Callers choose the map's keys. The least recently used bucket is evicted. */
const MAX_BUCKETS = 10_000;

/** Buckets by claimed partner id and network. */
const failures = new Map<string, Bucket>();
/** Buckets by network. */
const failuresOfNetwork = new Map<string, Bucket>();

/** Returns an IPv4 address, or the /64 network of an IPv6 address: one caller has a whole /64. */
function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [before = "", after] = address.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...Array<string>(zeros).fill("0"), ...tail].slice(0, 4).join(":");
}

/** Takes a token from a caller's bucket. Returns null, or the seconds to wait if the bucket is empty. */
function takeToken(
  buckets: Map<string, Bucket>,
  caller: string,
  limit: number,
  nowMs: number,
): number | null {
  const { bucket, quota } = take(buckets.get(caller) ?? null, limit, 1, nowMs);
  buckets.delete(caller);
  buckets.set(caller, bucket);
  const [oldest] = buckets.keys();
  if (buckets.size > MAX_BUCKETS && oldest !== undefined) buckets.delete(oldest);
  return quota.granted ? null : quota.retryAfterSeconds;
}

/** Counts a failed authentication. Returns null, or the seconds to wait after too many failures. */
function countFailure(partnerId: string, network: string, nowMs: number): number | null {
  const waitSeconds = takeToken(failuresOfNetwork, network, FAILURES_OF_NETWORK_PER_MINUTE, nowMs);
  return waitSeconds ?? takeToken(failures, `${partnerId}/${network}`, FAILURES_PER_MINUTE, nowMs);
}

/** Whether a caller's next failure would exceed a limit. Takes no token. */
function hasFailedTooOften(partnerId: string, network: string, nowMs: number): boolean {
  const isEmpty = (bucket: Bucket | undefined, limit: number) =>
    bucket !== undefined && !take(bucket, limit, 1, nowMs).quota.granted;
  return (
    isEmpty(failuresOfNetwork.get(network), FAILURES_OF_NETWORK_PER_MINUTE) ||
    isEmpty(failures.get(`${partnerId}/${network}`), FAILURES_PER_MINUTE)
  );
}

type Credential = { ok: true; value: string | null } | { ok: false };

/** Returns a header by its standard name, or by the `HTTP_` name that the partner documentation uses. */
function credential(headers: Headers, name: string, literalName: string): Credential {
  const value = headers.get(name);
  const literal = headers.get(literalName);
  if (value !== null && literal !== null && value !== literal) return { ok: false };
  return { ok: true, value: value ?? literal };
}

/** Returns the key after the scheme. A header that was sent twice has a comma, so it is rejected. */
function bearerKey(authorization: string | null): string | null {
  return /^Bearer +([^\s,]+)$/i.exec(authorization ?? "")?.[1] ?? null;
}

/** Returns what is wrong with the credentials. Does not depend on which partners exist. */
function faultOf(authorization: string | null, partnerId: string | null): string {
  if (authorization === null) return "The `Authorization` header is missing.";
  if (bearerKey(authorization) === null) return "The `Authorization` header does not contain a Bearer key.";
  if (partnerId === null) return "The `Partner-Id` header is missing.";
  return "The key is not a valid key of this partner.";
}

/**
 * Accepts requests with a valid key and sets `c.var.partner`. Only failures are limited. The limit protects KV and the
 * CPU; a key has 256 random bits. After too many failures, a caller's key is compared only with settings that this isolate
 * has read before, so that an attacker cannot lock out an active partner.
 */
export const authenticate: Middleware = async (c, next) => {
  const { headers } = c.req.raw;
  const authorization = credential(headers, "Authorization", "HTTP_AUTHORIZATION");
  const partnerId = credential(headers, "Partner-Id", "HTTP_PARTNER_ID");
  if (!authorization.ok || !partnerId.ok) {
    return problem(
      c,
      "conflicting_credentials",
      "`Authorization` and `HTTP_AUTHORIZATION`, or `Partner-Id` and `HTTP_PARTNER_ID`, have different values. Send only one of each pair.",
    );
  }
  const key = bearerKey(authorization.value);
  const claimed = partnerId.value !== null && PARTNER_ID.test(partnerId.value) ? partnerId.value : null;
  const network = networkOf(headers.get("CF-Connecting-IP") ?? "");
  const reject = () => {
    const waitSeconds = countFailure(claimed ?? "", network, Date.now());
    if (waitSeconds !== null) {
      return problem(
        c,
        "rate_limited",
        "Too many requests from this network failed authentication. Check the key and the `Partner-Id`, and wait as long as `Retry-After` says.",
        { headers: { "Retry-After": String(waitSeconds) } },
      );
    }
    return problem(
      c,
      "unauthorized",
      `${faultOf(authorization.value, partnerId.value)} Send \`Authorization: Bearer <auth_key>\` and \`Partner-Id: <partner_id>\` with a key that has not expired.`,
      { headers: { "WWW-Authenticate": "Bearer" } },
    );
  };
  if (key !== null && isPlannerToken(key)) {
    const authentic = await authenticatePlanner(c, key, partnerId.value);
    return authentic ? unlessSuspended(c, next) : reject();
  }
  if (key === null || claimed === null) return reject();

  const now = Date.now();
  const read = hasFailedTooOften(claimed, network, now) ? readKnownPartner : readPartnerAndUsage;
  const found = await read(c.env.PARTNERS, claimed, now);
  const partner = found?.partner ?? null;
  const valid = validKey(partner ?? UNKNOWN_PARTNER, key, Date.now());
  if (found === null || partner === null) return reject();
  if (valid === null) {
    // Only ids from the registry are logged: any other header text could be a key.
    c.var.logFields.claimed_partner_id = partner.partner_id;
    return reject();
  }
  c.set("partner", partner);
  c.set("usage", found.usage);
  c.set("isDatabaseFull", found.isDatabaseFull);
  c.set("key", valid);
  c.var.logFields.key_id = valid.key_id;
  return unlessSuspended(c, next);
};

/** Rejects the requests of a suspended partner. */
const unlessSuspended: Middleware = async (c, next) =>
  c.var.partner.status === "suspended" ? partnerSuspended(c) : next();
