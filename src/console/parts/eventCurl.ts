import type { Event } from "../../deliveries/event.ts";

/** Quotes a text for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Returns the body that the service sends for an event. */
export function bodyOf({ type, timestamp, data }: Event): string {
  return JSON.stringify({ type, timestamp, data });
}

/** Returns shell commands that send the event to `url`, signed with the secret in `WEBHOOK_SECRET`. Contains no secret. */
export function eventCurl(event: Event, url: string): string {
  return `# Set WEBHOOK_SECRET to the endpoint's secret (whsec_…) first.
ID=${quoted(event.id)}
AT=$(date +%s)
BODY=${quoted(bodyOf(event))}
KEY=$(printf %s "\${WEBHOOK_SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \\n')
SIGNATURE=$(printf '%s.%s.%s' "$ID" "$AT" "$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64)
curl -i -X POST ${quoted(url)} \\
  -H 'content-type: application/json' \\
  -H "webhook-id: $ID" -H "webhook-timestamp: $AT" -H "webhook-signature: v1,$SIGNATURE" \\
  --data-binary "$BODY"
`;
}
