export const DAY_MS = 24 * 60 * 60_000;

/** Maximum time that a version is held. Without a task by then, it fails as `held_expired`. */
export const HELD_FOR_MS = 30 * DAY_MS;
/** Time that a failed file keeps its URL for a retry. Signed URLs are rarely valid for longer. */
export const KEPT_URL_FOR_MS = 7 * DAY_MS;
/** Within this time an equal task repeats the earlier one, and an equal event id requests no second plan. */
export const REPEATED_TASK_WINDOW_MS = DAY_MS;
/**
 * Time that the hash and the bound of an erased user are kept. No data older than the bound can appear after it: a
 * version is held for 30 days, keeps its URL for 7, is retried for 1, waits in a queue for 14; Time Travel restores 30.
 */
export const ERASURE_KEPT_FOR_MS = 90 * DAY_MS;
/** Time that the collector keeps a completed import, because retries can still change it. D1 keeps it forever. */
export const CLOSED_IMPORT_KEPT_FOR_MS = 30 * DAY_MS;
