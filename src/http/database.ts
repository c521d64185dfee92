import { databaseFor, namedDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { isSchemaMissing } from "../schema/schema.ts";
import type { Middleware } from "./context.ts";
import { schemaMissing } from "./problem.ts";

/** Returns the names of the databases that lack the schema of this code. */
export async function databasesWithoutSchema(env: Env): Promise<string[]> {
  const now = Date.now();
  const checked = await Promise.all(
    namedDatabases(env).map(async (named) => ({
      name: named.name,
      isMissing: await isSchemaMissing(named, now),
    })),
  );
  return checked.filter(({ isMissing }) => isMissing).map(({ name }) => name);
}

/** Rejects all requests before authentication while no database has its schema: the service was never set up. */
export const requireSchema: Middleware = async (c, next) => {
  const { env } = c;
  if (!(await isSchemaMissing({ name: "DB", database: env.DB }, Date.now()))) return next();
  const missing = await databasesWithoutSchema(env);
  if (missing.length < namedDatabases(env).length) return next();
  return schemaMissing(c);
};

/**
 * Rejects requests of a partner with a database that lacks its schema. Throws UnboundDatabase for a database that this
 * deployment does not have.
 */
export const requireDatabase: Middleware = async (c, next) => {
  const { partner } = c.var;
  const database = databaseFor(c.env, partner);
  if (await isSchemaMissing({ name: partner.database, database }, Date.now())) return schemaMissing(c);
  return next();
};
