import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { namedDatabases } from "../../src/database/databases.ts";
import { isSchemaMissing } from "../../src/schema/schema.ts";
import type { Env as WorkerEnv } from "../../src/env.ts";

declare global {
  namespace Cloudflare {
    interface Env extends WorkerEnv {
      TEST_MIGRATIONS: D1Migration[];
    }
  }
}

for (const named of namedDatabases(env)) {
  await applyD1Migrations(named.database, env.TEST_MIGRATIONS);
  // An isolate checks a database once. Later reads of a test are its own.
  await isSchemaMissing(named, Date.now());
}
