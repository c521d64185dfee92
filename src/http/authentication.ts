import { hasKey, PARTNER_ID, type Partner } from "../partners/partner.ts";
import { readPartner } from "../partners/registry.ts";
import type { Middleware } from "./context.ts";
import { problem } from "./problem.ts";

/** Compared against when a partner is unknown, so that it costs what a wrong key costs. No key has this digest. */
const NOBODY: Pick<Partner, "keys"> = {
  keys: [{ key_id: "", digest: "0".repeat(64), created_at: "", expires_at: null }],
};

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
  const refuse = () =>
    problem(
      c,
      "unauthorized",
      "Send `Authorization: Bearer <auth_key>` and `Partner-Id: <partner_id>` with a key that is live.",
      { headers: { "WWW-Authenticate": "Bearer" } },
    );
  if (key === null || partnerId.value === null || !PARTNER_ID.test(partnerId.value)) return refuse();

  const partner = await readPartner(c.env.PARTNERS, partnerId.value);
  const proven = hasKey(partner ?? NOBODY, key, Date.now());
  if (partner === null || !proven) return refuse();
  if (partner.status === "suspended") {
    return problem(c, "partner_suspended", "This partner may not use the service at present.");
  }
  c.set("partner", partner);
  return next();
};
