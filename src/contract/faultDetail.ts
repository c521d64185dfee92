import type { z } from "@hono/zod-openapi";

type Issue = Exclude<z.core.$ZodIssue, z.core.$ZodIssueUnrecognizedKeys>;

/** Texts that a detail quotes. Other texts could be a name or a secret. */
const QUOTED = /^-?\d{1,20}$/;

const KINDS: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "an integer",
  number: "a number",
  object: "an object",
  string: "a string",
};

/** Returns what a value is, in words. Quotes numbers, booleans and null. */
export function received(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "string") {
    return QUOTED.test(value) ? JSON.stringify(value) : `a string of ${value.length} characters`;
  }
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** Returns the amount that a limit is about, with its unit. */
function amount(limit: number | bigint, origin: string): string {
  if (origin === "array") return `${limit} ${limit === 1 ? "item" : "items"}`;
  if (origin === "string") return `${limit} ${limit === 1 ? "character" : "characters"}`;
  return String(limit);
}

/** Returns a sentence on what was received and what to send instead, for an issue with `value`. */
export function detailOf(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return `Received ${received(value)}. Send ${KINDS[issue.expected] ?? issue.expected}.`;
    case "invalid_value":
      return `Received ${received(value)}. Send ${issue.values.map((known) => JSON.stringify(known)).join(" or ")}.`;
    case "too_small":
      return `Received ${received(value)}. Send at least ${amount(issue.minimum, issue.origin)}.`;
    case "too_big":
      return `Received ${received(value)}. Send at most ${amount(issue.maximum, issue.origin)}.`;
    case "not_multiple_of":
      return `Received ${received(value)}. Send a multiple of ${issue.divisor}.`;
    case "invalid_union":
    case "invalid_key":
    case "invalid_element":
      return `Received ${received(value)}, which the contract does not allow here.`;
    case "custom":
    case "invalid_format":
      return issue.message;
  }
}
