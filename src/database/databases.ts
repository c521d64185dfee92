/** Bindings of every database. */
export interface Databases {
  DB: D1Database;
}

/**
 * Returns the database that holds a partner's read model. Code reaches D1 only through this function and
 * `allDatabases`, so partners can be spread over several databases by changing these two.
 */
export function databaseFor(env: Databases, partnerId: string): D1Database {
  void partnerId;
  return env.DB;
}

/** Returns every database, for sweeps over all partners. */
export function allDatabases(env: Databases): D1Database[] {
  return [env.DB];
}
