import { OUTCOMES_IN_EVENT } from "../contract/limits.ts";
import { instantOf } from "../database/rows.ts";
import type { OutcomeType } from "../endpoints/endpoint.ts";
import { parseFileError } from "../files/storedFields.pure.ts";
import { activityId } from "../identifiers.ts";
import { OUTCOMES_REPORTED, type StoredOutcome, type StoredOutcomesEvent } from "./event.ts";
import type { ListedFile, OutcomeEndpoint } from "./read.ts";

type Unnumbered = Omit<StoredOutcome, "sequence">;

/** Returns what a listed file's row says since its batch: an outcome, else an update. Null when a later batch says more. */
function outcomeOf(file: ListedFile): Unnumbered {
  const { file_id, import_id, activity_count } = file;
  const hasFailed = file.is_outcome === 1 && file.outcome_failed === 1;
  const type: OutcomeType = hasFailed
    ? "file.failed"
    : file.is_outcome === 1
      ? "file.imported"
      : "activity.updated";
  return {
    type,
    file_id,
    activity_ids: Array.from({ length: activity_count }, (_, index) => activityId(file_id, index)),
    import_id,
    status: hasFailed ? "failed" : "imported",
    error: hasFailed ? parseFileError(file.error) : null,
    updated_at: instantOf(file.updated_at),
  };
}

/** Returns the events for an endpoint, in order: the outcomes that it wants, numbered after its newest one. */
export function eventsFor(
  endpoint: OutcomeEndpoint,
  files: readonly ListedFile[],
  nowMs: number,
): StoredOutcomesEvent[] {
  const wanted = files
    .map(outcomeOf)
    .filter(({ type }) => endpoint.event_types.includes(type))
    .map((outcome, index): StoredOutcome => ({ sequence: endpoint.sequence + index + 1, ...outcome }));
  const timestamp = instantOf(nowMs);
  return Array.from({ length: Math.ceil(wanted.length / OUTCOMES_IN_EVENT) }, (_, index) => {
    const outcomes = wanted.slice(index * OUTCOMES_IN_EVENT, (index + 1) * OUTCOMES_IN_EVENT);
    return {
      type: OUTCOMES_REPORTED,
      timestamp,
      data: { endpoint_id: endpoint.endpoint_id, outcomes },
    };
  });
}
