const DAY_MS = 24 * 60 * 60_000;

/** Time that the collector keeps a completed import, because retries can still change it. D1 keeps it forever. */
export const CLOSED_IMPORT_KEPT_FOR_MS = 30 * DAY_MS;
