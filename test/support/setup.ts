import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { allDatabases } from "../../src/database/databases.ts";
import type { Env as WorkerEnv } from "../../src/env.ts";

declare global {
  namespace Cloudflare {
    interface Env extends WorkerEnv {
      TEST_MIGRATIONS: D1Migration[];
    }
  }
}

for (const database of allDatabases(env)) await applyD1Migrations(database, env.TEST_MIGRATIONS);
