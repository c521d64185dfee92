import type { Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { withOriginal } from "../files/original.ts";
import { decodeStreams } from "../fit/index.ts";
import type { Streams } from "../fit/types.ts";
import type { IntakeHold } from "../memory/budget.ts";
import { decodeStored } from "./decodeStored.ts";
import { parseActivityId, readStoredActivity } from "./read.ts";

/** `hold` is the memory reserved for the columns and their JSON. The caller releases it. */
export type StreamsAnswer =
  | ({ ok: true; hold: IntakeHold } & Streams)
  | { ok: false; code: "no_activity" | "original_missing" | "memory_short" };

/** Decodes an activity's columns from the stored bytes. Calls `count` as `decodeStored` does. */
export async function readStreams(
  env: Env,
  owner: Owner,
  id: string,
  wanted: { keys: readonly string[] | null; resolution: number | null },
  count: (bytes: number) => void,
): Promise<StreamsAnswer> {
  const parts = parseActivityId(id);
  if (parts === null) return { ok: false, code: "no_activity" };
  const original = await withOriginal(env, owner, parts.fileId, (_original, key) => env.FILES.get(key));
  if (!original.ok) {
    // Bytes are missing only if the partner can read the activity.
    const lost = original.code === "missing" && (await readStoredActivity(env, owner, id)) !== null;
    return { ok: false, code: lost ? "original_missing" : "no_activity" };
  }
  const { sessionIndex } = parts;
  const decoded = await decodeStored(owner.partner_id, original.found, count, (fit, reserve) =>
    decodeStreams(
      fit,
      { ...wanted, sessionIndex, fallbackStartInSeconds: original.startTimeInSeconds },
      reserve,
    ),
  );
  if (!decoded.ok) return decoded;
  const { hold, value } = decoded;
  if (value !== null) return { ok: true, hold, ...value };
  hold.release();
  return { ok: false, code: "no_activity" };
}
