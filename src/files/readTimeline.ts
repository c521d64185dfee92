import { collectorFor } from "../collector/client.ts";
import type { Env } from "../env.ts";
import { readFile } from "./read.ts";
import type { Timeline } from "./timeline.ts";

/** One file's life as its collector knows it; null when there is no such file. Throws when it cannot be asked. */
export async function readTimeline(env: Env, partnerId: string, fileId: string): Promise<Timeline | null> {
  const file = await readFile(env, partnerId, fileId);
  if (file === null) return null;
  const { user_id, source } = file;
  const collector = collectorFor(env, { partner_id: partnerId, user_id, source });
  return { data: await collector.timeline(fileId) };
}
