import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Fault } from "../contract/fault.ts";
import { PAGE_ROWS } from "../contract/limits.ts";
import type { Page } from "../database/walk.ts";
import type { AppEnv, RequestContext } from "./context.ts";
import { validationFailed } from "./problem.ts";
import { integer } from "./query.ts";
import { chargeRows } from "./rateLimit.ts";

/** Query parameters of every list. */
export const pageQuery = {
  limit: integer(1, PAGE_ROWS.max).optional().openapi({ example: PAGE_ROWS.default }),
  cursor: z.string().min(1).max(2_048).optional(),
};

export function pageOf<T extends z.ZodType>(name: string, item: T) {
  return z.strictObject({ data: z.array(item), next_cursor: z.string().nullable() }).openapi(name);
}

/** The end of a page: a position in the total order of its list. */
type Position = readonly (string | number | null)[];

/** A list with the filters that its cursors are bound to. Absent filters are undefined. */
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

/** Encodes the end of a page, with a hash of the list, the partner and the filters that the cursor is bound to. */
function writeCursor(name: ListName, position: Position): string {
  return Buffer.from(JSON.stringify([bindingOf(name), ...position])).toString("base64url");
}

/** Returns the position of a cursor. Null if the cursor is malformed or bound to another list or other filters. */
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
  detail:
    "The cursor is malformed, or it belongs to another list or other filters. Send `next_cursor` with the same filters.",
};

interface PageRequest<P extends Position> {
  limit: number;
  /** Position before the first row of the page. Null for the first page. */
  after: P | null;
}

type Filters = Record<string, string | number | boolean | undefined>;
type PageParameters = { limit?: number | undefined; cursor?: string | undefined };

/** A list that is read page by page. `P` is the type of a position in its order. */
interface List<F, Row, P extends Position> {
  name: string;
  /** Validates the position of a cursor. */
  position: z.ZodType<P>;
  read(filters: F, page: PageRequest<NoInfer<P>>): Promise<Page<Row, NoInfer<P>>>;
}

/** Returns one page of a list, or a 400 if the cursor is not bound to this list with these filters. */
export async function pageResponse<Q extends Filters & PageParameters, Row, P extends Position>(
  c: RequestContext & Pick<Context<AppEnv>, "req">,
  { limit = PAGE_ROWS.default, cursor, ...filters }: Q,
  list: List<Omit<Q, keyof PageParameters>, Row, P>,
) {
  const name = { list: list.name, partnerId: c.var.partner.partner_id, filters };
  const after = cursor === undefined ? null : readCursor(name, cursor, list.position);
  if (cursor !== undefined && after === null) return validationFailed(c, [INVALID_CURSOR]);
  const { rows, next, rowsRead } = await list.read(filters, { limit, after });
  chargeRows(c, rowsRead);
  return c.json({ data: rows, next_cursor: next === null ? null : writeCursor(name, next) }, 200);
}
