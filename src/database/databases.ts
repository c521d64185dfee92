/** Bindings of all databases: `DB`, `DB_2`, `DB_3` and so on, as wrangler.toml declares them. */
export interface Databases {
  DB: D1Database;
  [name: `DB_${number}`]: D1Database;
}

/** A partner with the name of the binding of its database. The partner's settings in KV are one. */
export interface Owner {
  partner_id: string;
  database: string;
}

/** Form of the name of a database's binding. */
export const DATABASE_NAME = /^DB(?:_[1-9]\d*)?$/;

/** Database of partners with settings, queue messages and collectors that name none, because they are older. */
export const FIRST_DATABASE = "DB";

/** Thrown for a partner with a database that this deployment does not bind. */
export class UnboundDatabase extends Error {
  override readonly name = "UnboundDatabase";
  /** Part of the fault's name in the log. */
  readonly code: string;

  constructor(database: string) {
    super(`The partner's database ${database} is not bound. wrangler.toml must declare it.`);
    this.code = database;
  }
}

/** Returns the database that holds all of a partner's rows. Throws UnboundDatabase, and never returns another one. */
export function databaseFor(env: Databases, { database }: Owner): D1Database {
  const bound = isDatabaseName(database) ? env[database] : undefined;
  if (bound === undefined) throw new UnboundDatabase(database);
  return bound;
}

type DatabaseName = "DB" | `DB_${number}`;

function isDatabaseName(name: string): name is DatabaseName {
  return DATABASE_NAME.test(name);
}

/** A database with the name of its binding. */
export interface NamedDatabase {
  name: string;
  database: D1Database;
}

/** Returns all databases with the names of their bindings, in the order of their numbers. */
export function namedDatabases(env: Databases): NamedDatabase[] {
  const numberOf = (name: string) => Number(name.slice("DB_".length));
  return Object.keys(env)
    .filter(isDatabaseName)
    .sort((a, b) => numberOf(a) - numberOf(b))
    .flatMap((name) => {
      const database = env[name];
      return database === undefined ? [] : [{ name, database }];
    });
}

/** Returns all databases. Sweeps over all partners use `sumOverDatabases`. */
export function allDatabases(env: Databases): D1Database[] {
  return namedDatabases(env).map(({ database }) => database);
}

/** When a run of the clock works, and how many statements it may use. */
export interface Turn {
  nowMs: number;
  allowance: Allowance;
}

/** Time after which runs begin with the next database. */
const TURN_MS = 60_000;

/**
 * Does the work in each database in turn while the allowance lasts, and returns the sum of its results. Each minute begins with
 * the next database, so that a database with much work delays no other for long. A fault in one database does not stop
 * the work in the others: the first fault is thrown at the end.
 */
export async function sumOverDatabases(
  env: Databases,
  { nowMs, allowance }: Turn,
  work: (database: D1Database, name: string) => Promise<number>,
): Promise<number> {
  let sum = 0;
  const faults: unknown[] = [];
  const all = namedDatabases(env);
  const first = Math.floor(nowMs / TURN_MS) % Math.max(1, all.length);
  for (const { name, database } of [...all.slice(first), ...all.slice(0, first)]) {
    if (isUsedUp(allowance)) break;
    try {
      sum += await work(database, name);
    } catch (fault) {
      faults.push(fault);
    }
  }
  if (faults.length > 0) throw faults[0];
  return sum;
}

/** D1's limit of statements in one invocation, over all databases. */
export const STATEMENTS_PER_INVOCATION = 1_000;

/** Number of statements that a unit of work may still run. The last page of the work may exceed it a little. */
export interface Allowance {
  statements: number;
}

/** Returns the allowance of an invocation that does one thing. */
export function wholeInvocation(): Allowance {
  return { statements: STATEMENTS_PER_INVOCATION };
}

export function isUsedUp({ statements }: Allowance): boolean {
  return statements <= 0;
}

/** Returns the environment with databases that subtract each statement from the allowance when it is prepared. */
export function metered<E extends Databases>(env: E, allowance: Allowance): E {
  const databases = namedDatabases(env).map(({ name, database }) => [name, counting(database, allowance)]);
  return { ...env, ...Object.fromEntries(databases) };
}

function counting(database: D1Database, allowance: Allowance): D1Database {
  return new Proxy(database, {
    get(target, key) {
      if (key === "prepare") allowance.statements -= 1;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
