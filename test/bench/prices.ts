/** Date of these list prices of the platform's paid plan, without allowances. */
export const PRICES_OF = "2026-11-25";

/** USD per million, unless the unit says otherwise. */
export const PRICES = {
  worker_requests: { usd: 0.3, buys: "each call of the partner, and each batch that a consumer takes" },
  queue_operations: {
    usd: 0.4,
    buys: "work survives a crash and comes at its own pace: write, read, delete",
  },
  d1_rows_written: { usd: 1, buys: "files, activities and imports can be queried, and polled for changes" },
  d1_rows_read: {
    usd: 0.001,
    buys: "the lists and single answers that partners ask for, and checks before a write",
  },
  do_requests: { usd: 0.15, buys: "pings taken in order, and work claimed by one importer at a time" },
  do_rows_written: {
    usd: 1,
    buys: "every ping is durable before its 202; retries, imports and dispatches survive",
  },
  do_rows_read: { usd: 0.001, buys: "duplicates and newer versions are told apart" },
  r2_class_a: { usd: 4.5, buys: "the original bytes, stored before anything is decoded" },
  r2_class_b: { usd: 0.36, buys: "streams and originals, read back from the stored bytes" },
  kv_reads: { usd: 0.5, buys: "keys and settings of the partner, at the door and at the import" },
  log_gigabytes: { usd: 0.25, buys: "one line a unit of work, USD a GB; announced for 2026-12-01" },
} as const;
export type Billable = keyof typeof PRICES;
