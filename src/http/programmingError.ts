import { ZodError } from "zod";

/** What the language, a parser of ours or the serialization of a call throws, here or in a collector. */
const OWN_CLASSES = [TypeError, RangeError, ReferenceError, SyntaxError, ZodError];
const OWN_NAMES = new Set(["ZodError", "DataCloneError"]);

/** What D1 and a collector's SQLite say of a statement that can never work. */
const BAD_STATEMENT =
  /^D1_TYPE_ERROR: |Wrong number of parameter bindings|: SQLITE_(?:ERROR|CONSTRAINT|MISMATCH|TOOBIG|RANGE)\b/;

/** Of a collector that still runs the code before a deployment, while its caller runs the new one. */
const OLDER_COLLECTOR = /^The RPC receiver does not implement/;

/**
 * Whether a fault is an error in this code, which a repeated request would meet again. Platforms throw plain errors of
 * many texts, so any other fault counts as a store's: it may heal, and the request may be sent again.
 */
export function isProgrammingError(fault: Error): boolean {
  if (OLDER_COLLECTOR.test(fault.message)) return false;
  // Set by the platform where a collector was out of reach or overloaded.
  if ("retryable" in fault || "overloaded" in fault) return false;
  return (
    OWN_CLASSES.some((known) => fault instanceof known) ||
    OWN_NAMES.has(fault.name) ||
    BAD_STATEMENT.test(fault.message)
  );
}
