import { createHash, createHmac } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CommandFault } from "./commandLine.ts";

/** Folder of a state folder with the files of its databases. */
const FOLDER = "v3/d1/miniflare-D1DatabaseObject";
const UNIQUE_KEY = path.basename(FOLDER);

/**
 * Runs one SELECT on each of these local databases, read-only, and returns all rows. It takes no lock that the running
 * service could meet: a second workerd on the same files makes statements of the service fail with SQLITE_BUSY.
 */
export function readLocally(
  state: string,
  names: readonly string[],
  sql: string,
  ...values: readonly (string | number)[]
): unknown[] {
  return names.flatMap((name) => {
    const file = localDatabaseFile(state, name);
    if (!existsSync(file)) throw new CommandFault(`The database ${name} has no file ${file}.`);
    const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    try {
      return database.prepare(sql).all(...values);
    } finally {
      database.close();
    }
  });
}

/** Returns the file of a binding's database. Its name is the id of a Durable Object, as miniflare derives it from the name. */
export function localDatabaseFile(state: string, name: string): string {
  const key = createHash("sha256").update(UNIQUE_KEY).digest();
  const digest = (data: string | Buffer) => createHmac("sha256", key).update(data).digest().subarray(0, 16);
  const hash = digest(name);
  return path.join(state, FOLDER, `${Buffer.concat([hash, digest(hash)]).toString("hex")}.sqlite`);
}
