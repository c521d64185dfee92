/** Bindings of every database. */
export interface Databases {
  DB: D1Database;
}

/**
 * Returns the database that holds a partner's read model. With `allDatabases` the only way to D1: splitting the
 * read model over several databases by partner changes these two functions alone.
 */
export function databaseFor(env: Databases, partnerId: string): D1Database {
  void partnerId;
  return env.DB;
}

/** Returns every database, for sweeps over all partners. */
export function allDatabases(env: Databases): D1Database[] {
  return [env.DB];
}
