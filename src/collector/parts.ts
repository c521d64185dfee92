import { CollectorAlarm } from "./alarm.ts";
import { DispatchSender } from "./dispatches/sender.ts";
import type { CollectorEnv } from "./env.ts";
import { CollectorEraser } from "./erase.ts";
import { Introduction } from "./introduction.ts";
import { UnprojectedDispatches } from "./outbox/unprojectedDispatches.ts";
import { CollectorTurns } from "./turns.ts";

/** Parts of one collector, which keep state in memory. Each collector has one of each. */
export interface CollectorParts {
  turns: CollectorTurns;
  sender: DispatchSender;
  eraser: CollectorEraser;
  unprojected: UnprojectedDispatches;
  introduction: Introduction;
  alarm: CollectorAlarm;
}

export function collectorParts(ctx: DurableObjectState, env: CollectorEnv): CollectorParts {
  const turns = new CollectorTurns(ctx, env.ENVIRONMENT);
  const sender = new DispatchSender(env);
  const eraser = new CollectorEraser(env, turns);
  const unprojected = new UnprojectedDispatches(turns.storage);
  const introduction = new Introduction(env, turns, eraser);
  const alarm = new CollectorAlarm({ env, turns, sender, eraser, unprojected });
  return { turns, sender, eraser, unprojected, introduction, alarm };
}
