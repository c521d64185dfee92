import { COLLECTOR_LENGTH, FILE_LENGTH } from "../../identifiers.ts";

/**
 * Returns SQL for the id of a file that a batch `b` lists, from an element of its `file_ids`. The files of a batch belong
 * to one collector, so their ids begin alike, and `file_ids` omits that beginning.
 */
export function listedId(batch = "b", element = "j.value"): string {
  return `substr(${batch}.first_file_id, 1, ${COLLECTOR_LENGTH}) || substr(${element}, 1, ${FILE_LENGTH})`;
}

const SESSION_DIGITS = 4;

/** Returns SQL for the element of a batch of removals: a file `f`, its first lost session and the one after the last. */
export function removedElement(fromSession: string, toSession: string): string {
  return `substr(f.file_id, ${COLLECTOR_LENGTH + 1}) || printf('%0${SESSION_DIGITS}d%0${SESSION_DIGITS}d', ${fromSession}, ${toSession})`;
}

/** Returns SQL for the two session numbers of an element. They are 0 for an element of another batch. */
export function removedSessions(element = "j.value"): { from: string; to: string } {
  const digits = (start: number) =>
    `CAST(substr(${element}, ${FILE_LENGTH + 1 + start}, ${SESSION_DIGITS}) AS INTEGER)`;
  return { from: digits(0), to: digits(SESSION_DIGITS) };
}
