import { liveKeyId, PARTNER_ID, type Partner } from "../partners/partner.ts";
import { readPartnerAndUsage } from "../partners/registry.ts";
import type { Middleware } from "./context.ts";
import { problem } from "./problem.ts";
import { take, type Bucket } from "./tokenBucket.pure.ts";

/** Digest to compare with when the partner is unknown, so that this takes as long as a wrong key. No key has it. */
const UNKNOWN_PARTNER: Pick<Partner, "keys"> = {
  keys: [{ key_id: "", digest: "0".repeat(64), created_at: "", expires_at: null }],
};

/** Maximum number of failures a minute. A client with an outdated key may fail this often. */
const FAILURES_PER_MINUTE = 60;
/** Maximum number of buckets: callers choose the names. The bucket that was used longest ago is deleted first. */
const REMEMBERED_CALLERS = 10_000;

/** Failures by claimed partner and caller's address. */
const failures = new Map<string, Bucket>();

/**
 * Counts a failed authentication. Returns null, or the seconds to wait after too many. Only failures are limited: a
 * valid key is accepted even from the address of an attacker. A key has 256 random bits, so the limit protects against
 * load, not against guesses.
 */
function countFailure(partnerId: string, address: string, nowMs: number): number | null {
  const caller = `${partnerId}/${address}`;
  const { bucket, quota } = take(failures.get(caller) ?? null, FAILURES_PER_MINUTE, 1, nowMs);
  failures.delete(caller);
  failures.set(caller, bucket);
  const [oldest] = failures.keys();
  if (failures.size > REMEMBERED_CALLERS && oldest !== undefined) failures.delete(oldest);
  return quota.granted ? null : quota.retryAfterSeconds;
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

/** Accepts requests with a valid key and sets `c.var.partner`. */
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
  const refuse = () => {
    const waitSeconds = countFailure(claimed ?? "", headers.get("CF-Connecting-IP") ?? "", Date.now());
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

  const found = await readPartnerAndUsage(c.env.PARTNERS, claimed, Date.now());
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
