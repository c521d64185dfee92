import { fileError, type FileError } from "../../files/file.ts";
import type { Outcome } from "../calls.ts";
import { finishAttempts } from "../files/finishAttempts.ts";
import {
  failPostponed,
  failAttempt,
  failLastAttempt,
  nextFaultSeries,
  postpone,
  failedAs,
  queuedVersion,
  succeed,
  type FileVersions,
  type QueuedVersion,
} from "../files/versions.pure.ts";
import { skipUnclaimed } from "../imports/cancelImport.ts";
import { drainLater } from "../imports/drainImports.ts";
import { Tally } from "../imports/tally.pure.ts";
import type { CollectorTurn } from "../turn.ts";
import {
  dispatchOne,
  postponedDispatches,
  renewClaim,
  type Dispatch,
  type PostponedFile,
} from "./dispatch.pure.ts";
import { HOUR_MS, LIMIT_MS, nextTryAt, postponedUntil, type FaultOrigin } from "./retrySchedule.pure.ts";

/**
 * Applies the outcomes of the current claim and renews it. Returns the new end of the claim in Unix milliseconds. Null
 * when no file is left, or when the claim is not current; then nothing is applied. Repeated outcomes change nothing.
 */
export function reportOutcomes(
  turn: CollectorTurn,
  dispatchId: string,
  claim: string,
  outcomes: readonly Outcome[],
): number | null {
  const { storage, now } = turn;
  const dispatch = storage.dispatches.read(dispatchId);
  if (dispatch === null || dispatch.claim?.claim !== claim || dispatch.state !== "claimed") return null;
  const open = new Set(dispatch.files.map(([fileId]) => fileId));
  applyOutcomes(
    turn,
    dispatch,
    outcomes.filter((outcome) => open.has(outcome.file_id)),
  );
  const reported = new Set(outcomes.map((outcome) => outcome.file_id));
  const files = dispatch.files.filter(([fileId]) => !reported.has(fileId));
  if (files.length === 0) {
    storage.dispatches.delete(dispatchId);
    drainLater(turn);
    return null;
  }
  const renewed = renewClaim({ ...dispatch, files }, turn.clock, now);
  storage.dispatches.write([renewed]);
  turn.alarmBy(renewed.due_at);
  return renewed.due_at;
}

function applyOutcomes(turn: CollectorTurn, dispatch: Dispatch, outcomes: readonly Outcome[]): void {
  const { storage, now } = turn;
  const files = storage.files.read(outcomes.map((outcome) => outcome.file_id));
  const changed: FileVersions[] = [];
  const failed: { before: FileVersions; after: FileVersions }[] = [];
  const project: string[] = [];
  const retries: Dispatch[] = [];
  const postponed: PostponedFile[] = [];
  const tally = new Tally();
  for (const outcome of outcomes) {
    const { file_id, version } = outcome;
    const before = files.get(file_id);
    const queued = queuedVersion(before, version);
    if (before === undefined || queued === null) continue;
    if (outcome.result === "postponed") {
      const since = queued.postponed_since ?? now;
      const { origin, for_ms: leastMs } = outcome;
      const until = postponedUntil({ origin, since, leastMs, nowMs: now });
      if (until !== null) {
        changed.push(postpone(before, version, outcome.stored, now));
        postponed.push({ file_id, version, origin, since, until });
        // An open PRIORITY dispatch replaces the outbox entry of its file. This one no longer contains the file.
        if (dispatch.queue === "PRIORITY") project.push(file_id);
        continue;
      }
    }
    const { file: after, retryAt } = applyOutcome(before, queued, outcome, dispatch.claims, now);
    changed.push(after);
    if (outcome.result !== "imported") project.push(file_id);
    if (retryAt !== null) {
      // An exclusive file stays exclusive until it is settled.
      const alone = dispatchOne(turn.newId(), "RETRY", file_id, version, retryAt);
      retries.push({ ...alone, exclusive: dispatch.exclusive });
      continue;
    }
    tally.add(queued, outcome.result === "imported" ? "imported" : failedAs(after));
    if (outcome.result !== "imported") failed.push({ before, after });
  }
  retries.push(...postponedDispatches(turn, dispatch, postponed, now));
  if (retries.length > 0) skipUnclaimed(turn);
  storage.files.write(changed);
  storage.dispatches.write(retries);
  for (const retry of retries) turn.alarmBy(retry.due_at);
  finishAttempts(turn, { project, failed, tally });
}

/** Errors of files that were postponed for too long. */
const POSTPONED_TOO_LONG: Record<FaultOrigin, FileError> = {
  host: fileError(
    "callback_timeout",
    `The host did not respond to other requests in time, ` +
      `so this file was not requested for ${LIMIT_MS.host / HOUR_MS} hours.`,
  ),
  own_store: fileError(
    "internal",
    `Our storage was unavailable for ${LIMIT_MS.own_store / HOUR_MS} hours. Retry the file.`,
  ),
};

/** Returns the file after the outcome, and when its next attempt is due. `retryAt` is null when it is settled. */
function applyOutcome(
  file: FileVersions,
  queued: QueuedVersion,
  outcome: Outcome,
  claims: number,
  nowMs: number,
): { file: FileVersions; retryAt: number | null } {
  const { version } = queued;
  if (outcome.result === "imported") {
    return { file: succeed(file, version, outcome.revision, nowMs), retryAt: null };
  }
  const revision = file.revision + claims;
  if (outcome.result === "postponed") {
    const { origin, stored } = outcome;
    const fault = POSTPONED_TOO_LONG[origin];
    return { file: failPostponed(file, version, { fault, stored }, revision, nowMs), retryAt: null };
  }
  if (outcome.result === "failed") {
    return { file: failLastAttempt(file, version, outcome, revision, nowMs), retryAt: null };
  }
  const { times, since } = nextFaultSeries(queued, outcome.origin, nowMs);
  const retryAt = nextTryAt({
    origin: outcome.origin,
    failedAttempts: times,
    firstFaultAt: since,
    retryAfterSeconds: outcome.retry_after_seconds,
    nowMs,
  });
  if (retryAt !== null) {
    return { file: failAttempt(file, version, { ...outcome, retryAt }, revision, nowMs), retryAt };
  }
  const fault: FileError =
    outcome.origin === "own_store" ? { ...outcome.fault, ...POSTPONED_TOO_LONG.own_store } : outcome.fault;
  return {
    file: failLastAttempt(file, version, { fault, stored: outcome.stored }, revision, nowMs),
    retryAt: null,
  };
}
