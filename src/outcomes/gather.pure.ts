import { OUTCOMES_IN_EVENT } from "../contract/limits.ts";
import { instantOf } from "../database/rows.ts";
import type { OutcomeType } from "../endpoints/endpoint.ts";
import { parseFileError } from "../files/storedFields.pure.ts";
import { activityId } from "../identifiers.ts";
import { OUTCOMES_REPORTED, type StoredOutcome, type StoredOutcomesEvent } from "./event.ts";
import type { ListedFile, OutcomeEndpoint } from "./read.ts";

type Unnumbered = Omit<StoredOutcome, "sequence">;

/** Returns what a batch reports of a file: removed activities, an outcome, or else an update. */
function outcomeOf(file: ListedFile): Unnumbered {
  const { file_id, import_id } = file;
  const type = typeOf(file);
  const isDeleted = type === "activity.deleted";
  const from = isDeleted ? file.from_session : 0;
  const to = isDeleted ? file.to_session : file.activity_count;
  return {
    type,
    file_id,
    activity_ids: Array.from({ length: to - from }, (_, index) => activityId(file_id, from + index)),
    import_id,
    status: isDeleted ? "deleted" : type === "file.failed" ? "failed" : "imported",
    error: type === "file.failed" ? parseFileError(file.error) : null,
    updated_at: instantOf(file.updated_at),
  };
}

function typeOf({ is_removed, is_outcome, outcome_failed }: ListedFile): OutcomeType {
  if (is_removed === 1) return "activity.deleted";
  if (is_outcome === 0) return "activity.updated";
  return outcome_failed === 1 ? "file.failed" : "file.imported";
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
