/** `skipped`: the step could not run. This is not a failure; the detail gives the reason. */
export type StepStatus = "passed" | "failed" | "skipped";

export interface StepResult {
  /** Stable name of the step, for programs. */
  id: string;
  title: string;
  status: StepStatus;
  /** Result of the step. After a failure: what was received, what is expected and what to do. */
  detail: string;
  milliseconds: number;
}

/** Result of a run. Contains no key. */
export interface Report {
  /** Whether no step failed. Steps may have been skipped. */
  ok: boolean;
  base: string;
  partner_id: string;
  started_at: string;
  finished_at: string;
  steps: StepResult[];
}

/** Returns the result of a run in one sentence: how many steps passed, failed and were skipped. */
export function summaryOf({ steps }: Report): string {
  const count = (status: StepStatus) => steps.filter((step) => step.status === status).length;
  const [passed, failed, skipped] = [count("passed"), count("failed"), count("skipped")];
  if (passed === steps.length) return `All ${passed} steps passed.`;
  const parts = [
    `${passed} of ${steps.length} steps passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ];
  return `${parts.join(", ")}.${failed > 0 ? " Fix the failed steps before you go live." : ""}`;
}
