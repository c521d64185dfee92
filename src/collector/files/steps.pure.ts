import type { FileErrorCode } from "../../files/errorCodes.ts";

export const STEP_KINDS = [
  "attempt_failed",
  "attempt_interrupted",
  "downloaded",
  "imported",
  "failed",
  "skipped",
  "retried",
] as const;
export type StepKind = (typeof STEP_KINDS)[number];

/** An event of a version. `at` is in Unix milliseconds. */
export interface Step {
  at: number;
  what: StepKind;
  /** Null for a step outside any attempt. */
  attempt: number | null;
  code: FileErrorCode | null;
}

/** Enough steps to show the begin and the end of hours of failures. They are stored in the file's row. */
const MAX_STEPS = 20;

/** Returns the steps with one more. Beyond the limit, the first and the latest steps stay. */
export function withStep(steps: readonly Step[], step: Step): readonly Step[] {
  const all = [...steps, step];
  return all.length <= MAX_STEPS ? all : [...all.slice(0, 1), ...all.slice(1 - MAX_STEPS)];
}
