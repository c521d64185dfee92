import { count, fieldsOf, list, numberOrNull, text, textOrNull } from "../database/parse.ts";
import type { WebhookSecret } from "../partners/partner.ts";
import { EVENT_TYPES, type EventType } from "./endpoint.ts";

/** An endpoint as D1 stores it. Times are Unix milliseconds. */
export interface StoredEndpoint {
  endpoint_id: string;
  /** Null for the `event_url` of the partner's settings. */
  url: string | null;
  event_types: EventType[];
  include_history: boolean;
  on_hold_since: number | null;
  /** Empty for the secrets of the partner's settings. */
  secrets: WebhookSecret[];
  verified_at: number | null;
  failing_since: number | null;
  disabled_at: number | null;
  created_at: number;
  /** Events from this time on that failed or were held are being sent again. Null when none are. */
  recover_since: number | null;
  deleted_at: number | null;
}

export const ENDPOINT_COLUMNS = `endpoint_id, url, event_types, include_history, on_hold_since, secrets, verified_at,
  failing_since, disabled_at, recover_since, created_at, deleted_at`;

/** Parses a row of `endpoints` that any release may have written. Skips event types that this one does not know. */
export function parseEndpoint(row: unknown): StoredEndpoint {
  const fields = fieldsOf(row);
  return {
    endpoint_id: text(fields["endpoint_id"]),
    url: textOrNull(fields["url"]),
    event_types: eventTypesOf(text(fields["event_types"])),
    include_history: count(fields["include_history"]) === 1,
    on_hold_since: numberOrNull(fields["on_hold_since"]),
    secrets: list(JSON.parse(text(fields["secrets"]))).map(secretOf),
    verified_at: numberOrNull(fields["verified_at"]),
    failing_since: numberOrNull(fields["failing_since"]),
    disabled_at: numberOrNull(fields["disabled_at"]),
    created_at: count(fields["created_at"]),
    recover_since: numberOrNull(fields["recover_since"]),
    deleted_at: numberOrNull(fields["deleted_at"]),
  };
}

/** Parses the column `event_types`. Skips types that this release does not know. */
export function eventTypesOf(column: string): EventType[] {
  const stored = list(JSON.parse(column));
  return EVENT_TYPES.filter((type) => stored.includes(type));
}

function secretOf(value: unknown): WebhookSecret {
  const { secret_id, secret, created_at, expires_at } = fieldsOf(value);
  return {
    secret_id: text(secret_id),
    secret: text(secret),
    created_at: text(created_at),
    expires_at: textOrNull(expires_at),
  };
}
