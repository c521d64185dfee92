import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { readLedger, type Platform } from "./platform.ts";

/** Real bindings and objects of workerd. Invocations run freely; objects are evicted between them. */
export function realPlatform(): Platform {
  // Not by `getByName`, which a world instruments: a read by the test is no call of the service.
  const stubOf = (name: string) => env.COLLECTOR.get(env.COLLECTOR.idFromName(name));
  return {
    env,
    interleaving: false,
    setNow: (ms) => {
      vi.setSystemTime(ms);
    },
    alarm: (name) => runDurableObjectAlarm(stubOf(name)),
    alarmAt: (name) => runInDurableObject(stubOf(name), (_instance, state) => state.storage.getAlarm()),
    evict: async (name) => {
      // Only a running object can be evicted.
      await runInDurableObject(stubOf(name), () => undefined);
      await evictDurableObject(stubOf(name));
    },
    look: (name) => runInDurableObject(stubOf(name), (_instance, state) => readLedger(state.storage.sql)),
  };
}
