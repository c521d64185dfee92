import { z } from "@hono/zod-openapi";
import { MAX_TITLE_CHARACTERS } from "../contract/limits.ts";
import { textOf } from "../contract/text.ts";
import { flag, numberOrNull, text, textOrNull } from "../database/parse.ts";

const startTime = z
  .string()
  .superRefine((text, ctx) => {
    if (/^\d{1,10}$/.test(text)) return;
    const milliseconds = /^\d{11,}$/.test(text);
    ctx.addIssue({
      code: "custom",
      params: { code: milliseconds ? "time_not_in_seconds" : "invalid_format" },
      message: milliseconds
        ? "This looks like milliseconds; send Unix seconds, 1 to 10 digits."
        : "Send Unix seconds as a string of 1 to 10 decimal digits.",
    });
  })
  .openapi({ pattern: "^[0-9]{1,10}$", example: "1712001600" });

/**
 * Fields of a ping that its file keeps, beyond the file's names. Types, statements and documents derive from this list
 * and from `parsePingFields`. A new field also needs a column of table `files` and its words in `docs/fields.ts`.
 */
export const pingFieldsSchema = z.strictObject({
  activity_name: textOf(MAX_TITLE_CHARACTERS).nullable(),
  priority: z.literal([0, 1]).openapi("Priority", { type: "integer", enum: [0, 1] }),
  overwrite_mode: z.boolean(),
  start_time_in_seconds: startTime,
  sequence_number: z.int().min(0).nullable(),
});
export type PingFields = z.infer<typeof pingFieldsSchema>;
type PingFieldName = keyof PingFields;

export const PING_FIELDS = pingFieldsSchema.keyof().options;

/** Returns the ping's fields of stored JSON or a row. A missing field gets its default. */
export function parsePingFields(stored: { readonly [Name in PingFieldName]?: unknown }): PingFields {
  return {
    activity_name: textOrNull(stored.activity_name),
    priority: stored.priority === 1 ? 1 : 0,
    overwrite_mode: flag(stored.overwrite_mode),
    start_time_in_seconds: text(stored.start_time_in_seconds),
    sequence_number: numberOrNull(stored.sequence_number),
  };
}

/** Returns the ping's fields of a value that has more. */
export function pingFieldsOf(ping: PingFields): PingFields {
  return parsePingFields(ping);
}
