import path from "node:path";
import { unstable_readConfig as readConfig } from "wrangler";
import { z } from "zod";
import { ROOT } from "../commandLine.ts";
import type { Environment } from "../wrangler.ts";

/** Settings of wrangler.toml that a deployment uses. */
export interface Settings {
  worker: string;
  databaseName: string;
  trainingPlanUrl: string;
}

const configSchema = z.looseObject({
  name: z.string(),
  d1_databases: z.tuple([z.looseObject({ database_name: z.string() })]),
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
    databaseName: d1_databases[0].database_name,
    trainingPlanUrl: vars.TRAINING_PLAN_URL,
  };
}
