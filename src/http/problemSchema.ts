import { z } from "@hono/zod-openapi";
import { FAULT_CODES } from "../fault.ts";

/** As many faults as a person reads; the rest appear once these are mended. */
export const MAX_FAULTS = 100;

export const faultSchema = z.strictObject({
  pointer: z.string().openapi({ example: "/activity_files/3/priority" }),
  code: z.enum(FAULT_CODES),
  detail: z.string(),
});

/** RFC 9457. */
export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string(),
    request_id: z.string(),
    errors: z.array(faultSchema).max(MAX_FAULTS).optional(),
  })
  .openapi("Problem");
export type Problem = z.infer<typeof problemSchema>;
