import { list, fieldsOf, fieldsOfJson, textOrNull } from "../database/parse.ts";
import { jsonSlices } from "../database/sql.ts";
import { OUTCOMES_REPORTED } from "./event.ts";
import { readNames, type FileNames } from "./read.ts";

/** An event with its stored body. */
interface StoredEvent {
  type: string;
  body: string;
}

/**
 * Returns the events with the bodies that are sent and read. Outcomes get the names of their files, which are null after
 * the file or its user was deleted. Bodies of other types stay as they are.
 */
export async function withNames<T extends StoredEvent>(
  db: D1Database,
  partnerId: string,
  events: readonly T[],
): Promise<T[]> {
  const fileIds = events
    .filter(isReport)
    .flatMap(({ body }) =>
      outcomesIn(fieldsOfJson(body)).flatMap(({ file_id }) => textOrNull(file_id) ?? []),
    );
  if (fileIds.length === 0) return [...events];
  const names = new Map<string, FileNames>();
  for (const slice of jsonSlices(fileIds)) {
    for (const [fileId, found] of await readNames(db, partnerId, slice)) names.set(fileId, found);
  }
  return events.map((event) => (isReport(event) ? { ...event, body: named(event.body, names) } : event));
}

function isReport({ type }: StoredEvent): boolean {
  return type === OUTCOMES_REPORTED;
}

function outcomesIn(body: Record<string, unknown>) {
  return list(fieldsOf(body["data"])["outcomes"]).map(fieldsOf);
}

function named(body: string, names: ReadonlyMap<string, FileNames>): string {
  const fields = fieldsOfJson(body);
  const outcomes = outcomesIn(fields).map((outcome) => {
    const { user_id = null, source = null, summary_id = null } = names.get(String(outcome["file_id"])) ?? {};
    return { ...outcome, user_id, source, summary_id };
  });
  return JSON.stringify({ ...fields, data: { ...fieldsOf(fields["data"]), outcomes } });
}
