import path from "node:path";
import { unstable_readConfig as readConfig } from "wrangler";
import { z } from "zod";
import { ROOT } from "../commandLine.ts";
import type { Environment } from "../wrangler.ts";

/** Settings of wrangler.toml that a deployment uses. */
export interface Settings {
  worker: string;
  databases: { binding: string; name: string }[];
  trainingPlanUrl: string;
}

const configSchema = z.looseObject({
  name: z.string(),
  d1_databases: z.array(z.looseObject({ binding: z.string(), database_name: z.string() })),
  vars: z.looseObject({ TRAINING_PLAN_URL: z.string() }),
});

/** Returns the settings of an environment. Throws when wrangler.toml lacks one, which is a programming error. */
export function readSettings(environment: Environment): Settings {
  const { name, d1_databases, vars } = configSchema.parse(
    readConfig(
      { config: path.join(ROOT, "wrangler.toml"), env: environment === "production" ? "" : environment },
      { hideWarnings: true },
    ),
  );
  return {
    worker: name,
    databases: d1_databases.map(({ binding, database_name }) => ({ binding, name: database_name })),
    trainingPlanUrl: vars.TRAINING_PLAN_URL,
  };
}

/** Returns the bindings of an environment's databases. */
export function databaseNamesOf(environment: Environment): string[] {
  return readSettings(environment).databases.map(({ binding }) => binding);
}
