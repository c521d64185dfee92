import { z } from "@hono/zod-openapi";
import { fileId, userHash } from "../identifiers.ts";
import { nameText, userIdText } from "../contract/text.ts";
import { pingFieldsSchema } from "../files/pingFields.pure.ts";

/** Maximum number of pings in one request: a request becomes one statement to each store. */
export const MAX_PINGS = 5_000;

const { activity_name, priority, ...otherFields } = pingFieldsSchema.shape;

/** One file that a partner announces, or sends along. Other fields are ignored. Faults come in the order of this list. */
export const pingSchema = z
  .object({
    file_type: z.literal("FIT"),
    activity_name,
    priority,
    user_id: userIdText,
    source: nameText,
    ...otherFields,
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

/** Returns the hashes of the users that pings name, each once. */
export function userHashesOf(partnerId: string, pings: readonly Ping[]): string[] {
  const userIds = new Set(pings.map((ping) => ping.user_id));
  return [...userIds].map((userId) => userHash(partnerId, userId));
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
