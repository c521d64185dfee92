import { z } from "@hono/zod-openapi";
import { DAY_MS } from "../contract/limits.ts";

const amount = z.number().int();

/** Status classes of requests that are counted. */
export const REQUEST_CLASSES = ["status_2xx", "status_4xx", "status_429", "status_5xx"] as const;
export type RequestClass = (typeof REQUEST_CLASSES)[number];
export type RequestCounts = Record<RequestClass, number>;

/** What a partner used on one day. */
export const usageDaySchema = z
  .strictObject({
    day: z.iso.date(),
    files: z.strictObject({ imported: amount, failed: amount, deleted: amount }).openapi("FilesOfDay"),
    stored_bytes: amount,
    requests: z
      .strictObject({ status_2xx: amount, status_4xx: amount, status_429: amount, status_5xx: amount })
      .openapi("RequestsOfDay"),
    deliveries: z.strictObject({ delivered: amount, failed: amount }).openapi("DeliveriesOfDay"),
  })
  .openapi("UsageDay");
export type UsageDay = z.infer<typeof usageDaySchema>;

/** Returns the number of the UTC day since 1970. */
export function dayOf(unixMs: number): number {
  return Math.floor(unixMs / DAY_MS);
}

/** Returns a day as `2026-11-25`. */
export function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}
