import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** Start of every planner token. Keys of partners begin differently. */
const TOKEN_PREFIX = "aept_";
/** Lifetime of a token. */
export const TOKEN_LIFETIME_MS = 24 * 60 * 60_000;

const grantSchema = z.strictObject({
  partner_id: z.string(),
  user_id: z.string(),
  /** Bound of the user's last erasure before the token was issued, or 0. A later erasure has a higher one and ends the token. */
  erased_before: z.number(),
  /** Unix milliseconds. */
  expires_at: z.number().int(),
});
/** What a planner token permits: reads of one user of one partner, for a limited time. */
export type PlannerGrant = z.infer<typeof grantSchema>;

/** Returns the signature of a token's text. The text has no dot, unlike the signed text of a webhook, so neither signature is valid for the other. */
function signatureOf(secret: Buffer, text: string): Buffer {
  return createHmac("sha256", secret).update(text).digest();
}

/** Returns a token: the prefix, the grant as JSON in base64url, a dot, and the HMAC-SHA256 of all before the dot in base64url. */
export function newToken(secret: Buffer, grant: PlannerGrant): string {
  const text = TOKEN_PREFIX + Buffer.from(JSON.stringify(grant)).toString("base64url");
  return `${text}.${signatureOf(secret, text).toString("base64url")}`;
}

/** Returns whether a credential has the form of a planner token. */
export function isToken(credential: string): boolean {
  return credential.startsWith(TOKEN_PREFIX);
}

/** Returns the grant of a token. Null when its signature is wrong or it has expired. */
export function grantOf(secret: Buffer, token: string, nowMs: number): PlannerGrant | null {
  const [text = "", signature = "", ...rest] = token.split(".");
  if (!isToken(text) || rest.length > 0) return null;
  const expected = signatureOf(secret, text);
  const offered = Buffer.from(signature, "base64url");
  if (offered.byteLength !== expected.byteLength || !timingSafeEqual(offered, expected)) return null;
  const payload = Buffer.from(text.slice(TOKEN_PREFIX.length), "base64url").toString();
  const grant = grantSchema.parse(JSON.parse(payload));
  return nowMs < grant.expires_at ? grant : null;
}
