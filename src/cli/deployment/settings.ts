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
  /** Empty for none. */
  jurisdiction: string;
  /** `jurisdiction` is the one of the bucket's binding. */
  bucket: { name: string; jurisdiction: string };
  queues: string[];
  /** Whether the KV namespace is named by its id. Without one, wrangler creates it, without a jurisdiction. */
  hasNamespaceId: boolean;
}

const configSchema = z.looseObject({
  name: z.string(),
  d1_databases: z.array(z.looseObject({ binding: z.string(), database_name: z.string() })),
  vars: z.looseObject({ TRAINING_PLAN_URL: z.string(), JURISDICTION: z.string() }),
  r2_buckets: z.tuple([z.looseObject({ bucket_name: z.string(), jurisdiction: z.string().default("") })]),
  kv_namespaces: z.tuple([z.looseObject({ id: z.string().optional() })]),
  queues: z.looseObject({ producers: z.array(z.looseObject({ queue: z.string() })) }),
});

/** Returns the settings of an environment. Throws when wrangler.toml lacks one, which is a programming error. */
export function readSettings(environment: Environment): Settings {
  const { name, d1_databases, vars, r2_buckets, kv_namespaces, queues } = configSchema.parse(
    readConfig(
      { config: path.join(ROOT, "wrangler.toml"), env: environment === "production" ? "" : environment },
      { hideWarnings: true },
    ),
  );
  return {
    worker: name,
    databases: d1_databases.map(({ binding, database_name }) => ({ binding, name: database_name })),
    trainingPlanUrl: vars.TRAINING_PLAN_URL,
    jurisdiction: vars.JURISDICTION,
    bucket: { name: r2_buckets[0].bucket_name, jurisdiction: r2_buckets[0].jurisdiction },
    queues: queues.producers.map(({ queue }) => queue),
    hasNamespaceId: kv_namespaces[0].id !== undefined,
  };
}
