import { count, fieldsOf, fieldsOfJson, list, numberOrNull, text, textOrNull } from "../database/parse.ts";
import { instantOf } from "../database/rows.ts";
import type { Event, EventWithAttempts } from "./event.ts";

/** Parses the body of an event that any release may have stored. */
export function parseEventBody(column: string): Pick<Event, "type" | "timestamp" | "data"> {
  const { type, timestamp, data } = fieldsOfJson(column);
  return { type: text(type), timestamp: text(timestamp), data: fieldsOf(data ?? {}) };
}

/** Parses the attempts of a delivery that any release may have stored. */
export function parseAttempts(column: string): EventWithAttempts["attempts"] {
  return list(JSON.parse(column)).map((attempt) => {
    const { at, status, milliseconds, answer } = fieldsOf(attempt);
    return {
      at: instantOf(count(at)),
      status: numberOrNull(status),
      milliseconds: count(milliseconds),
      answer: textOrNull(answer),
    };
  });
}
