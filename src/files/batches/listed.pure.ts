import { COLLECTOR_LENGTH } from "../../identifiers.ts";

/**
 * Returns SQL for the id of a file that a batch `b` lists, from an element of its `file_ids`. The files of a batch belong
 * to one collector, so their ids begin alike, and `file_ids` omits that beginning.
 */
export function listedId(batch = "b", element = "j.value"): string {
  return `substr(${batch}.first_file_id, 1, ${COLLECTOR_LENGTH}) || ${element}`;
}
