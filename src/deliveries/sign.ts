import { createHmac, timingSafeEqual } from "node:crypto";

const SECRET_PREFIX = "whsec_";
/** Maximum difference between a signature's time and now, as Standard Webhooks recommends. */
const TOLERANCE_SECONDS = 5 * 60;
/** Maximum number of signatures that are compared: one for each secret of a rotation. */
const MAX_SIGNATURES = 10;

/** Returns the bytes of a secret, with or without its prefix. */
export function secretBytes(secret: string): Buffer {
  const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  return Buffer.from(encoded, "base64");
}

/** Returns the signature of Standard Webhooks. `timestamp` is in Unix seconds, as its header has it. */
function signatureOf(secret: Buffer, id: string, timestamp: string, body: string | Uint8Array): Buffer {
  return createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(body).digest();
}

/**
 * Returns the three headers of Standard Webhooks, with one signature for each secret. `body` is the exact text that is
 * sent. `atMs` is the time of this attempt: receivers reject old ones.
 */
export function signedHeaders({
  id,
  atMs,
  body,
  secrets,
}: {
  id: string;
  atMs: number;
  body: string;
  secrets: readonly string[];
}) {
  const timestamp = String(Math.floor(atMs / 1000));
  const signatures = secrets.map(
    (secret) => `v1,${signatureOf(secretBytes(secret), id, timestamp, body).toString("base64")}`,
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
  };
}

/** Returns whether a request is signed by Standard Webhooks with the secret, and its timestamp is recent. */
export function isSigned(
  headers: Headers,
  body: string | Uint8Array,
  secret: Buffer,
  nowMs: number,
): boolean {
  const id = headers.get("webhook-id");
  const timestamp = headers.get("webhook-timestamp") ?? "";
  if (id === null || id === "" || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(nowMs / 1_000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const expected = signatureOf(secret, id, timestamp, body);
  return (headers.get("webhook-signature") ?? "")
    .split(" ")
    .slice(0, MAX_SIGNATURES)
    .some((signature) => {
      const offered = Buffer.from(/^v1,(.+)$/.exec(signature)?.[1] ?? "", "base64");
      return offered.byteLength === expected.byteLength && timingSafeEqual(offered, expected);
    });
}
