import type { Env } from "../env.ts";
import { withOriginal } from "../files/original.ts";
import { decodeStreams } from "../fit/index.ts";
import type { Streams } from "../fit/types.ts";
import { unwrap } from "../importer/unwrap.ts";
import { INTAKE_BYTES, tryReserve } from "../memoryBudget.ts";
import { parseActivityId, readActivity } from "./read.ts";

/** Smaller files are not worth counting. */
const COUNTED_FILE_BYTES = 1024 * 1024;
/** The bytes, what they unwrap to and the columns made of them stand in memory together. */
const COPIES = 3;

export type StreamsAnswer =
  ({ ok: true } & Streams) | { ok: false; code: "no_activity" | "original_missing" | "memory_short" };

/** Decodes an activity's columns from the stored bytes. Throws when stored bytes that were imported do not decode. */
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
    // Only an activity that the partner can read has lost its bytes.
    const lost = original.code === "missing" && (await readActivity(env, partnerId, id)) !== null;
    return { ok: false, code: lost ? "original_missing" : "no_activity" };
  }
  const object = original.found;
  const release =
    object.size > COUNTED_FILE_BYTES
      ? tryReserve(Math.min(COPIES * object.size, INTAKE_BYTES))
      : () => undefined;
  if (release === null) return { ok: false, code: "memory_short" };
  try {
    const unwrapped = unwrap(new Uint8Array(await object.arrayBuffer()));
    const streams = unwrapped.ok
      ? decodeStreams(unwrapped.fit, {
          ...wanted,
          sessionIndex: parts.sessionIndex,
          fallbackStartInSeconds: original.startTimeInSeconds,
        })
      : null;
    return streams === null ? { ok: false, code: "no_activity" } : { ok: true, ...streams };
  } finally {
    release();
  }
}
