import { z } from "@hono/zod-openapi";
import { faultSchema } from "../contract/fault.ts";
import { fileIdOf, type ValidPing } from "./ping.ts";

const acceptedFileSchema = z
  .strictObject({
    file_id: z.string(),
    user_id: z.string(),
    source: z.string(),
    summary_id: z.string(),
    status: z.enum(["queued", "held", "duplicate"]).openapi("AcceptedPingStatus"),
  })
  .openapi("AcceptedPing");
/** An accepted ping, as the answer shows it. */
export type AcceptedFile = z.infer<typeof acceptedFileSchema>;

/** Names that break the contract are not echoed, and without all three names there is no file_id. */
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

const pingResultSchema = z
  .discriminatedUnion("status", [acceptedFileSchema, rejectedFileSchema])
  .openapi("PingResult");
/** A rejected item, as the answer of a lenient request shows it. */
export type RejectedFile = z.infer<typeof rejectedFileSchema>;

/** The 202 of a ping request. */
export const acceptedPingsSchema = z
  .strictObject({
    accepted: z.number().int(),
    files: z.array(pingResultSchema),
  })
  .openapi("AcceptedPings");

/** The same for a request without `handling=lenient`: a client reads no rejected items there. */
export const allAcceptedSchema = acceptedPingsSchema.extend({ files: z.array(acceptedFileSchema) });

const LETTERS = { queued: "q", held: "h", duplicate: "d" } as const;
const STATUSES = new Map(Object.entries({ q: "queued", h: "held", d: "duplicate" } as const));

/** Returns one letter per file: enough to answer the same request again. */
export function statusLetters(files: readonly AcceptedFile[]): string {
  return files.map((file) => LETTERS[file.status]).join("");
}

/** Returns the files of an answer whose statuses were kept as letters. */
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
