import { StepFailure, type Target } from "./api.ts";
import type { Report, StepResult, StepStatus } from "./report.ts";
import { randomName, STEPS, type Run, type Step } from "./steps.ts";

/** The test rides began so long ago: no clock takes them for the future's. */
const BEGAN_BEFORE_SECONDS = 3_600;

/**
 * Proves an integration by playing it through with a user of its own, who is deleted in the end. Tells of each
 * step when it ends. What fails is in the report; only a fault of this code throws.
 */
export async function verify(target: Target, onStep: (step: StepResult) => void): Promise<Report> {
  const started = Date.now();
  const run: Run = {
    target,
    userId: `verify-${randomName()}`,
    startInSeconds: Math.floor(started / 1000) - BEGAN_BEFORE_SECONDS,
    eventUrl: null,
    importId: null,
  };
  const steps: StepResult[] = [];
  let broken: string | null = null;
  let hasUser = false;
  for (const step of STEPS) {
    const owed = step.removesUser === true && hasUser;
    const isTried = broken === null || owed;
    if (isTried && step.makesUser === true) hasUser = true;
    const result = isTried
      ? await tried(step, run)
      : missed(step, `Not tried, because “${broken}” has failed.`);
    steps.push(result);
    onStep(result);
    if (result.status === "failed" && step.independent !== true) broken ??= step.title;
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

function missed({ id, title }: Step, detail: string): StepResult {
  return { id, title, status: "skipped", detail, milliseconds: 0 };
}

async function tried(step: Step, run: Run): Promise<StepResult> {
  const startedAt = Date.now();
  const ended = (status: StepStatus, detail: string): StepResult => {
    return { id: step.id, title: step.title, status, detail, milliseconds: Date.now() - startedAt };
  };
  try {
    const seen = await step.run(run);
    return typeof seen === "string" ? ended("passed", seen) : ended("skipped", seen.skipped);
  } catch (fault) {
    if (fault instanceof StepFailure) return ended("failed", fault.message);
    throw fault;
  }
}
