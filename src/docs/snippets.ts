/** Programs in the guide. A test runs each of them unchanged. */

export const VERIFY_NODE = String.raw`
import { createHmac, timingSafeEqual } from "node:crypto";

// body: the original bytes of the request body, before parsing.
export function verify(secret, headers, body) {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  const signatures = headers["webhook-signature"];
  if (!id || !timestamp || !signatures) return false;
  const ageInSeconds = Date.now() / 1000 - Number(timestamp);
  if (!(Math.abs(ageInSeconds) <= 300)) return false;

  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(id + "." + timestamp + ".").update(body).digest();
  return signatures.split(" ").some((entry) => {
    const [version, signature] = entry.split(",");
    const given = Buffer.from(signature ?? "", "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
}
`;

export const VERIFY_PYTHON = String.raw`
import base64, hashlib, hmac, time

def verify(secret: str, headers: dict, body: bytes) -> bool:
    """body: the original bytes of the request body, before parsing."""
    try:
        event_id = headers["webhook-id"]
        timestamp = headers["webhook-timestamp"]
        signatures = headers["webhook-signature"]
        if abs(time.time() - int(timestamp)) > 300:
            return False
    except (KeyError, ValueError):
        return False

    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{event_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(entry.encode(), expected.encode()) for entry in signatures.split(" "))
`;

export const VERIFY_SHELL = String.raw`
# SECRET, ID, TIMESTAMP and SIGNATURE: your secret and the three headers. body.json: the original bytes of the body.
key=$(printf '%s' "$SECRET" | sed 's/^whsec_//' | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
expected=$({ printf '%s.%s.' "$ID" "$TIMESTAMP"; cat body.json; } |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
case " $SIGNATURE " in
  *" v1,$expected "*) echo "the signature is good" ;;
  *) echo "the signature is not good"; exit 1 ;;
esac
`;
