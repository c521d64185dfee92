import { liveKeyId, PARTNER_ID, type Partner } from "../partners/partner.ts";
import { readPartner } from "../partners/registry.ts";
import type { Middleware } from "./context.ts";
import { problem } from "./problem.ts";
import { take, type Bucket } from "./tokenBucket.pure.ts";

/** Compared against when a partner is unknown, so that it costs what a wrong key costs. No key has this digest. */
const NOBODY: Pick<Partner, "keys"> = {
  keys: [{ key_id: "", digest: "0".repeat(64), created_at: "", expires_at: null }],
};

/** A client with an outdated key may fail this often before it is told to slow down. */
const FAILURES_PER_MINUTE = 60;
/** Whom to remember is a caller's choice, so there is an end to it; the longest unheard of is forgotten first. */
const REMEMBERED_CALLERS = 10_000;

/** Failures by the partner that was claimed and the address that claimed it. */
const failures = new Map<string, Bucket>();

/**
 * Counts a failed authentication; null, or the seconds to wait when there were too many. Only failures are held
 * up: a live key gets in, also from the address of somebody who guesses. A key is 256 random bits, so what the
 * limit saves is work and not the key.
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

/** A header by its own name or by the literal spelling of the partner documentation. */
function credential(headers: Headers, name: string, literalName: string): Credential {
  const value = headers.get(name);
  const literal = headers.get(literalName);
  if (value !== null && literal !== null && value !== literal) return { ok: false };
  return { ok: true, value: value ?? literal };
}

/** The key behind the scheme; a header sent twice arrives joined by a comma and is no key. */
function bearerKey(authorization: string | null): string | null {
  return /^Bearer +([^\s,]+)$/i.exec(authorization ?? "")?.[1] ?? null;
}

/** Lets a partner with a live key through, as `c.var.partner`. */
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

  const partner = await readPartner(c.env.PARTNERS, claimed);
  const keyId = liveKeyId(partner ?? NOBODY, key, Date.now());
  if (partner === null) return refuse();
  if (keyId === null) {
    // Of the registry: a header's text that names nobody could be anything, also a key.
    c.var.logFields.claimed_partner_id = partner.partner_id;
    return refuse();
  }
  c.set("partner", partner);
  c.var.logFields.key_id = keyId;
  if (partner.status === "suspended") {
    return problem(c, "partner_suspended", "This partner may not use the service at present.");
  }
  return next();
};
