const DAY_MS = 24 * 60 * 60_000;

/** A partner that has not sent its task by now never will: the held file ends as failed. */
export const HELD_FOR_MS = 30 * DAY_MS;
/** How long a failed file keeps its URL for another try; signed URLs rarely live longer. */
export const KEPT_URL_FOR_MS = 7 * DAY_MS;
/** A repeated task, or a second plan, is told from a new one within this. */
export const REPEATED_TASK_WINDOW_MS = DAY_MS;
/**
 * How long the hash and the bound of an erased user are kept. What is older than the bound is gone long before: held
 * 30 days, its URL kept 7, retried for a day, queued for 14 at most, brought back by Time Travel within 30.
 */
export const ERASURE_KEPT_FOR_MS = 90 * DAY_MS;
/** The read model has closed imports for good; the collector keeps them while they can still change. */
export const CLOSED_IMPORT_KEPT_FOR_MS = 30 * DAY_MS;
