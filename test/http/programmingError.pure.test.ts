import { expect, test } from "vitest";
import { z } from "zod";
import { isProgrammingError } from "../../src/http/programmingError.ts";

const named = (name: string) => Object.assign(new Error("thrown in a collector"), { name });

test.each<[string, Error]>([
  ["a property of undefined", new TypeError("Cannot read properties of undefined (reading 'x')")],
  [
    "the same in a collector",
    Object.assign(new TypeError("names is null"), { remote: true, durableObjectId: "id" }),
  ],
  ["a row that does not match its schema", z.number().safeParse("1").error ?? new Error("no error")],
  ["the same in a collector", named("ZodError")],
  ["a value that cannot be serialized for a call", named("DataCloneError")],
  [
    "a statement with a syntax error",
    new Error('D1_ERROR: near "SELEC": syntax error at offset 0: SQLITE_ERROR'),
  ],
  ["a collector's statement with an unknown column", new Error("no such column: stats: SQLITE_ERROR")],
  [
    "a constraint",
    new Error(
      "D1_ERROR: NOT NULL constraint failed: users.user_id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_NOTNULL)",
    ),
  ],
  ["a value that no column accepts", new Error("D1_TYPE_ERROR: Type 'undefined' not supported")],
  ["a missing value", new Error("D1_ERROR: Wrong number of parameter bindings for SQL query.")],
])("%s is a programming error, so a repeated request fails again", (_what, fault) => {
  expect(isProgrammingError(fault)).toBe(true);
});

test.each<[string, Error]>([
  ["D1 overloaded", new Error("D1_ERROR: D1 DB is overloaded. Requests queued for too long.")],
  ["a busy database", new Error("D1_ERROR: database is locked: SQLITE_BUSY")],
  ["a full database", new Error("D1_ERROR: database or disk is full: SQLITE_FULL")],
  ["R2 unavailable", new Error("put: We encountered an internal error. Please try again. (10001)")],
  ["KV unavailable", new Error("KV GET failed: 500 Internal Server Error")],
  ["an unknown message", new Error("internal error; reference = 0123456789")],
  ["an unreachable collector", Object.assign(new Error("Network connection lost."), { retryable: true })],
  [
    "a collector that still runs the previous deployment",
    Object.assign(new TypeError('The RPC receiver does not implement the method "claim".'), { remote: true }),
  ],
])("%s is a temporary failure of a store, so the request may be repeated", (_what, fault) => {
  expect(isProgrammingError(fault)).toBe(false);
});
