import { expect, test } from "vitest";
import {
  allDatabases,
  databaseFor,
  namedDatabases,
  UnboundDatabase,
  type Databases,
} from "../../src/database/databases.ts";

const named = (name: string) => ({ name }) as unknown as D1Database;
/** Bindings in another order than their numbers, beside bindings that are not databases. */
const env = {
  DB_10: named("DB_10"),
  FILES: named("FILES"),
  DB_2: named("DB_2"),
  DB: named("DB"),
  DB_OLD: named("DB_OLD"),
  MY_DB_3: named("MY_DB_3"),
  DB_02: named("DB_02"),
} as unknown as Databases;

test("a partner's database is the one that its settings name", () => {
  for (const database of ["DB", "DB_2", "DB_10"]) {
    expect(databaseFor(env, { partner_id: "p", database })).toEqual({ name: database });
  }
});

test.each(["DB_3", "DB_OLD", "FILES", "DB_02", "", "constructor"])(
  "a database that is not bound is an error, never another database: %j",
  (database) => {
    const find = () => databaseFor(env, { partner_id: "p", database });
    expect(find).toThrow(UnboundDatabase);
  },
);

test("sweeps visit every bound database once, in the order of their numbers", () => {
  expect(namedDatabases(env).map(({ name }) => name)).toEqual(["DB", "DB_2", "DB_10"]);
  expect(allDatabases(env)).toEqual([{ name: "DB" }, { name: "DB_2" }, { name: "DB_10" }]);
});
