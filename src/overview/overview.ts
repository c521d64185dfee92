import { z } from "@hono/zod-openapi";
import { usageSchema } from "../usage/usage.ts";
import { fileErrorCodeSchema } from "../files/file.ts";

const count = z.number().int().min(0);
const instant = z.iso.datetime();

const filesByStatus = z
  .strictObject({ held: count, queued: count, imported: count, failed: count, skipped: count })
  .openapi("FilesByStatus");

/** Maximum number of each that one overview counts. A file costs up to seven rows read in D1, the others up to three. */
export const MAX_COUNTED = { files: 1_500, imports: 1_000, events: 1_000 } as const;

/** Counts of a partner's files, imports and events of the last days. */
export const overviewSchema = z
  .strictObject({
    since: instant,
    capped: z.boolean(),
    files: filesByStatus,
    days: z.array(z.strictObject({ day: z.iso.date(), ...filesByStatus.shape }).openapi("OverviewDay")),
    failures: z.array(z.strictObject({ code: fileErrorCodeSchema, files: count }).openapi("FailureCount")),
    held: z.strictObject({ files: count, oldest_received_at: instant.nullable() }).openapi("HeldFiles"),
    usage: usageSchema,
    time_to_readable: z
      .strictObject({ files: count, median_in_seconds: z.number().min(0).nullable() })
      .openapi("TimeToReadable"),
    imports: z.strictObject({ running: count }).openapi("OverviewImports"),
    events: z
      .strictObject({
        pending: count,
        retrying: count,
        delivered: count,
        failed: count,
        without_endpoint: count,
      })
      .openapi("OverviewEvents"),
  })
  .openapi("Overview");
export type Overview = z.infer<typeof overviewSchema>;
export type FilesByStatus = z.infer<typeof filesByStatus>;
