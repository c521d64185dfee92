import { createRoute, z } from "@hono/zod-openapi";
import { dateOf, dayOf } from "../../contract/days.ts";
import { DAY_MS, USAGE_DAYS, USAGE_DAYS_DEFAULT } from "../../contract/limits.ts";
import { usageDaySchema } from "../../usage/days.ts";
import { readUsageDays } from "../../usage/read.ts";
import { endpoint } from "../context.ts";
import { readProblems } from "../problem.ts";

/** Earlier days are rejected, so that all days of a query have years of four digits. */
const FIRST_DAY = "1970-01-01";

/** A day such as `2026-11-25`, parsed to the number of days since 1970. */
const day = z.iso
  .date({ abort: true, error: "Send a day such as 2026-11-25." })
  .refine((text) => text >= FIRST_DAY, { abort: true, error: `Send a day on or after ${FIRST_DAY}.` })
  .transform((text) => Date.parse(text) / DAY_MS);

/** Returns the first and last day of a query. Defaults: `to` is today, and `from` gives `USAGE_DAYS_DEFAULT` days. */
function daysOf({
  from,
  to,
}: {
  from?: number | undefined;
  to?: number | undefined;
}): [first: number, last: number] {
  const last = to ?? Math.max(dayOf(Date.now()), from ?? 0);
  return [from ?? last - USAGE_DAYS_DEFAULT + 1, last];
}

const query = z.strictObject({ from: day.optional(), to: day.optional() }).superRefine((days, ctx) => {
  const [first, last] = daysOf(days);
  if (first <= last && last - first < USAGE_DAYS) return;
  const message =
    first > last
      ? "`from` is after `to`. Send an earlier `from`, or a later `to`."
      : `The query covers more than ${USAGE_DAYS} days. Send a later \`from\`, or an earlier \`to\`.`;
  ctx.addIssue({ code: "custom", path: ["from"], params: { code: "invalid_value" }, message });
});

const route = createRoute({
  method: "get",
  path: "/api/usage/",
  summary: "Get the usage of each day",
  request: { query },
  responses: {
    200: {
      description:
        "The days, oldest first. Days in the future, and days that are no longer kept, are omitted.",
      content: {
        "application/json": {
          schema: z
            .strictObject({ from: z.iso.date(), to: z.iso.date(), data: z.array(usageDaySchema) })
            .openapi("UsageDays"),
        },
      },
    },
    ...readProblems,
  },
});

export const getUsage = endpoint(route, async (c) => {
  const [first, last] = daysOf(c.req.valid("query"));
  const today = dayOf(Date.now());
  const oldest = Math.max(first, today - USAGE_DAYS + 1);
  const data = await readUsageDays(c.env, c.var.partner, oldest, Math.min(last, today));
  return c.json({ from: dateOf(first), to: dateOf(last), data }, 200);
});
