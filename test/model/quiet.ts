import { databaseFor } from "../../src/database/databases.ts";
import { current } from "./invocations.ts";
import type { World } from "./world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Longer than any retry when everything works. */
const QUIET_FOR_MS = 48 * HOUR;
/** More rounds than a run of this size can need. */
const ROUNDS = 2_000;

/** Ends all faults, delivers every message, runs every alarm and lets time pass until no work is left. */
export async function settleAllWork(world: World): Promise<void> {
  world.faults.heal();
  world.receiver = "well";
  world.note("-- quiet");
  await world.scheduler.finish();
  const until = world.now + QUIET_FOR_MS;
  for (let round = 0; ; round += 1) {
    if (round === ROUNDS) {
      world.break("the intake becomes quiet");
      return;
    }
    await deliverAll(world);
    const alarms = await alarmsOf(world);
    const ringing = alarms.filter(({ at }) => at <= world.now);
    for (const { name } of ringing) await world.alarm(name, null, "finish");
    if (ringing.length > 0 || world.messages.length > 0) continue;
    const dueAt = await dueInReadModel(world);
    if (dueAt !== null && dueAt <= world.now) {
      await world.scheduled(null, "finish");
      continue;
    }
    const next = Math.min(...alarms.map(({ at }) => at), dueAt ?? Number.POSITIVE_INFINITY);
    if (next > until) break;
    await world.pass(next - world.now);
  }
  // Unreferenced objects are found within three hours, and deleted 20 minutes later.
  for (let hour = 0; hour < 4; hour += 1) {
    await world.pass(HOUR);
    await world.scheduled(null, "finish");
  }
}

async function deliverAll(world: World): Promise<void> {
  const messages = world.messages.splice(0);
  for (const message of messages) await world.hand(message, null, "finish");
}

async function alarmsOf(world: World): Promise<{ name: string; at: number }[]> {
  const alarms = [];
  for (const name of world.called) {
    const at = await world.platform.alarmAt(name);
    if (at !== null) alarms.push({ name, at });
  }
  return alarms;
}

/** Returns when the next delivery or erasure sweep is due that a scheduled run has to start. */
async function dueInReadModel(world: World): Promise<number | null> {
  const due = await current.exit(() =>
    databaseFor(world.platform.env, world.partner)
      .prepare(
        `SELECT min(at) at FROM (
         SELECT min(max(next_attempt_at, coalesce(claimed_until, 0))) + 6000 at FROM deliveries WHERE partner_id = ?1
         UNION ALL SELECT min(next_sweep_at) FROM erased WHERE partner_id = ?1)`,
      )
      .bind(world.partner.partner_id)
      .first<{ at: number | null }>(),
  );
  return due?.at ?? null;
}
