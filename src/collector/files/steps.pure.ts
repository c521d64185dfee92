import type { FileErrorCode } from "../../files/file.ts";

export const STEP_KINDS = ["attempt_failed", "attempt_interrupted", "imported", "failed", "retried"] as const;
export type StepKind = (typeof STEP_KINDS)[number];

/** What happened to a version, when (Unix milliseconds), in which attempt. */
export interface Step {
  at: number;
  what: StepKind;
  /** Null for a step outside any attempt. */
  attempt: number | null;
  code: FileErrorCode | null;
}

/** Enough to show how a file that fails for hours began and ended. They are stored in the file's own row. */
const MAX_STEPS = 20;

/** The steps with one more. Above the limit the first and the latest stay. */
export function withStep(steps: readonly Step[], step: Step): readonly Step[] {
  const all = [...steps, step];
  return all.length <= MAX_STEPS ? all : [...all.slice(0, 1), ...all.slice(1 - MAX_STEPS)];
}
