import { z } from "@hono/zod-openapi";
import { MAX_PINGS, MAX_USERS } from "../contract/limits.ts";
import { fileId, userHash } from "../identifiers.ts";
import type { FaultCode } from "../contract/fault.ts";
import { nameText, userIdText } from "../contract/text.ts";
import { pingFieldsSchema } from "../files/pingFields.pure.ts";

const { activity_name, priority, sequence_number, ...otherFields } = pingFieldsSchema.shape;

/** A partner's announcement of one file. Other fields are ignored. Faults are listed in the order of these fields. */
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
    // A default would make the field required in types that openapi-typescript generates for requests.
    sequence_number: sequence_number.optional().transform((value) => value ?? null),
  })
  .openapi("Ping");
export type Ping = z.infer<typeof pingSchema>;

/** A ping with a valid callback_url: an allowed URL (`inline` is null), or a file with these bytes. */
export type ValidPing = Ping & { inline: Uint8Array | null };

/** Returns the id of the file that a ping names. */
export function fileIdOf(
  partnerId: string,
  { user_id: userId, source, summary_id: summaryId }: Pick<Ping, "user_id" | "source" | "summary_id">,
): string {
  return fileId({ partnerId, userId, source, summaryId });
}

/** Returns the hashes of the pings' users, without repetitions. */
export function userHashesOf(partnerId: string, pings: readonly Ping[]): string[] {
  const userIds = new Set(pings.map((ping) => ping.user_id));
  return [...userIds].map((userId) => userHash(partnerId, userId));
}

const namesSchema = z.object({ user_id: z.string(), source: z.string() });

/** Counts the users of items of any type. A user counts once for each source. */
function countUsers(items: readonly unknown[]): number {
  const sources = new Map<string, Set<string>>();
  let count = 0;
  for (const item of items) {
    const names = namesSchema.safeParse(item);
    if (!names.success) continue;
    const { user_id, source } = names.data;
    const known = sources.get(user_id) ?? new Set();
    if (known.size === 0) sources.set(user_id, known);
    if (!known.has(source)) count += 1;
    known.add(source);
  }
  return count;
}

/** Returns the fault of a list as a whole. Null if its items can be judged. */
function listFault(items: readonly unknown[]): { code: FaultCode; message: string } | null {
  if (items.length > MAX_PINGS) {
    return {
      code: "too_many_items",
      message: `The request contains ${items.length} items. Send ${Math.ceil(items.length / MAX_PINGS)} requests of at most ${MAX_PINGS} items each.`,
    };
  }
  // A list of at most `MAX_USERS` items cannot name more users.
  const users = items.length > MAX_USERS ? countUsers(items) : 0;
  if (users <= MAX_USERS) return null;
  return {
    code: "too_many_users",
    message: `The request names ${users} users; a user counts once for each source. Sort the items by user and send ${Math.ceil(users / MAX_USERS)} requests of at most ${MAX_USERS} users each.`,
  };
}

/** The body of a ping request. A list with too many items or users gets one fault, and its items are not checked. */
export const pingRequestSchema = z
  .object({
    activity_files: z.preprocess((items, ctx) => {
      const fault = Array.isArray(items) ? listFault(items) : null;
      if (fault !== null) {
        ctx.addIssue({ code: "custom", params: { code: fault.code }, message: fault.message });
      }
      return items;
    }, z.array(pingSchema).min(1).max(MAX_PINGS)),
  })
  .openapi("PingRequest");
