import { createHmac, timingSafeEqual } from "node:crypto";

/** Maximum difference between a signature's time and now, as Standard Webhooks recommends. */
const TOLERANCE_SECONDS = 5 * 60;
/** Maximum number of signatures that are compared: one for each secret of a rotation. */
const MAX_SIGNATURES = 10;

/** Returns whether a request is signed by Standard Webhooks with the secret, and its timestamp is recent. */
export function isSigned(headers: Headers, body: Uint8Array, secret: Buffer, nowMs: number): boolean {
  const id = headers.get("webhook-id");
  const timestamp = headers.get("webhook-timestamp") ?? "";
  if (id === null || id === "" || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(nowMs / 1_000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const expected = createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(body).digest();
  return (headers.get("webhook-signature") ?? "")
    .split(" ")
    .slice(0, MAX_SIGNATURES)
    .some((signature) => {
      const offered = Buffer.from(/^v1,(.+)$/.exec(signature)?.[1] ?? "", "base64");
      return offered.byteLength === expected.byteLength && timingSafeEqual(offered, expected);
    });
}
