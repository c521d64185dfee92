import { DurableObject } from "cloudflare:workers";
import { z } from "zod";

interface BareEnv {
  PARTNERS: KVNamespace;
  DB: D1Database;
  PRIORITY: Queue;
  LEDGER: DurableObjectNamespace<BareLedger>;
}

/** Only what the bare edge reads; nothing is checked for anybody's sake. */
const bodySchema = z.object({
  activity_files: z.array(
    z.custom<{ user_id: string; source: string; summary_id: string; priority: number }>(),
  ),
});

/** Stores rows in one statement, and that is all. */
export class BareLedger extends DurableObject<BareEnv> {
  constructor(ctx: DurableObjectState, env: BareEnv) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS files (id TEXT PRIMARY KEY, ping TEXT) WITHOUT ROWID");
  }

  async store(rows: string): Promise<void> {
    this.ctx.storage.sql.exec(
      "INSERT OR REPLACE INTO files SELECT value->>'summary_id', value FROM json_each(?)",
      rows,
    );
  }
}

/** Just the platform calls that the promise of a ping needs (`/`), or not even these (`/parse/`). */
export default {
  async fetch(request, env) {
    const body = await request.json();
    const { activity_files: items } = bodySchema.parse(body);
    const first = items[0];
    if (new URL(request.url).pathname !== "/parse/" && first !== undefined) {
      await env.PARTNERS.get("partner:bench", { type: "json", cacheTtl: 30 });
      const rows = JSON.stringify(items);
      await env.LEDGER.getByName(`${first.user_id}/${first.source}`).store(rows);
      await env.DB.prepare(
        `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, activity_name, priority, overwrite_mode,
           start_time_in_seconds, status, version, revision, received_at, updated_at)
         SELECT 'bench', (value->>'user_id') || (value->>'summary_id'), value->>'user_id', value->>'source',
           value->>'summary_id', value->>'activity_name', value->>'priority', value->>'overwrite_mode',
           value->>'start_time_in_seconds', 'held', 1, 1, ?2, ?2 FROM json_each(?1) WHERE true
         ON CONFLICT (partner_id, file_id) DO NOTHING`,
      )
        .bind(rows, Date.now())
        .run();
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
