import { z } from "@hono/zod-openapi";
import { faultSchema } from "../contract/fault.ts";
import { fileIdOf, type ValidPing } from "./ping.ts";

const acceptedFileSchema = z
  .strictObject({
    file_id: z.string(),
    user_id: z.string(),
    source: z.string(),
    summary_id: z.string(),
    status: z.enum(["queued", "held", "duplicate", "superseded"]).openapi("AcceptedPingStatus"),
  })
  .openapi("AcceptedPing");
/** The response's entry for an accepted ping. */
export type AcceptedFile = z.infer<typeof acceptedFileSchema>;

/** A name that the schema rejects is null. `file_id` is null unless all three names are valid. */
const rejectedFileSchema = z
  .strictObject({
    file_id: z.string().nullable(),
    user_id: z.string().nullable(),
    source: z.string().nullable(),
    summary_id: z.string().nullable(),
    status: z.literal("rejected"),
    errors: z.array(faultSchema),
  })
  .openapi("RejectedPing");

/** The response's entry for a rejected item of a lenient request. */
export type RejectedFile = z.infer<typeof rejectedFileSchema>;

const pingResultSchema = z
  .discriminatedUnion("status", [acceptedFileSchema, rejectedFileSchema])
  .openapi("PingResult");

/** The 202 response to a ping request. */
export const acceptedPingsSchema = z
  .strictObject({
    accepted: z.number().int(),
    files: z.array(pingResultSchema),
  })
  .openapi("AcceptedPings");

/** The same response without `handling=lenient`. It contains no rejected items. */
export const allAcceptedSchema = acceptedPingsSchema.extend({ files: z.array(acceptedFileSchema) });

const LETTERS = { queued: "q", held: "h", duplicate: "d", superseded: "s" } as const;
const STATUSES = new Map(
  Object.entries({ q: "queued", h: "held", d: "duplicate", s: "superseded" } as const),
);

/** Returns one letter per file. With the same request, the response can be rebuilt from it. */
export function statusLetters(files: readonly AcceptedFile[]): string {
  return files.map((file) => LETTERS[file.status]).join("");
}

/** Rebuilds the files of a response from the pings of its request and its `statusLetters`. */
export function filesFromLetters(
  partnerId: string,
  pings: readonly ValidPing[],
  letters: string,
): AcceptedFile[] {
  return pings.map((ping, index) => ({
    file_id: fileIdOf(partnerId, ping),
    user_id: ping.user_id,
    source: ping.source,
    summary_id: ping.summary_id,
    status: STATUSES.get(letters.charAt(index)) ?? "duplicate",
  }));
}
