/** `skipped`: it could not be tried, and that is no fault by itself; the detail says why. */
export type StepStatus = "passed" | "failed" | "skipped";

export interface StepResult {
  /** Stable: what programs decide by. */
  id: string;
  title: string;
  status: StepStatus;
  /** What was seen, or what to do about it. */
  detail: string;
  milliseconds: number;
}

/** What a run found; holds no key. */
export interface Report {
  /** No step has failed. */
  ok: boolean;
  base: string;
  partner_id: string;
  started_at: string;
  finished_at: string;
  steps: StepResult[];
}
