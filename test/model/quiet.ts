import { current } from "./invocations.ts";
import type { World } from "./world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Longer than any retry of ours or of a delivery that meets only working parts. */
const QUIET_FOR_MS = 48 * HOUR;
/** More rounds than a run of this size can need. */
const ROUNDS = 2_000;

/** All faults end, every message is delivered, every alarm rings, time passes: until nothing is left to do. */
export async function comeToRest(world: World): Promise<void> {
  world.faults.heal();
  world.receiver = "well";
  world.note("-- quiet");
  await world.scheduler.finish();
  const until = world.now + QUIET_FOR_MS;
  for (let round = 0; ; round += 1) {
    if (round === ROUNDS) {
      world.break("the intake comes to rest");
      return;
    }
    await deliverAll(world);
    if (await ringDue(world)) continue;
    if (world.messages.length > 0) continue;
    await world.scheduled(null, "finish");
    if (world.messages.length > 0) continue;
    const next = await nextInstant(world);
    if (next === null || next > until) break;
    await world.pass(Math.max(1, next - world.now));
  }
  // What nobody names any more is found within three hours, and deleted 20 minutes later.
  for (let hour = 0; hour < 4; hour += 1) {
    await world.pass(HOUR);
    await world.scheduled(null, "finish");
  }
}

async function deliverAll(world: World): Promise<void> {
  const messages = world.messages.splice(0);
  for (const message of messages) await world.hand(message.queue, [message], null, "finish");
}

async function ringDue(world: World): Promise<boolean> {
  let rang = false;
  for (const { name } of world.collectors()) {
    const at = await world.platform.alarmAt(name);
    if (at === null || at > world.now) continue;
    await world.alarm(name, null, "finish");
    rang = true;
  }
  return rang;
}

/** When something is due next: an alarm, a delivery, another sweep of an erasure. */
async function nextInstant(world: World): Promise<number | null> {
  const times: number[] = [];
  for (const { name } of world.collectors()) {
    const at = await world.platform.alarmAt(name);
    if (at !== null) times.push(at);
  }
  const due = await current.exit(() =>
    world.platform.env.DB.prepare(
      `SELECT min(at) at FROM (
         SELECT min(max(next_attempt_at, coalesce(claimed_until, 0))) + 6000 at FROM deliveries WHERE partner_id = ?1
         UNION ALL SELECT min(next_sweep_at) FROM erased WHERE partner_id = ?1)`,
    )
      .bind(world.partner.partner_id)
      .first<{ at: number | null }>(),
  );
  if (due?.at != null) times.push(due.at);
  return times.length === 0 ? null : Math.min(...times);
}
