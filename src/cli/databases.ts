import type { Refusal } from "./command.ts";
import { openLocalStores } from "./localState.ts";
import type { Place } from "./place.ts";
import { wranglerFor, type RunWrangler } from "./wrangler.ts";

/** One D1, here or deployed: runs one statement whose parameters are numbered, `?1` first. */
export interface Database {
  ok: true;
  run(sql: string, ...values: readonly (string | number)[]): Promise<unknown[]>;
  close(): Promise<void>;
}

export async function databaseAt(place: Place): Promise<Database | Refusal> {
  return place.remote ? remoteDatabase(wranglerFor(place.environment)) : localDatabase(place.state);
}

/** The database of a state folder; a service may run on it meanwhile. */
export async function localDatabase(state: string): Promise<Database | Refusal> {
  const stores = await openLocalStores(state);
  if (!stores.ok) return stores;
  return {
    ok: true,
    run: async (sql, ...values) =>
      (
        await stores.database
          .prepare(sql)
          .bind(...values)
          .all()
      ).results,
    close: async () => stores.close(),
  };
}

/** The deployed database, through `wrangler d1 execute`, which takes no bindings: values stand in the text, quoted. */
function remoteDatabase(wrangler: RunWrangler): Database {
  return {
    ok: true,
    run: async (sql, ...values) => {
      const command = withValues(sql, values);
      const printed = await wrangler(["d1", "execute", "DB", "--remote", "--json", "--command", command]);
      const answers: unknown = JSON.parse(printed);
      const first: unknown = Array.isArray(answers) ? answers[0] : null;
      return typeof first === "object" && first !== null && "results" in first && Array.isArray(first.results)
        ? first.results
        : [];
    },
    close: async () => {},
  };
}

/** The statement with its values in place: numbers as they are, text as SQLite quotes it. */
export function withValues(sql: string, values: readonly (string | number)[]): string {
  return sql.replaceAll(/\?(\d+)/g, (parameter, number: string) => {
    const value = values[Number(number) - 1];
    if (value === undefined) return parameter;
    return typeof value === "number" ? String(value) : `'${value.replaceAll("'", "''")}'`;
  });
}
