import { createRoute, z } from "@hono/zod-openapi";
import { jurisdictionOf } from "../../jurisdiction.ts";
import { readSchemaVersions } from "../../schema/read.ts";
import { endpoint } from "../context.ts";
import { databasesWithoutSchema } from "../database.ts";
import { publicProblems, schemaMissing } from "../problem.ts";
import { noQuery } from "../query.ts";

const healthSchema = z
  .strictObject({
    status: z.literal("ok"),
    jurisdiction: z.string().nullable(),
    version: z.strictObject({ id: z.string(), tag: z.string().nullable() }).openapi("HealthVersion"),
    schema: z.strictObject({ database: z.int().nullable(), collector: z.int() }).openapi("HealthSchema"),
  })
  .openapi("Health");
export type Health = z.infer<typeof healthSchema>;

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
  if (missing.length > 0) {
    return schemaMissing(
      c,
      `The tables of ${missing.join(", ")} are missing or older than this version. Run \`${migrationCommand(missing)}\`. For a deployed service, run \`npm run deploy\`, or replace \`--local\` with \`--remote\`.`,
    );
  }
  const { id, tag } = c.env.CF_VERSION_METADATA;
  const health: Health = {
    status: "ok",
    jurisdiction: jurisdictionOf(c.env),
    version: { id, tag: tag === "" ? null : tag },
    schema: await readSchemaVersions(c.env, Date.now()),
  };
  return c.json(health, 200);
});
