import { z } from "@hono/zod-openapi";

/** The fields of a ping that its file keeps, beyond the file's names. The read model has a column for each. */
export const pingFieldsSchema = z.strictObject({
  activity_name: z.string().nullable(),
  priority: z.literal([0, 1]).openapi({ type: "integer", enum: [0, 1] }),
  overwrite_mode: z.boolean(),
  start_time_in_seconds: z.string(),
});
export type PingFields = z.infer<typeof pingFieldsSchema>;

export const PING_FIELDS = pingFieldsSchema.keyof().options;

/** Returns the ping's fields of a value that has more. */
export function pingFieldsOf(ping: PingFields): PingFields {
  const { activity_name, priority, overwrite_mode, start_time_in_seconds } = ping;
  return { activity_name, priority, overwrite_mode, start_time_in_seconds };
}
