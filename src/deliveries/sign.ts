import { createHmac } from "node:crypto";

const SECRET_PREFIX = "whsec_";

/**
 * Returns the three headers of Standard Webhooks, with one signature for each secret. `body` is the exact text that is
 * sent. `atMs` is the time of this attempt: receivers reject old ones.
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
