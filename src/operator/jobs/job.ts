import type { Env } from "../../env.ts";

/** Kinds of jobs that the queue carries. Actions are short, and the clock does them, so that they work without queues. */
export const JOB_KINDS = ["redecode", "project_again"] as const;
export type JobKindName = (typeof JOB_KINDS)[number];

/** A job in one database. Its kind knows what the parameters and the position mean. */
export interface Job {
  job_id: string;
  kind: JobKindName;
  /** JSON */
  parameters: string;
  /** With `after_file`: the position. */
  after_partner: string;
  after_file: string;
  looked_at: number;
  changed: number;
  failed: number;
  total_files: number | null;
  walked_files: number;
  started_at: number | null;
  /** Number of runs since the job's last progress, including this one. */
  claims: number;
  finished_at: number | null;
}

/** A file, or a collector that cannot be read: then its name is the `file_id`. */
export interface JobItem {
  partner_id: string;
  file_id: string;
}

export interface JobFailure extends JobItem {
  /** An error code of a file, `original_missing`, `crashed`, or the name of the fault that did not end. */
  code: string;
}

/** The next page of a job. */
export interface JobPage {
  /** The job after the page, without the results of its items. */
  after: Job;
  items: readonly JobItem[];
  /** Processes the items. Throws when a store fails: then the page is repeated, so it may have been processed before. */
  process: () => Promise<PageResult>;
}

export interface PageResult {
  changed: number;
  failures: readonly JobFailure[];
  /** The job after the items that were processed, if these are not all. */
  after?: Job;
}

/** What a kind of job does. The runner knows when, how often, and what to do after a fault. */
export interface JobKind {
  /** Maximum number of files in one page. */
  pageFiles: number;
  /** Reads the next page. With `alone`, it has one file. */
  read(env: Env, database: D1Database, job: Job, alone: boolean): Promise<JobPage>;
  /** Returns what `read` cannot read, and the job after it. Null when nothing can be skipped. */
  unreadable(job: Job): { item: JobItem; after: Job } | null;
}
