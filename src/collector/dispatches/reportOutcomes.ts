import { fileError, type FileError } from "../../files/file.ts";
import type { Outcome, PostponedOutcome } from "../calls.ts";
import { finishAttempts } from "../files/finishAttempts.ts";
import {
  attemptsOf,
  failPostponed,
  failAttempt,
  failLastAttempt,
  keepBytes,
  nextFaultSeries,
  openVersion,
  postpone,
  failedAs,
  hasTriedHeld,
  succeed,
  type FileVersions,
  type OpenVersion,
} from "../files/versions.pure.ts";
import { skipUnclaimed } from "../imports/cancelImport.ts";
import { drainLater } from "../imports/drainImports.ts";
import { Tally } from "../imports/tally.pure.ts";
import type { CollectorTurn } from "../turn.ts";
import {
  dispatchOne,
  nextPrefetches,
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

/** What the outcomes of one report change. */
class Applied {
  readonly changed: FileVersions[] = [];
  readonly failed: { before: FileVersions; after: FileVersions }[] = [];
  readonly project: string[] = [];
  readonly retries: Dispatch[] = [];
  readonly postponed: PostponedFile[] = [];
  /** Files of a dispatch of held ones that are dispatched again. */
  readonly again: { file_id: string; version: number; isHeld: boolean; dueAt: number }[] = [];
  readonly tally = new Tally();
}

function applyOutcomes(turn: CollectorTurn, dispatch: Dispatch, outcomes: readonly Outcome[]): void {
  const { storage, now } = turn;
  const files = storage.files.read(outcomes.map((outcome) => outcome.file_id));
  const applied = new Applied();
  let hasHeld = false;
  for (const outcome of outcomes) {
    const before = files.get(outcome.file_id);
    const open = openVersion(before, outcome.version);
    if (before === undefined || open === null) continue;
    hasHeld ||= open.state === "held";
    if (outcome.result === "stored") applyStored(turn, before, open, outcome, applied);
    else if (
      outcome.result !== "postponed" ||
      !applyPostponed(turn, dispatch, before, open, outcome, applied)
    )
      applyEnd(turn, dispatch, before, open, outcome, applied);
  }
  const { changed, failed, project, postponed, again, tally } = applied;
  const queue = dispatch.prefetch && !hasHeld ? "RETRY" : dispatch.queue;
  const retries = [
    ...applied.retries,
    ...nextPrefetches(turn, dispatch, again),
    ...postponedDispatches(turn, { ...dispatch, queue }, postponed, now),
  ];
  if (retries.length > 0) skipUnclaimed(turn);
  storage.files.write(changed);
  storage.dispatches.write(retries);
  for (const retry of retries) turn.alarmBy(retry.due_at);
  finishAttempts(turn, { project, failed, tally });
}

/** Notes the bytes of a version that was held. A version that was released meanwhile is dispatched to be imported. */
function applyStored(
  { now }: CollectorTurn,
  before: FileVersions,
  open: OpenVersion,
  { file_id, version, stored }: Extract<Outcome, { result: "stored" }>,
  { changed, project, again }: Applied,
): void {
  const after = keepBytes(before, version, stored, now);
  changed.push(after);
  if (after.revision !== before.revision) project.push(file_id);
  if (open.state === "queued") again.push({ file_id, version, isHeld: false, dueAt: now });
}

/** Postpones a file. Returns false when it was postponed for too long. */
function applyPostponed(
  { now }: CollectorTurn,
  dispatch: Dispatch,
  before: FileVersions,
  open: OpenVersion,
  { file_id, version, origin, for_ms: leastMs, stored }: PostponedOutcome,
  { changed, project, postponed }: Applied,
): boolean {
  const since = attemptsOf(open).postponed_since ?? now;
  const until = postponedUntil({ origin, since, leastMs, nowMs: now });
  if (until === null) return false;
  changed.push(postpone(before, version, stored, now));
  postponed.push({ file_id, version, origin, since, until });
  // An open PRIORITY dispatch replaces the outbox entry of its file. This one no longer contains the file.
  if (dispatch.queue === "PRIORITY") project.push(file_id);
  return true;
}

/** Applies an outcome that ends an attempt. */
function applyEnd(
  turn: CollectorTurn,
  dispatch: Dispatch,
  before: FileVersions,
  open: OpenVersion,
  outcome: Exclude<Outcome, { result: "stored" }>,
  { changed, failed, project, retries, again, tally }: Applied,
): void {
  const { file_id, version } = outcome;
  const { file: after, retryAt } = applyOutcome(before, open, outcome, dispatch.claims, turn.now);
  changed.push(after);
  // The importer has made an imported file readable, but not the attempts of a newer version that is held.
  if (outcome.result !== "imported" || hasTriedHeld(after)) project.push(file_id);
  if (retryAt !== null && dispatch.prefetch) {
    again.push({ file_id, version, isHeld: open.state === "held", dueAt: retryAt });
  } else if (retryAt !== null) {
    // An exclusive file stays exclusive until it is settled.
    const alone = dispatchOne(turn.newId(), "RETRY", file_id, version, retryAt);
    retries.push({ ...alone, exclusive: dispatch.exclusive });
  } else if (open.state === "queued") {
    tally.add(open, outcome.result === "imported" ? "imported" : failedAs(after));
    if (outcome.result !== "imported") failed.push({ before, after });
  }
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
  open: OpenVersion,
  outcome: Exclude<Outcome, { result: "stored" }>,
  claims: number,
  nowMs: number,
): { file: FileVersions; retryAt: number | null } {
  const { version } = open;
  if (outcome.result === "imported") {
    return { file: succeed(file, version, outcome.revision, nowMs), retryAt: null };
  }
  // The claim of a held file writes nothing to the read model, so it has reserved no revisions.
  const revision = file.revision + (open.state === "held" ? 1 : claims);
  if (outcome.result === "postponed") {
    const { origin, stored } = outcome;
    const fault = POSTPONED_TOO_LONG[origin];
    return { file: failPostponed(file, version, { fault, stored }, revision, nowMs), retryAt: null };
  }
  if (outcome.result === "failed") {
    return { file: failLastAttempt(file, version, outcome, revision, nowMs), retryAt: null };
  }
  const { times, since } = nextFaultSeries(attemptsOf(open), outcome.origin, nowMs);
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
