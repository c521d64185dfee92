/**
 * Reads stored JSON written by any readable version of the code: unknown keys are dropped, missing ones get their
 * default. By hand, because a schema library costs more than the rest of a claim.
 */
export type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

/** The keys of a stored object. Throws for anything else: no version of the code has written that. */
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
  if (typeof value !== "string") throw new TypeError("a stored value is not a text");
  return value;
}

export function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export function count(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

export function numberOrNull(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** The member of a list of texts that this is; null for any other value. */
export function memberOrNull<T extends string>(members: readonly T[], value: unknown): T | null {
  return members.find((member) => member === value) ?? null;
}

/** The same where every readable version of the code has written a member. */
export function memberOf<T extends string>(members: readonly T[], value: unknown): T {
  const member = memberOrNull(members, value);
  if (member === null) throw new TypeError(`a stored value is none of ${members.join(", ")}`);
  return member;
}
