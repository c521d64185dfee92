import { liveKeyId, PARTNER_ID, type Partner } from "../partners/partner.ts";
import { readKnownPartner, readPartnerAndUsage } from "../partners/registry.ts";
import type { Middleware } from "./context.ts";
import { problem } from "./problem.ts";
import { take, type Bucket } from "./tokenBucket.pure.ts";

/** Digest to compare with when the partner is unknown, so that this takes as long as a wrong key. No key has it. */
const UNKNOWN_PARTNER: Pick<Partner, "keys"> = {
  keys: [{ key_id: "", digest: "0".repeat(64), created_at: "", expires_at: null }],
};

/** Maximum number of failures a minute of one partner id and address. A client with an outdated key may fail this often. */
const FAILURES_PER_MINUTE = 60;
/** Maximum number of failures a minute of one address, whatever partner ids it names. */
const FAILURES_OF_ADDRESS_PER_MINUTE = 300;
/** Maximum number of buckets: callers choose the names. The bucket that was used longest ago is deleted first. */
const REMEMBERED_CALLERS = 10_000;

/** Failures by claimed partner and caller's address. */
const failures = new Map<string, Bucket>();
/** Failures by caller's address. */
const failuresOfAddress = new Map<string, Bucket>();

/** Returns an IPv4 address, or the /64 network of an IPv6 address, which is one caller's. */
function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [before = "", after] = address.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...Array<string>(zeros).fill("0"), ...tail].slice(0, 4).join(":");
}

/** Takes a token of a caller. Returns null, or the seconds to wait when there is none. */
function countIn(buckets: Map<string, Bucket>, caller: string, limit: number, nowMs: number): number | null {
  const { bucket, quota } = take(buckets.get(caller) ?? null, limit, 1, nowMs);
  buckets.delete(caller);
  buckets.set(caller, bucket);
  const [oldest] = buckets.keys();
  if (buckets.size > REMEMBERED_CALLERS && oldest !== undefined) buckets.delete(oldest);
  return quota.granted ? null : quota.retryAfterSeconds;
}

/** Counts a failed authentication. Returns null, or the seconds to wait after too many. */
function countFailure(partnerId: string, network: string, nowMs: number): number | null {
  const ofAddress = countIn(failuresOfAddress, network, FAILURES_OF_ADDRESS_PER_MINUTE, nowMs);
  return ofAddress ?? countIn(failures, `${partnerId}/${network}`, FAILURES_PER_MINUTE, nowMs);
}

/** Whether a caller has failed too often, so that its next failure would be refused. Counts nothing. */
function hasFailedTooOften(partnerId: string, network: string, nowMs: number): boolean {
  const isEmpty = (bucket: Bucket | undefined, limit: number) =>
    bucket !== undefined && !take(bucket, limit, 1, nowMs).quota.granted;
  return (
    isEmpty(failuresOfAddress.get(network), FAILURES_OF_ADDRESS_PER_MINUTE) ||
    isEmpty(failures.get(`${partnerId}/${network}`), FAILURES_PER_MINUTE)
  );
}

type Credential = { ok: true; value: string | null } | { ok: false };

/** Returns a header by its own name, or by the spelling that the partner documentation uses. */
function credential(headers: Headers, name: string, literalName: string): Credential {
  const value = headers.get(name);
  const literal = headers.get(literalName);
  if (value !== null && literal !== null && value !== literal) return { ok: false };
  return { ok: true, value: value ?? literal };
}

/** Returns the key after the scheme. A header that was sent twice is joined by a comma, and is no key. */
function bearerKey(authorization: string | null): string | null {
  return /^Bearer +([^\s,]+)$/i.exec(authorization ?? "")?.[1] ?? null;
}

/**
 * Accepts requests with a valid key and sets `c.var.partner`. Only failures are limited. A key has 256 random bits, so
 * the limit protects KV and the processor, not the key. After too many failures of a caller KV is not read for it: a key
 * is then compared with settings that this isolate has read before, so an attacker locks no active partner out.
 */
export const authenticate: Middleware = async (c, next) => {
  const { headers } = c.req.raw;
  const authorization = credential(headers, "Authorization", "HTTP_AUTHORIZATION");
  const partnerId = credential(headers, "Partner-Id", "HTTP_PARTNER_ID");
  if (!authorization.ok || !partnerId.ok) {
    return problem(
      c,
      "conflicting_credentials",
      "A header and its HTTP_ spelling have different values; send one of them.",
    );
  }
  const key = bearerKey(authorization.value);
  const claimed = partnerId.value !== null && PARTNER_ID.test(partnerId.value) ? partnerId.value : null;
  const network = networkOf(headers.get("CF-Connecting-IP") ?? "");
  const refuse = () => {
    const waitSeconds = countFailure(claimed ?? "", network, Date.now());
    if (waitSeconds !== null) {
      return problem(c, "rate_limited", "Too many requests without a live key.", {
        headers: { "Retry-After": String(waitSeconds) },
      });
    }
    return problem(
      c,
      "unauthorized",
      "Send `Authorization: Bearer <auth_key>` and `Partner-Id: <partner_id>` with a key that is live.",
      { headers: { "WWW-Authenticate": "Bearer" } },
    );
  };
  if (key === null || claimed === null) return refuse();

  const now = Date.now();
  const read = hasFailedTooOften(claimed, network, now) ? readKnownPartner : readPartnerAndUsage;
  const found = await read(c.env.PARTNERS, claimed, now);
  const partner = found?.partner ?? null;
  const keyId = liveKeyId(partner ?? UNKNOWN_PARTNER, key, Date.now());
  if (found === null || partner === null) return refuse();
  if (keyId === null) {
    // Log only ids in the registry: any other header text could be a key.
    c.var.logFields.claimed_partner_id = partner.partner_id;
    return refuse();
  }
  c.set("partner", partner);
  c.set("usage", found.usage);
  c.var.logFields.key_id = keyId;
  if (partner.status === "suspended") {
    return problem(c, "partner_suspended", "This partner may not use the service at present.");
  }
  return next();
};
