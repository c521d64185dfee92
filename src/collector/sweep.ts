import { z } from "zod";
import { settleAll } from "../concurrency/settleAll.ts";
import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { collectorFor } from "./client.ts";

/** Collectors that one run of the clock looks at, in each database, and how many at a time. */
export const COLLECTORS_PER_RUN = 200;
const AT_ONCE = 10;

const placeSchema = z.object({ partner_id: z.string(), user_id: z.string(), source: z.string() });
type Place = z.infer<typeof placeSchema>;

/**
 * Wakes the next collectors of the round over all: the platform gives up an alarm that it could not deliver several
 * times, and a collector without an alarm tells nobody. Returns how many had lost theirs; one that cannot be reached is
 * left to the next round.
 */
export async function sweepCollectors(env: Env): Promise<number> {
  let found = 0;
  for (const database of allDatabases(env)) {
    const places = await nextPlaces(database);
    const woken = await settleAll(places, AT_ONCE, async (names) => collectorFor(env, names).wake());
    found += woken.filter((result) => result.status === "fulfilled" && result.value).length;
    await savePlace(database, places.length < COLLECTORS_PER_RUN ? null : (places.at(-1) ?? null));
  }
  return found;
}

async function nextPlaces(db: D1Database): Promise<Place[]> {
  const { results } = await db
    .prepare(
      `SELECT s.partner_id, s.user_id, s.source FROM user_sources s
       WHERE (s.partner_id, s.user_id, s.source) > (
         coalesce((SELECT after_partner FROM collector_rounds), ''),
         coalesce((SELECT after_user FROM collector_rounds), ''),
         coalesce((SELECT after_source FROM collector_rounds), ''))
       ORDER BY s.partner_id, s.user_id, s.source LIMIT ?`,
    )
    .bind(COLLECTORS_PER_RUN)
    .all();
  return z.array(placeSchema).parse(results);
}

/** Where the round continues; null: it begins again. */
async function savePlace(db: D1Database, place: Place | null): Promise<void> {
  if (place === null) {
    await db.prepare("DELETE FROM collector_rounds").run();
    return;
  }
  await db
    .prepare(
      `INSERT INTO collector_rounds (only, after_partner, after_user, after_source) VALUES (1, ?, ?, ?)
       ON CONFLICT (only) DO UPDATE SET after_partner = excluded.after_partner, after_user = excluded.after_user,
         after_source = excluded.after_source`,
    )
    .bind(place.partner_id, place.user_id, place.source)
    .run();
}
