/** Names that the console imports too. This module imports no schemas, which would add to the console's size. */

/** Type of the event of a completed import. Endpoints receive it unless they choose their types. */
export const IMPORT_COMPLETED = "bulk_fit_import.completed";

/** Type of the event of a cancelled import. */
export const IMPORT_CANCELLED = "import.cancelled";

/** Type of the receipt of an erasure. */
export const USER_ERASED = "user.erased";

/** Types of events that an endpoint can receive. */
export const EVENT_TYPES = [
  IMPORT_COMPLETED,
  IMPORT_CANCELLED,
  "file.imported",
  "file.failed",
  "activity.updated",
  "activity.deleted",
  USER_ERASED,
] as const;
type EventType = (typeof EVENT_TYPES)[number];

/** Types of outcomes, which events list in batches. */
export const OUTCOME_TYPES = [
  "file.imported",
  "file.failed",
  "activity.updated",
  "activity.deleted",
] as const satisfies readonly EventType[];

/** Id of the endpoint that a partner's `event_url` is. */
export const DEFAULT_ENDPOINT = "ep_default";
