import { createHmac } from "node:crypto";

const SECRET_PREFIX = "whsec_";

/**
 * The three headers of Standard Webhooks. `body` is the exact text that is sent; `atMs` should be the attempt's
 * own time, since receivers refuse old ones. One signature for each secret, so that a receiver may hold any.
 */
export function signedHeaders(message: {
  id: string;
  atMs: number;
  body: string;
  secrets: readonly string[];
}) {
  const timestamp = String(Math.floor(message.atMs / 1000));
  const signed = `${message.id}.${timestamp}.${message.body}`;
  const signatures = message.secrets.map((secret) => {
    const encoded = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
    return `v1,${createHmac("sha256", Buffer.from(encoded, "base64")).update(signed).digest("base64")}`;
  });
  return {
    "webhook-id": message.id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
  };
}
