import { DurableObject } from "cloudflare:workers";
import { z } from "zod";
import { clockFor } from "../../../src/collector/clock.pure.ts";

interface BareEnv {
  PARTNERS: KVNamespace;
  DB: D1Database;
  PRIORITY: Queue;
  COLLECTOR: DurableObjectNamespace<BareCollector>;
  ENVIRONMENT: string;
}

/** The fields that the bare Worker reads. It validates nothing. */
const bodySchema = z.object({
  activity_files: z.array(
    z.custom<{ user_id: string; source: string; summary_id: string; priority: number }>(),
  ),
});

/** Writes a JSON array of pings to D1 in one statement. */
async function project(database: D1Database, pings: string): Promise<void> {
  await database
    .prepare(
      `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, activity_name, priority, overwrite_mode,
         start_time_in_seconds, status, version, revision, received_at, updated_at)
       SELECT 'bench', (value->>'user_id') || (value->>'summary_id'), value->>'user_id', value->>'source',
         value->>'summary_id', value->>'activity_name', value->>'priority', value->>'overwrite_mode',
         value->>'start_time_in_seconds', 'held', 1, 1, ?2, ?2 FROM json_each(?1) WHERE true
       ON CONFLICT (partner_id, file_id) DO NOTHING`,
    )
    .bind(pings, Date.now())
    .run();
}

/** Stores pings with one statement per request. `storeAndProjectLater` also writes them to D1 from an alarm. */
export class BareCollector extends DurableObject<BareEnv> {
  readonly #sql: SqlStorage;
  #alarmIsSet = false;

  constructor(ctx: DurableObjectState, env: BareEnv) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS files (id TEXT PRIMARY KEY, ping TEXT) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, ids TEXT NOT NULL)`);
  }

  async store(pings: string): Promise<void> {
    this.#write(pings);
  }

  #write(pings: string): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO files SELECT value->>'summary_id', value FROM json_each(?)",
      pings,
    );
  }

  /**
   * Stores the pings, an outbox row that names them, and the alarm in one commit. The alarm has the service's delay.
   */
  async storeAndProjectLater(pings: string, ids: string[]): Promise<void> {
    this.#write(pings);
    this.#sql.exec("INSERT INTO outbox (ids) VALUES (?)", JSON.stringify(ids));
    if (this.#alarmIsSet) return;
    this.#alarmIsSet = true;
    void this.ctx.storage.setAlarm(Date.now() + clockFor(this.env.ENVIRONMENT).projectionDelayMs);
  }

  override async alarm(): Promise<void> {
    this.#alarmIsSet = false;
    const { pings, through } = this.#sql
      .exec<{ pings: string; through: number }>(
        `SELECT json_group_array(json(f.ping)) pings, max(o.seq) through
         FROM outbox o, json_each(o.ids) j CROSS JOIN files f ON f.id = j.value`,
      )
      .one();
    await project(this.env.DB, pings);
    this.#sql.exec("DELETE FROM outbox WHERE seq <= ?", through);
  }
}

/**
 * Makes only the platform calls that a durable ping needs: with D1 in the request (`/`), with D1 in an alarm
 * (`/projecting/`), or none of them (`/parsing/`).
 */
export default {
  async fetch(request, env) {
    const body = await request.json();
    const { activity_files: items } = bodySchema.parse(body);
    const first = items[0];
    const { pathname } = new URL(request.url);
    if (pathname !== "/parsing/" && first !== undefined) {
      await env.PARTNERS.get("partner:bench", { type: "json", cacheTtl: 30 });
      const pings = JSON.stringify(items);
      const collector = env.COLLECTOR.getByName(`${first.user_id}/${first.source}`);
      if (pathname === "/projecting/") {
        await collector.storeAndProjectLater(
          pings,
          items.map((item) => item.summary_id),
        );
      } else {
        await collector.store(pings);
        await project(env.DB, pings);
      }
      if (first.priority === 1)
        await env.PRIORITY.send({ collector: first.user_id, dispatch_id: first.summary_id });
    }
    const files = items.map(({ user_id, source, summary_id }) => ({
      file_id: summary_id,
      user_id,
      source,
      summary_id,
      status: "held",
    }));
    return Response.json({ accepted: files.length, files }, { status: 202 });
  },
} satisfies ExportedHandler<BareEnv>;
