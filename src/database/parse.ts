/**
 * Parses stored JSON and rows that any release may have written: unknown keys are ignored, missing keys get their
 * default. Written by hand, because a schema library costs more time than the rest of a claim.
 */
export type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

/** Returns a stored object's keys. Throws for any other value, which no release has written. */
export function fieldsOf(value: unknown): Fields {
  if (!isFields(value)) throw new TypeError("a stored value is not an object");
  return value;
}

export function fieldsOfJson(json: string): Fields {
  return fieldsOf(JSON.parse(json));
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("a stored value is not a string");
  return value;
}

export function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Returns whether a value is JSON's true, or SQLite's 1. */
export function flag(value: unknown): boolean {
  return value === true || value === 1;
}

export function count(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

export function numberOrNull(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** Returns the value if it is one of the members, else null. */
export function memberOrNull<T extends string>(members: readonly T[], value: unknown): T | null {
  return members.find((member) => member === value) ?? null;
}

/** Returns the value if it is one of the members. Throws for any other value, which no release has written. */
export function memberOf<T extends string>(members: readonly T[], value: unknown): T {
  const member = memberOrNull(members, value);
  if (member === null) throw new TypeError(`a stored value is none of ${members.join(", ")}`);
  return member;
}
