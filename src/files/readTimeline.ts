import type { Env } from "../env.ts";
import { collectorName } from "../identifiers.ts";
import { readFile } from "./read.ts";
import type { Timeline } from "./timeline.ts";

/** One file's life as its collector knows it; null when there is no such file. Throws when it cannot be asked. */
export async function readTimeline(env: Env, partnerId: string, fileId: string): Promise<Timeline | null> {
  const file = await readFile(env, partnerId, fileId);
  if (file === null) return null;
  const collector = env.COLLECTOR.getByName(collectorName(partnerId, file.user_id, file.source));
  return { data: await collector.timeline(fileId) };
}
