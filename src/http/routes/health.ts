import { createRoute, z } from "@hono/zod-openapi";
import { jurisdictionOf } from "../../jurisdiction.ts";
import { endpoint } from "../context.ts";
import { databasesWithoutSchema } from "../database.ts";
import { publicProblems, schemaMissing } from "../problem.ts";
import { noQuery } from "../query.ts";

const healthSchema = z
  .strictObject({ status: z.literal("ok"), jurisdiction: z.string().nullable() })
  .openapi("Health");

const route = createRoute({
  method: "get",
  path: "/health/",
  summary: "Check that the service is available",
  security: [],
  request: { query: noQuery },
  responses: {
    200: {
      description: "The service is available.",
      content: { "application/json": { schema: healthSchema } },
    },
    ...publicProblems,
  },
});

/** Returns the command that gives these databases their schema. */
function migrationCommand(names: readonly string[]): string {
  return names.map((name) => `npx wrangler d1 migrations apply ${name} --local`).join(" && ");
}

export const getHealth = endpoint(route, async (c) => {
  const missing = await databasesWithoutSchema(c.env);
  return missing.length === 0
    ? c.json({ status: "ok" as const, jurisdiction: jurisdictionOf(c.env) }, 200)
    : schemaMissing(
        c,
        `The tables of ${missing.join(", ")} are missing or older than this version. Run \`${migrationCommand(missing)}\`. For a deployed service, run \`npm run deploy\`, or replace \`--local\` by \`--remote\`.`,
      );
});
