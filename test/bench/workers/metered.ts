// oxlint-disable typescript/no-unsafe-type-assertion -- it wraps methods without knowing their types
import type { Env } from "../../../src/env.ts";
import service, { PartnerWindows as Windows, PingCollector as Collector } from "../../../src/index.ts";

/** Billable operations since the Worker started. Returned by `GET /metered/`. */
const counts = new Map<string, number>();

function count(what: string, times: number): void {
  counts.set(what, (counts.get(what) ?? 0) + times);
}

/** Cursors report rows written and read once they are exhausted, which is so in the next turn. */
let cursors: { table: string; cursor: SqlStorageCursor<Record<string, SqlStorageValue>> }[] = [];

function tableOf(sql: string): string {
  return /(?:INSERT (?:OR REPLACE )?INTO|DELETE FROM|UPDATE)\s+(\w+)/i.exec(sql)?.[1] ?? "other";
}

type Method = (this: unknown, ...args: never[]) => unknown;

/** Replaces a method of a prototype with `around`, which gets the call to the original. */
function wrap(
  object: object,
  method: string,
  around: (call: () => unknown, self: object, args: unknown[]) => unknown,
) {
  const prototype: Record<string, unknown> = Object.getPrototypeOf(object);
  const original = prototype[method] as Method;
  Object.defineProperty(prototype, method, {
    configurable: true,
    writable: true,
    value(this: object, ...args: never[]) {
      return around(() => original.apply(this, args), this, args);
    },
  });
}

function counted(
  object: object,
  method: string,
  what: string,
  timesOf: (args: unknown[]) => number = () => 1,
) {
  wrap(object, method, (call, _self, args) => {
    count(what, timesOf(args));
    return call();
  });
}

let metered = false;

function meter(env: Env): void {
  if (metered) return;
  metered = true;
  counted(env.PARTNERS, "get", "kv_reads", ([keys]) => (Array.isArray(keys) ? keys.length : 1));
  counted(env.FILES, "put", "r2_class_a");
  counted(env.FILES, "list", "r2_class_a");
  counted(env.FILES, "get", "r2_class_b");
  counted(env.FILES, "head", "r2_class_b");
  counted(env.PRIORITY, "send", "queue_writes");
  counted(
    env.PRIORITY,
    "sendBatch",
    "queue_writes",
    ([messages]) => [...(messages as Iterable<unknown>)].length,
  );
  const rows = (sql: string, { meta }: D1Result) => {
    count(`d1_rows_written/${tableOf(sql)}`, meta.rows_written);
    count("d1_rows_read", meta.rows_read);
  };
  const statement = env.DB.prepare("SELECT 1");
  const sqlOf = (self: object) => ("statement" in self ? String(self.statement) : "");
  for (const method of ["run", "all"]) {
    wrap(statement, method, async (call, self) => {
      const result = (await call()) as D1Result;
      rows(sqlOf(self), result);
      return result;
    });
  }
  // `first` reports no rows. `all` does, and is wrapped above.
  wrap(statement, "first", async (_call, self) => {
    const { results } = await (self as D1PreparedStatement).all();
    return results[0] ?? null;
  });
  wrap(env.DB, "batch", async (call, _self, [statements]) => {
    const results = (await call()) as D1Result[];
    for (const [index, result] of results.entries()) {
      rows(sqlOf((statements as object[])[index] ?? {}), result);
    }
    return results;
  });
}

let storageMetered = false;

function meterStorage({ storage }: DurableObjectState): void {
  if (storageMetered) return;
  storageMetered = true;
  wrap(storage.sql, "exec", (call, _self, [sql]) => {
    const cursor = call() as SqlStorageCursor<Record<string, SqlStorageValue>>;
    cursors.push({ table: tableOf(String(sql)), cursor });
    return cursor;
  });
  counted(storage, "setAlarm", "do_rows_written/alarm");
}

export class PingCollector extends Collector {
  constructor(ctx: DurableObjectState, env: Env) {
    meterStorage(ctx);
    meter(env);
    super(ctx, env);
  }
}

export class PartnerWindows extends Windows {}

for (const [metered, plain] of [
  [PingCollector.prototype, Collector.prototype],
  [PartnerWindows.prototype, Windows.prototype],
]) {
  for (const method of Object.getOwnPropertyNames(plain)) {
    if (method === "constructor") continue;
    const original = (plain as unknown as Record<string, Method>)[method];
    Object.defineProperty(metered, method, {
      value(this: unknown, ...args: never[]) {
        countCursors();
        count(`do_requests/${method}`, 1);
        return original?.apply(this, args);
      },
    });
  }
}

const log = console.log.bind(console);
console.log = (...args: unknown[]) => {
  count("log_lines", 1);
  count(
    "log_bytes",
    args.reduce<number>((sum, arg) => sum + String(arg).length, 0),
  );
  log(...args);
};

function countCursors(): void {
  for (const { table, cursor } of cursors) {
    count(`do_rows_written/${table}`, cursor.rowsWritten);
    count("do_rows_read", cursor.rowsRead);
  }
  cursors = [];
}

function asked(): Response {
  countCursors();
  return Response.json(Object.fromEntries(counts));
}

export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname === "/metered/") return asked();
    meter(env);
    count("worker_requests/fetch", 1);
    return service.fetch(request, env, ctx);
  },
  async queue(batch, env) {
    meter(env);
    count("worker_requests/queue", 1);
    // Each delivered message is read once and deleted once.
    count("queue_reads_and_deletes", 2 * batch.messages.length);
    await service.queue(batch, env);
  },
} satisfies ExportedHandler<Env>;
