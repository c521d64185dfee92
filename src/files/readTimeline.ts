import { collectorOfId } from "../collector/client.ts";
import type { Env } from "../env.ts";
import { isId } from "../identifiers.ts";
import type { Timeline } from "./timeline.ts";

/** Returns a file's timeline from its collector, or null for an unknown file. Throws when the collector cannot be reached. */
export async function readTimeline(env: Env, partnerId: string, fileId: string): Promise<Timeline | null> {
  if (!isId(fileId)) return null;
  const data: Timeline["data"] = await collectorOfId(env, partnerId, fileId).timeline(fileId);
  return data.length === 0 ? null : { data };
}
