/**
 * Limits that partners meet. The code that enforces a limit, its error details and the documentation all take it from
 * here. Sizes are in bytes, times in milliseconds.
 */

const MIB = 1024 * 1024;
export const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Maximum size of a JSON body: room for 5,000 pings with long signed URLs, or for 20,000 expected ids. */
export const MAX_JSON_BODY_BYTES = 16 * MIB;
/** Maximum size of the body of an edit: a name of the longest length, escaped, and some fields. */
export const MAX_EDIT_BODY_BYTES = 64 * 1024;
/** Maximum number of JSON values in a body. 5,000 pings have 50,000; 16 MiB of brackets would become gigabytes of objects. */
export const MAX_JSON_VALUES = 500_000;
/** Maximum number of pings in one request: a request becomes one statement to each store. */
export const MAX_PINGS = 5_000;
/**
 * Maximum number of users in one request, each counted once for each of its sources. Each has a collector of its own,
 * which costs two subrequests and, where one thread runs all, at least 6 ms.
 */
export const MAX_USERS = 500;
/** Maximum number of `expected_summary_ids`. */
export const MAX_EXPECTED_IDS = 20_000;
/** Maximum number of a user's other sources that a task without held files looks at. A user rarely has more than five. */
export const MAX_OTHER_SOURCES = 20;
/** Maximum length of an id or a source: it fits an index entry and a log line of any store. */
export const MAX_NAME_CHARACTERS = 255;
/** Maximum length of an `activity_name`. */
export const MAX_TITLE_CHARACTERS = 1_024;
/** Maximum length of a URL. Signed URLs run to a few thousand characters; servers accept request lines of 8,192. */
export const MAX_URL_CHARACTERS = 8_192;

/** Maximum size of a file, before and after decompression. */
export const MAX_FILE_BYTES = 32 * MIB;
/** Maximum size of one base64 file, decoded: with its neighbors it must fit the body and the isolate. */
export const MAX_INLINE_BYTES = 8 * MIB;
/** Maximum number of beat-to-beat intervals in a response: more than four days at 160 beats per minute. */
export const MAX_RR_INTERVALS = 1_000_000;
/** Maximum time of a download: enough for 32 MiB at 9 Mbit/s. Retries of slower hosts run in the RETRY queue. */
export const DOWNLOAD_DEADLINE_MS = 30_000;
/** Maximum number of redirects. Real hosts use one or two (a short link, then storage). */
export const MAX_REDIRECTS = 5;

/** Pauses after each failed attempt at a host: four hours in all. Most outages and URL lifetimes are shorter. */
export const HOST_RETRY_DELAYS_MS: readonly number[] = [
  10_000,
  30_000,
  2 * MINUTE_MS,
  5 * MINUTE_MS,
  15 * MINUTE_MS,
  30 * MINUTE_MS,
  HOUR_MS,
  HOUR_MS,
  HOUR_MS,
];
/** Maximum time from a host's first failure, or first postponement, to the last attempt. Retry-After does not extend it. */
export const HOST_RETRIES_FOR_MS = 6 * HOUR_MS;
/** The same for failures of this service's own stores. */
export const STORE_RETRIES_FOR_MS = 24 * HOUR_MS;

/** Maximum time that a version is held. Without a task by then, it fails as `held_expired`. */
export const HELD_FOR_MS = 30 * DAY_MS;
/** Maximum number of held files of one user and source that wait for their download before the task. */
export const MAX_WAITING_PREFETCHES = 100_000;
/** Time that a failed file keeps its URL for a retry. Signed URLs are rarely valid for longer. */
export const KEPT_URL_FOR_MS = 7 * DAY_MS;
/** Minimum time between two retries of a version: each may be a request to a host that keeps failing. */
export const RETRY_PAUSE_MS = MINUTE_MS;
/**
 * Maximum number of files that one request retries: their versions are in memory together. The next request retries
 * the import's next files.
 */
export const MAX_RETRIED_FILES = 1_000;

/** Time after its completion in which retries and pings can still correct the counts of an import. */
export const CLOSED_IMPORT_KEPT_FOR_MS = 30 * DAY_MS;
/** Number of newest imports of a user and source whose counts can be corrected. Each alarm of a collector reads them. */
export const IMPORTS_KEPT = 500;

/** Within this time an equal ping counts as a repeated request, sent because the partner did not get the response. */
export const REPEAT_WINDOW_MS = 10 * MINUTE_MS;
/** Within this time an equal task repeats the earlier one, and an equal event id requests no second plan. */
export const REPEATED_TASK_WINDOW_MS = DAY_MS;
/** Time for which the outcome of a request with an idempotency key is stored. */
export const RETENTION_HOURS = 24;

/** Rows on a page of a list, without `limit` and at most. */
export const PAGE_ROWS = { default: 50, max: 200 } as const;
/** Maximum number of failures that an event lists. Further ones are only counted. */
export const FAILURES_IN_EVENT = 100;
/** Maximum number of test events of a partner in 24 hours. They are kept for 30 days. */
export const TEST_EVENTS_A_DAY = 1_000;
/**
 * Bytes that the records of deletions and erasures may take for each file of a partner's quota. They expire after
 * `ERASURE_KEPT_FOR_MS`. The deletion of a file takes about as much.
 */
export const REMOVAL_BYTES_OF_FILE = 550;
/** Number of days for which a partner's usage is kept. */
export const USAGE_DAYS = 400;
/** Time for which a server gathers a partner's requests before it stores their number: one row for all of them. */
export const REQUESTS_STORED_AFTER_MS = 20_000;
/** Number of days of usage that a request without `from` gets. */
export const USAGE_DAYS_DEFAULT = 30;
/** Maximum number of endpoints of a partner. */
export const MAX_ENDPOINTS = 5;
/** Time that events wait while their endpoint is on hold. Then they fail. */
export const EVENTS_HELD_FOR_MS = 7 * DAY_MS;
/** An endpoint is disabled when its attempts have failed for this time without a success. */
export const ENDPOINT_FAILS_FOR_MS = 5 * DAY_MS;
/** Maximum time for which outcomes are gathered before they are reported to an endpoint. */
export const OUTCOMES_GATHERED_FOR_MS = 4_000;
/** Maximum number of outcomes in an event. */
export const OUTCOMES_IN_EVENT = 100;
/** Time for which events without a user are kept: test events, reported outcomes and receipts of erasures. */
export const EVENTS_KEPT_FOR_MS = 30 * DAY_MS;
/** Number of days for which an endpoint's attempts are counted. */
export const ENDPOINT_DAYS = 14;
/** Maximum number of valid secrets of an endpoint: each event has a signature for each of them. */
export const MAX_WEBHOOK_SECRETS = 5;
/** Time for which older secrets stay valid after a rotation, in hours. A day includes working hours in every time zone. */
export const OVERLAP_HOURS = { default: 24, max: 720 } as const;
/** Time for which KV caches a partner's settings at a location: its minimum. */
export const SETTINGS_CACHED_FOR_MS = 30_000;
/** Time from a change of a partner until every isolate uses it: the delay of KV, and that cache. */
export const SETTINGS_SPREAD_FOR_MS = MINUTE_MS + SETTINGS_CACHED_FOR_MS;
/** Maximum number of valid keys of a partner. A request is compared with each. */
export const MAX_KEYS = 10;
/** Maximum time for which a key with an end is valid. */
export const KEY_ENDS_WITHIN_MS = 3_653 * DAY_MS;
/** Maximum number of callback hosts of a partner, which each download is compared with. */
export const MAX_CALLBACK_HOSTS = 50;
/** Maximum number of sources in a partner's order of sources. */
export const MAX_ORDERED_SOURCES = 50;
/** Number of days that an overview covers. */
export const OVERVIEW_DAYS = 14;

/**
 * Time that the hash and the bound of an erased user are kept. No data older than the bound can appear after it: a
 * version is held for 30 days, keeps its URL for 7, is retried for 1, waits in a queue for 14; Time Travel restores 30.
 */
export const ERASURE_KEPT_FOR_MS = 90 * DAY_MS;

/** Number of months for which a deprecated operation still works. */
export const DEPRECATION_MONTHS = 12;
