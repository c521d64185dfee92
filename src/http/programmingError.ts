import { ZodError } from "zod";

/** Errors of the language, of our parsers and of the serialization of RPC calls, in the Worker or in a collector. */
const OWN_CLASSES = [TypeError, RangeError, ReferenceError, SyntaxError, ZodError];
const OWN_NAMES = new Set(["ZodError", "DataCloneError"]);

/** Messages of D1 and of a collector's SQLite for a statement that always fails. */
const BAD_STATEMENT =
  /^D1_TYPE_ERROR: |Wrong number of parameter bindings|: SQLITE_(?:ERROR|CONSTRAINT|MISMATCH|TOOBIG|RANGE)\b/;

/** Message of a collector that still runs the previous deployment while its caller runs the new one. */
const OLDER_COLLECTOR = /^The RPC receiver does not implement/;

/**
 * Whether an error comes from a mistake in this code, so that a repeated request fails again. The platform throws plain
 * errors with many texts, so every other error counts as a temporary failure of a store.
 */
export function isProgrammingError(fault: Error): boolean {
  if (OLDER_COLLECTOR.test(fault.message)) return false;
  // The platform sets these when a collector is unreachable or overloaded.
  if ("retryable" in fault || "overloaded" in fault) return false;
  return (
    OWN_CLASSES.some((known) => fault instanceof known) ||
    OWN_NAMES.has(fault.name) ||
    BAD_STATEMENT.test(fault.message)
  );
}
