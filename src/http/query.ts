import { z } from "@hono/zod-openapi";
import { received } from "../contract/faultDetail.ts";

/** Validates an integer in decimal digits. Rejects other notations that `Number` accepts, such as `1e3`. */
export function integer(minimum: number, maximum: number) {
  return z
    .string()
    .superRefine((text, ctx) => {
      const plain = /^(?:0|[1-9]\d{0,15})$/.test(text);
      if (plain && Number(text) >= minimum && Number(text) <= maximum) return;
      ctx.addIssue({
        code: "custom",
        message: `Received ${received(text)}. Send an integer from ${minimum} to ${maximum}.`,
      });
    })
    .transform(Number)
    .openapi({ type: "integer", minimum, maximum });
}

/** The query of a route without parameters. Rejects every parameter. */
export const noQuery = z.strictObject({});

/** The query of a POST that supports a dry run. */
export const dryRunQuery = z.strictObject({
  dry_run: z.enum(["true", "false"]).optional(),
});

/** An RFC 3339 time, parsed to Unix milliseconds. Ignores digits below a millisecond. */
export const instant = z.iso
  .datetime({ offset: true, error: "Send an RFC 3339 time with a time zone, such as 2026-11-25T08:00:00Z." })
  .transform((text) => Date.parse(text));

/** Unix seconds. At most 10 digits, like the start time of a ping. */
export const unixSeconds = integer(0, 9_999_999_999);

/** Whether a list also returns removals. */
export const includeDeleted = z
  .enum(["true", "false"])
  .transform((text) => text === "true")
  .optional()
  .openapi({ type: "string", enum: ["true", "false"] });

/** Rejects `include_deleted` without `updated_since`: only the order of changes has removals. */
export function requireUpdatedSince(
  query: { include_deleted?: boolean | undefined; updated_since?: number | undefined },
  ctx: z.RefinementCtx,
): void {
  if (query.include_deleted !== true || query.updated_since !== undefined) return;
  const message = "Send `updated_since` as well. Only lists in the order of their changes have removals.";
  ctx.addIssue({ code: "custom", path: ["updated_since"], params: { code: "required" }, message });
}
