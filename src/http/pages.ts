import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import type { Fault } from "../fault.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

/** A whole number in a query: plain digits, nothing that a parser would make one of. */
export function integer(minimum: number, maximum: number) {
  return z
    .string()
    .superRefine((text, ctx) => {
      const plain = /^(?:0|[1-9]\d{0,15})$/.test(text);
      if (plain && Number(text) >= minimum && Number(text) <= maximum) return;
      ctx.addIssue({ code: "custom", message: `Send a whole number from ${minimum} to ${maximum}.` });
    })
    .transform(Number)
    .openapi({ type: "integer", minimum, maximum });
}

/** The parameters that every list takes. */
export const pageQuery = {
  limit: integer(1, MAX_LIMIT)
    .optional()
    .openapi({ param: { description: `${DEFAULT_LIMIT} unless given.` }, example: 50 }),
  cursor: z
    .string()
    .min(1)
    .max(2_048)
    .optional()
    .openapi({ param: { description: "`next_cursor` of the page before, with the same filters." } }),
};

/** Of a route that takes no parameters: any that comes is refused. */
export const noQuery = z.strictObject({});

/** Of a POST that can be tried out. */
export const dryRunQuery = z.strictObject({
  dry_run: z
    .enum(["true", "false"])
    .optional()
    .openapi({
      param: { description: "With `true`, validates and answers as it would, and stores nothing." },
    }),
});

/** An instant as RFC 3339, read as Unix milliseconds; what is finer than a millisecond is cut off. */
export const instant = z.iso
  .datetime({ offset: true, error: "Send an RFC 3339 instant, such as 2026-11-25T08:00:00Z." })
  .transform((text) => Date.parse(text));

/** Unix seconds in a query, with as many digits as a ping's own time may have. */
export const unixSeconds = integer(0, 9_999_999_999);

export function pageOf<T extends z.ZodType>(name: string, item: T) {
  return z.strictObject({ data: z.array(item), next_cursor: z.string().nullable() }).openapi(name);
}

/** Where in a total order a page ends: the last row's keys. */
export type Position = readonly (string | number | null)[];

/** A list with its filters: what a cursor is bound to. Filters that are not given are undefined. */
export interface ListName {
  list: string;
  partnerId: string;
  filters: Record<string, string | number | undefined>;
}

function bindingOf(name: ListName): string {
  const filters = Object.entries(name.filters)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([name.list, name.partnerId, filters]))
    .digest("base64url")
    .slice(0, 16);
}

/** A cursor says where its page ended and, in a hash, in which list of which partner under which filters. */
function writeCursor(name: ListName, position: Position): string {
  return Buffer.from(JSON.stringify([bindingOf(name), ...position])).toString("base64url");
}

/** The position of a cursor, read by the schema of its list's keys; null when it is malformed or of another list. */
function readCursor<P extends Position>(name: ListName, cursor: string, keys: z.ZodType<P>): P | null {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (!Array.isArray(parts) || parts[0] !== bindingOf(name)) return null;
    const position = keys.safeParse(parts.slice(1));
    return position.success ? position.data : null;
  } catch {
    return null;
  }
}

export const INVALID_CURSOR: Fault = {
  pointer: "/cursor",
  code: "invalid_cursor",
  detail: "This is no cursor of this list with these filters.",
};

export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

export interface PageRequest<P extends Position> {
  limit: number;
  /** Rows come after this one; null: from the beginning. */
  after: P | null;
}

/**
 * One page of a list: `read` is asked for one row more than the page holds, to know whether it is the last.
 * Null when the cursor does not belong to this list.
 */
export async function readPage<T, P extends Position>(
  name: ListName,
  query: { limit?: number | undefined; cursor?: string | undefined },
  keys: z.ZodType<P>,
  read: (page: PageRequest<NoInfer<P>>) => Promise<T[]>,
  positionOf: (row: T) => P,
): Promise<Page<T> | null> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  const after = query.cursor === undefined ? null : readCursor(name, query.cursor, keys);
  if (query.cursor !== undefined && after === null) return null;
  const found = await read({ limit: limit + 1, after });
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  const more = found.length > limit && last !== undefined;
  return { data: rows, next_cursor: more ? writeCursor(name, positionOf(last)) : null };
}
