import { MAX_DATABASE_BYTES } from "../database/fullness.ts";

/** What a database and its service show about themselves. */
export interface DatabaseState {
  /** The running version. Its tag is the commit. */
  version: { id: string; tag: string | null };
  /** Commit of this checkout. Null without git. */
  expected_tag: string | null;
  decoder_version: number;
  /** Decoder version of this checkout. */
  expected_decoder_version: number;
  collector_schema: number;
  database_bytes: number;
  stores: Record<string, { milliseconds: number; fault: string | null; backlog: number | null }>;
  /** Number of migrations that the database has. */
  migrations: number;
  /** Migrations of this checkout that the database lacks. */
  missing_migrations: string[];
  /** Number and age of the rows that wait for something. Times are Unix milliseconds. */
  waiting: Record<string, { count: number; oldest: number | null }>;
}

/** One line of the doctor. */
export interface Finding {
  isProblem: boolean;
  text: string;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const GB = 1_000_000_000;
/** Share of the maximum size from which an operator must act. */
const FULL_SHARE = 0.8;

/** Queries for waiting work. Each returns `count` and `oldest`. They may read every file of the database. */
export const STATE_QUERIES = {
  queued_files: "SELECT count(*) count, min(updated_at) oldest FROM files WHERE status = 'queued'",
  held_files: "SELECT count(*) count, min(received_at) oldest FROM files WHERE status = 'held'",
  running_imports: "SELECT count(*) count, min(requested_at) oldest FROM imports WHERE status = 'running'",
  pending_events:
    "SELECT count(*) count, min(created_at) oldest FROM deliveries WHERE next_attempt_at IS NOT NULL OR status = 'waiting'",
  operator_jobs: "SELECT count(*) count, min(created_at) oldest FROM operator_jobs WHERE finished_at IS NULL",
  erasures: "SELECT count(*) count, min(before_version) oldest FROM erased WHERE user_id IS NOT NULL",
} as const;

/** Age from which waiting work is a problem: longer than its retries last. Work that is not named may wait. */
const OLDEST_MS: Partial<Record<string, number>> = {
  queued_files: DAY_MS,
  running_imports: 2 * DAY_MS,
  pending_events: 4 * DAY_MS,
  operator_jobs: DAY_MS,
  erasures: HOUR_MS,
};

/** Returns a line for each version, store and kind of waiting work. */
export function findings(state: DatabaseState, nowMs: number): Finding[] {
  const { decoder_version, expected_decoder_version, missing_migrations, database_bytes } = state;
  const share = database_bytes / MAX_DATABASE_BYTES;
  return [
    {
      isProblem: false,
      text: `code: commit ${state.version.tag ?? "unknown"}, version ${state.version.id}${
        state.expected_tag === state.version.tag
          ? ""
          : `; this checkout is commit ${state.expected_tag ?? "unknown"}`
      }`,
    },
    {
      isProblem: decoder_version !== expected_decoder_version,
      text: `versions: decoder ${decoder_version}, collector tables ${state.collector_schema}${
        decoder_version === expected_decoder_version
          ? ""
          : `; this checkout has decoder ${expected_decoder_version}, so another version is deployed`
      }`,
    },
    {
      isProblem: missing_migrations.length > 0,
      text:
        missing_migrations.length === 0
          ? `schema: migrations ${state.migrations}, all of this checkout`
          : `schema: migrations ${state.migrations}, without ${missing_migrations.join(", ")}`,
    },
    {
      isProblem: share >= FULL_SHARE,
      text: `database: ${(database_bytes / GB).toFixed(3)} GB, ${(100 * share).toFixed(1)} % of 10 GB`,
    },
    ...Object.entries(state.stores).map(([name, { milliseconds, fault, backlog }]) => ({
      isProblem: fault !== null,
      text: `${name}: ${fault ?? "works"}, ${milliseconds} ms${backlog === null ? "" : `, ${backlog} messages wait`}`,
    })),
    ...Object.entries(state.waiting).map(([name, { count, oldest }]) => {
      const ageMs = oldest === null ? 0 : nowMs - oldest;
      const longest = OLDEST_MS[name];
      return {
        isProblem: count > 0 && longest !== undefined && ageMs > longest,
        text: `${name.replaceAll("_", " ")}: ${count}${count === 0 ? "" : `, the oldest for ${ageInWords(ageMs)}`}`,
      };
    }),
  ];
}

function ageInWords(ms: number): string {
  if (ms < HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  return ms < 2 * DAY_MS ? `${(ms / HOUR_MS).toFixed(1)} h` : `${(ms / DAY_MS).toFixed(1)} days`;
}
