import { ENDPOINT_DAYS, ENDPOINT_FAILS_FOR_MS } from "../../contract/limits.ts";
import { DATABASE_NOW } from "../../database/sql.ts";
import { dayOf } from "../../contract/days.ts";
import { ENDPOINT_IDS, includesOutcomes } from "../subscribers.ts";
import { OLDEST_HELD } from "../write.ts";

/** An attempt to deliver an event to an endpoint. */
export interface EndpointAttempt {
  partner_id: string;
  endpoint_id: string;
  /** The endpoint's `url` when the request was sent. */
  url: string | null;
  /** Whether it was a test event. Tests are not counted. */
  isTest: boolean;
  delivered: boolean;
  /** Whether the receiver returned the challenge of a test event. */
  verified: boolean;
}

/** Events of the last moments before the verification may only be recorded as held after it. */
const HELD_MEANWHILE_MS = 60_000;
/** SQL assignment that sends the events that waited for the verification. During a hold, they wait for its end. */
const RECOVER_HELD = `recover_since = CASE WHEN on_hold_since IS NULL
  THEN min(coalesce(recover_since, ?3), coalesce(${OLDEST_HELD}, ?3), ?3 - ${HELD_MEANWHILE_MS}) END`;

/**
 * Returns the statements that count an attempt and change the endpoint's state. They count nothing for a deleted or unknown
 * endpoint. The state is that of a row whose URL has not changed since the request. Attempts that fail for
 * `ENDPOINT_FAILS_FOR_MS` without a success disable the endpoint.
 */
export function countAttempt(
  db: D1Database,
  { partner_id, endpoint_id, url, isTest, delivered, verified }: EndpointAttempt,
  nowMs: number,
): D1PreparedStatement[] {
  const change = (assignments: string, condition: string) =>
    db
      .prepare(
        `UPDATE endpoints SET ${assignments}
         WHERE partner_id = ?1 AND endpoint_id = ?2 AND url IS ?4 AND created_at <= ?3 AND ${condition}`,
      )
      .bind(partner_id, endpoint_id, nowMs, url);
  if (isTest) {
    // A verified endpoint receives outcomes from now on.
    const position = `outcomes_time = CASE WHEN ${includesOutcomes("event_types")} THEN ${DATABASE_NOW} END, outcomes_place = ''`;
    return verified ? [change(`verified_at = ?3, ${position}, ${RECOVER_HELD}`, "verified_at IS NULL")] : [];
  }
  const hasFailedLong = `failing_since <= ?3 - ${ENDPOINT_FAILS_FOR_MS}`;
  const day = dayOf(nowMs);
  return [
    delivered
      ? change("failing_since = NULL", "failing_since IS NOT NULL")
      : change(
          `failing_since = coalesce(failing_since, ?3), disabled_at = CASE WHEN ${hasFailedLong} THEN ?3 END`,
          `disabled_at IS NULL AND (failing_since IS NULL OR ${hasFailedLong})`,
        ),
    db
      .prepare(
        `INSERT INTO endpoint_days (partner_id, endpoint_id, day, delivered, failed)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?2 IN (${ENDPOINT_IDS})
         ON CONFLICT (partner_id, endpoint_id, day) DO UPDATE SET
           delivered = delivered + excluded.delivered, failed = failed + excluded.failed`,
      )
      .bind(partner_id, endpoint_id, day, delivered ? 1 : 0, delivered ? 0 : 1),
    db
      .prepare("DELETE FROM endpoint_days WHERE partner_id = ?1 AND endpoint_id = ?2 AND day <= ?3")
      .bind(partner_id, endpoint_id, day - ENDPOINT_DAYS),
  ];
}
