import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Folder of a state folder with the files of its databases. */
const FOLDER = "v3/d1/miniflare-D1DatabaseObject";

/**
 * Runs one SELECT on each local database, read-only, and returns all rows. It takes no lock that the running service could
 * meet: a second workerd on the same files makes statements of the service fail with SQLITE_BUSY.
 */
export function readLocally(state: string, sql: string, ...values: readonly (string | number)[]): unknown[] {
  const folder = path.join(state, FOLDER);
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  return files.flatMap((name) => {
    const database = new DatabaseSync(path.join(folder, name), { readOnly: true, timeout: 5_000 });
    try {
      return database.prepare(sql).all(...values);
    } finally {
      database.close();
    }
  });
}
