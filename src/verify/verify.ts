import { StepFailure, type Target } from "./api.ts";
import type { Report, StepResult, StepStatus } from "./report.ts";
import { randomName, STEPS, type Run, type Step } from "./steps.ts";

/** Age of the test rides. With it, no clock skew puts them in the future. */
const RIDE_AGE_SECONDS = 3_600;

/**
 * Runs every step with a temporary user, which the last step deletes. Calls `onStep` after each step. Failures are in
 * the returned report; only a bug in this code throws.
 */
export async function verify(target: Target, onStep: (step: StepResult) => void): Promise<Report> {
  const started = Date.now();
  const run: Run = {
    target,
    userId: `verify-${randomName()}`,
    startInSeconds: Math.floor(started / 1000) - RIDE_AGE_SECONDS,
    endpoints: [],
    importId: null,
    liveFileId: null,
  };
  const steps: StepResult[] = [];
  let failedStep: string | null = null;
  let userMayExist = false;
  for (const step of STEPS) {
    const mustRun = step.deletesUser === true && userMayExist;
    const runs = failedStep === null || mustRun;
    if (runs && step.createsUser === true) userMayExist = true;
    const result = runs
      ? await runStep(step, run)
      : skippedResult(step, `Not run, because the step “${failedStep}” failed.`);
    steps.push(result);
    onStep(result);
    if (result.status === "failed" && step.independent !== true) failedStep ??= step.title;
  }
  return {
    ok: steps.every((step) => step.status !== "failed"),
    base: target.base,
    partner_id: target.partnerId,
    started_at: new Date(started).toISOString(),
    finished_at: new Date().toISOString(),
    steps,
  };
}

function skippedResult({ id, title }: Step, detail: string): StepResult {
  return { id, title, status: "skipped", detail, milliseconds: 0 };
}

async function runStep(step: Step, run: Run): Promise<StepResult> {
  const startedAt = Date.now();
  const result = (status: StepStatus, detail: string): StepResult => {
    return { id: step.id, title: step.title, status, detail, milliseconds: Date.now() - startedAt };
  };
  try {
    const found = await step.run(run);
    return typeof found === "string" ? result("passed", found) : result("skipped", found.skipped);
  } catch (fault) {
    if (fault instanceof StepFailure) return result("failed", fault.message);
    throw fault;
  }
}
