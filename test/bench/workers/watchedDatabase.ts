import type { Env } from "../../../src/env.ts";
import service, { PingCollector as Collector } from "../../../src/index.ts";

export { PartnerWindows } from "../../../src/index.ts";

type Caller = "request" | "collector";

/** Calls of D1 since the Worker started. Returned by `GET /watched-database/`. */
const calls: Record<Caller, number> = { request: 0, collector: 0 };
/** Set by `POST /watched-database/?slower_by_ms=50`. */
let slowerByMs = 0;

const CALLING_METHODS = new Set<unknown>(["first", "run", "all", "raw"]);
const originals = new WeakMap<D1PreparedStatement, D1PreparedStatement>();

async function beforeCall(caller: Caller): Promise<void> {
  calls[caller] += 1;
  if (slowerByMs > 0) await scheduler.wait(slowerByMs);
}

/** Wraps a database: counts every call, and delays it while a delay is set. */
function watchedDatabase(database: D1Database, caller: Caller): D1Database {
  return new Proxy(database, {
    get(target, property) {
      if (property === "prepare") return (query: string) => watchedStatement(target.prepare(query), caller);
      if (property === "batch") {
        return async (statements: D1PreparedStatement[]) => {
          await beforeCall(caller);
          return target.batch(statements.map((statement) => originals.get(statement) ?? statement));
        };
      }
      // An unknown call would not be counted.
      throw new Error(`D1Database.${String(property)} is not watched`);
    },
  });
}

function watchedStatement(statement: D1PreparedStatement, caller: Caller): D1PreparedStatement {
  const watched = new Proxy(statement, {
    get(target, property) {
      if (property === "bind") {
        return (...values: unknown[]) => watchedStatement(target.bind(...values), caller);
      }
      const method: unknown = Reflect.get(target, property);
      if (typeof method !== "function" || !CALLING_METHODS.has(property)) return method;
      return async (...args: unknown[]): Promise<unknown> => {
        await beforeCall(caller);
        return Reflect.apply(method, target, args);
      };
    },
  });
  originals.set(watched, statement);
  return watched;
}

const watched = (env: Env, caller: Caller): Env => ({ ...env, DB: watchedDatabase(env.DB, caller) });

export class PingCollector extends Collector {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, watched(env, "collector"));
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/watched-database/") return service.fetch(request, watched(env, "request"), ctx);
    if (request.method === "POST") slowerByMs = Number(searchParams.get("slower_by_ms"));
    return Response.json(calls);
  },
} satisfies ExportedHandler<Env>;
