import { z } from "@hono/zod-openapi";

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
