import type { Env } from "../env.ts";
import { withOriginal } from "../files/original.ts";
import { unwrap } from "../files/unwrap.ts";
import { decodeStreams } from "../fit/index.ts";
import type { Streams } from "../fit/types.ts";
import { freeBytes, MemoryShortage, requestMemory, type IntakeHold } from "../memory/budget.ts";
import { parseActivityId, readActivity } from "./read.ts";

/** `hold` is the memory reserved for the columns and their JSON. The caller releases it. */
export type StreamsAnswer =
  | ({ ok: true; hold: IntakeHold } & Streams)
  | { ok: false; code: "no_activity" | "original_missing" | "memory_short" };

/**
 * Decodes an activity's columns from the stored bytes. Memory is reserved for the bytes, for the unpacked bytes and for
 * the columns, each before it is allocated. Throws when imported bytes do not decode.
 */
export async function readStreams(
  env: Env,
  partnerId: string,
  id: string,
  wanted: { keys: readonly string[] | null; resolution: number | null },
): Promise<StreamsAnswer> {
  const parts = parseActivityId(id);
  if (parts === null) return { ok: false, code: "no_activity" };
  const original = await withOriginal(env, partnerId, parts.fileId, (_original, key) => env.FILES.get(key));
  if (!original.ok) {
    // Bytes are missing only if the partner can read the activity.
    const lost = original.code === "missing" && (await readActivity(env, partnerId, id)) !== null;
    return { ok: false, code: lost ? "original_missing" : "no_activity" };
  }
  const object = original.found;
  const hold = requestMemory(partnerId);
  if (!hold.tryGrowTo(object.size)) {
    void object.body.cancel().catch(() => undefined);
    return { ok: false, code: "memory_short" };
  }
  let streams: Streams | null = null;
  try {
    const bytes = new Uint8Array(await object.arrayBuffer());
    const unwrapped = unwrap(bytes, hold.add);
    if (unwrapped.ok) {
      const { fit } = unwrapped;
      if (fit.buffer !== bytes.buffer) freeBytes(bytes);
      streams = decodeStreams(
        fit,
        {
          ...wanted,
          sessionIndex: parts.sessionIndex,
          fallbackStartInSeconds: original.startTimeInSeconds,
        },
        hold.add,
      );
      freeBytes(fit);
    }
    return streams === null ? { ok: false, code: "no_activity" } : { ok: true, hold, ...streams };
  } catch (fault) {
    if (fault instanceof MemoryShortage) return { ok: false, code: "memory_short" };
    throw fault;
  } finally {
    if (streams === null) hold.release();
  }
}
