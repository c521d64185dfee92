import { z } from "@hono/zod-openapi";

/** A whole number in plain digits. Other notations that `Number` accepts, such as `1e3`, are rejected. */
export function integer(minimum: number, maximum: number) {
  return z
    .string()
    .superRefine((text, ctx) => {
      const plain = /^(?:0|[1-9]\d{0,15})$/.test(text);
      if (plain && Number(text) >= minimum && Number(text) <= maximum) return;
      ctx.addIssue({ code: "custom", message: `Send a whole number from ${minimum} to ${maximum}.` });
    })
    .transform(Number)
    .openapi({ type: "integer", minimum, maximum });
}

/** The query of a route without parameters. Any parameter is rejected. */
export const noQuery = z.strictObject({});

/** The query of a POST that supports a dry run. */
export const dryRunQuery = z.strictObject({
  dry_run: z
    .enum(["true", "false"])
    .optional()
    .openapi({
      param: { description: "With `true`, validates and answers as it would, and stores nothing." },
    }),
});

/** An RFC 3339 instant, parsed to Unix milliseconds. Finer digits are ignored. */
export const instant = z.iso
  .datetime({ offset: true, error: "Send an RFC 3339 instant, such as 2026-11-25T08:00:00Z." })
  .transform((text) => Date.parse(text));

/** Unix seconds, with as many digits as a ping's start time may have. */
export const unixSeconds = integer(0, 9_999_999_999);
