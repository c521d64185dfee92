import { z } from "@hono/zod-openapi";
import { fileId } from "../identifiers.ts";
import { nameText, textOf, userIdText } from "../contract/text.ts";

/** Maximum number of pings in one request: a request becomes one statement to each store. */
export const MAX_PINGS = 5_000;

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

/** One file that a partner announces, or sends along. Other fields are ignored. */
export const pingSchema = z
  .object({
    file_type: z.literal("FIT"),
    activity_name: textOf(1_024).nullable(),
    priority: z.literal([0, 1]).openapi({ type: "integer", enum: [0, 1] }),
    user_id: userIdText,
    source: nameText,
    overwrite_mode: z.boolean(),
    start_time_in_seconds: startTime,
    callback_url: z.string().min(1),
    summary_id: nameText,
  })
  .openapi("Ping");
export type Ping = z.infer<typeof pingSchema>;

/** A ping whose callback_url is a URL that may be reached (`inline` is null) or holds these bytes. */
export type ValidPing = Ping & { inline: Uint8Array | null };

/** Returns the id of the file that a ping names. */
export function fileIdOf(
  partnerId: string,
  { user_id: userId, source, summary_id: summaryId }: Pick<Ping, "user_id" | "source" | "summary_id">,
): string {
  return fileId({ partnerId, userId, source, summaryId });
}

/** The length of the list is checked before its items: a list that is too long gets one fault. */
export const pingRequestSchema = z.object({
  activity_files: z.preprocess((items, ctx) => {
    if (Array.isArray(items) && items.length > MAX_PINGS) {
      ctx.addIssue({
        code: "custom",
        params: { code: "too_many_items" },
        message: `${items.length} items in one request; send ${Math.ceil(items.length / MAX_PINGS)} requests of at most ${MAX_PINGS} each.`,
      });
    }
    return items;
  }, z.array(pingSchema).min(1).max(MAX_PINGS)),
});
