import { z } from "@hono/zod-openapi";
import { faultSchema } from "../contract/fault.ts";

/** Maximum number of errors in one response: more than a person reads. The others appear once these are fixed. */
export const MAX_FAULTS = 100;

/** A problem document (RFC 9457). */
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
