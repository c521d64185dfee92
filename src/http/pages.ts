import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import type { Fault } from "../contract/fault.ts";
import type { Page } from "../database/walk.ts";
import type { RequestContext } from "./context.ts";
import { refusal } from "./problem.ts";
import { integer } from "./query.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

/** Parameters of every list. */
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

export function pageOf<T extends z.ZodType>(name: string, item: T) {
  return z.strictObject({ data: z.array(item), next_cursor: z.string().nullable() }).openapi(name);
}

/** Where a page ends in its list's total order. */
type Position = readonly (string | number | null)[];

/** A list with its filters, which a cursor is bound to. Absent filters are undefined. */
interface ListName {
  list: string;
  partnerId: string;
  filters: Filters;
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

/** Encodes the end of a page, with a hash of the list, partner and filters that the cursor belongs to. */
function writeCursor(name: ListName, position: Position): string {
  return Buffer.from(JSON.stringify([bindingOf(name), ...position])).toString("base64url");
}

/** Decodes a cursor's position; null when it is malformed or belongs to another list. */
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

const INVALID_CURSOR: Fault = {
  pointer: "/cursor",
  code: "invalid_cursor",
  detail: "This is no cursor of this list with these filters.",
};

interface PageRequest<P extends Position> {
  limit: number;
  /** Rows come after this position; null: from the beginning. */
  after: P | null;
}

type Filters = Record<string, string | number | undefined>;
type PageParameters = { limit?: number | undefined; cursor?: string | undefined };

/** How a list reads its pages; `P` is a position in the list's order. */
interface List<F, Row, P extends Position> {
  name: string;
  /** The schema of a position, to read cursors with. */
  position: z.ZodType<P>;
  read(filters: F, page: PageRequest<NoInfer<P>>): Promise<Page<Row, NoInfer<P>>>;
}

/** Answers one page of a list, or 400 when the cursor does not belong to this list with these filters. */
export async function answerPage<Q extends Filters & PageParameters, Row, P extends Position>(
  c: RequestContext,
  { limit = DEFAULT_LIMIT, cursor, ...filters }: Q,
  list: List<Omit<Q, keyof PageParameters>, Row, P>,
) {
  const name = { list: list.name, partnerId: c.var.partner.partner_id, filters };
  const after = cursor === undefined ? null : readCursor(name, cursor, list.position);
  if (cursor !== undefined && after === null) return refusal(c, [INVALID_CURSOR]);
  const { rows, next } = await list.read(filters, { limit, after });
  return c.json({ data: rows, next_cursor: next === null ? null : writeCursor(name, next) }, 200);
}
