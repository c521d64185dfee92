/** Code of the warning about a task that found no file. */
export const NOTHING_HELD = "nothing_held";

/** Code of the warning about an event that no endpoint receives. */
export const NO_EVENT_URL = "no_event_url";
/** Code of the warning about an event whose endpoints are all unverified. It is held until one has returned its challenge. */
export const ENDPOINT_UNVERIFIED = "endpoint_unverified";
export const RECEIVER_WARNINGS = [NO_EVENT_URL, ENDPOINT_UNVERIFIED] as const;
export type ReceiverWarning = (typeof RECEIVER_WARNINGS)[number];

/**
 * Returns the warning about the receiver of an import's event, or null. `hasVerified`: whether an endpoint that receives such
 * events is verified; null without such an endpoint.
 */
export function receiverWarningOf(
  event_url: string | null,
  hasVerified: boolean | null,
): ReceiverWarning | null {
  if (event_url !== null || hasVerified === true) return null;
  return hasVerified === null ? NO_EVENT_URL : ENDPOINT_UNVERIFIED;
}

/**
 * Returns the codes of the warnings of an import: that about its event's receiver, and for an import without files another, with the user's
 * other sources that had held files. Null sources are unknown.
 */
export function importWarnings(
  { total, held_under_other_source = null }: { total: number; held_under_other_source?: string[] | null },
  receiver: ReceiverWarning | null = null,
): { warnings: string[]; held_under_other_source?: string[] | null } {
  const warnings = receiver === null ? [] : [receiver];
  return total > 0 ? { warnings } : { warnings: [NOTHING_HELD, ...warnings], held_under_other_source };
}
