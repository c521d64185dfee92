import { ZodError } from "zod";

/** Errors of the language, of our parsers and of the serialization of calls, here or in a collector. */
const OWN_CLASSES = [TypeError, RangeError, ReferenceError, SyntaxError, ZodError];
const OWN_NAMES = new Set(["ZodError", "DataCloneError"]);

/** Messages of D1 and of a collector's SQLite for a statement that can never work. */
const BAD_STATEMENT =
  /^D1_TYPE_ERROR: |Wrong number of parameter bindings|: SQLITE_(?:ERROR|CONSTRAINT|MISMATCH|TOOBIG|RANGE)\b/;

/** Message of a collector that still runs the code before a deployment while its caller runs the new code. */
const OLDER_COLLECTOR = /^The RPC receiver does not implement/;

/**
 * Whether a fault is an error in this code, which a repeated request would cause again. Platforms throw plain errors with
 * many texts, so any other fault counts as a store's: it may go away, and the request may be sent again.
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
