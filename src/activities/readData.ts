import type { Owner } from "../database/databases.ts";
import { MAX_RR_INTERVALS } from "../contract/limits.ts";
import type { Env } from "../env.ts";
import { withOriginal } from "../files/original.ts";
import { decodeRrIntervals, decodeStreams } from "../fit/index.ts";
import type { DecodeOptions, RrIntervals, Streams } from "../fit/types.ts";
import type { IntakeHold } from "../memory/budget.ts";
import { decodeStored } from "./decodeStored.ts";
import { parseActivityId, readStoredActivity } from "./read.ts";
import { damaged } from "./readDetails.ts";

/** `hold` is the memory reserved for the lists and their JSON. The caller releases it. */
export type DataAnswer<T> =
  | { ok: true; hold: IntakeHold; value: T }
  | { ok: false; code: "no_activity" | "original_missing" | "original_damaged" | "memory_short" };

interface DataRequest {
  env: Env;
  owner: Owner;
  activityId: string;
  /** As for `decodeStored`. */
  count: (bytes: number) => void;
}

/** Decodes an activity's columns from the stored bytes. */
export async function readStreams(
  request: DataRequest,
  wanted: { keys: readonly string[] | null; resolution: number | null },
): Promise<DataAnswer<Streams>> {
  return readData(request, (fit, session, reserve) => decodeStreams(fit, { ...wanted, ...session }, reserve));
}

/** Decodes an activity's beat-to-beat intervals from the stored bytes. */
export async function readRrIntervals(request: DataRequest): Promise<DataAnswer<RrIntervals>> {
  return readData(request, (fit, session, reserve) =>
    decodeRrIntervals(fit, { ...session, most: MAX_RR_INTERVALS }, reserve),
  );
}

async function readData<T>(
  { env, owner, activityId, count }: DataRequest,
  decode: (
    fit: Uint8Array,
    session: DecodeOptions & { sessionIndex: number },
    reserve: IntakeHold["add"],
  ) => T | null,
): Promise<DataAnswer<T>> {
  const parts = parseActivityId(activityId);
  if (parts === null) return { ok: false, code: "no_activity" };
  const original = await withOriginal(env, owner, parts.fileId, (_original, key) => env.FILES.get(key));
  if (!original.ok) {
    // Bytes are missing only if the partner can read the activity.
    const lost = original.code === "missing" && (await readStoredActivity(env, owner, activityId)) !== null;
    return { ok: false, code: lost ? "original_missing" : "no_activity" };
  }
  const { sessionIndex } = parts;
  const fallbackStartInSeconds = original.startTimeInSeconds;
  const decoded = await decodeStored(owner.partner_id, original.found, count, (fit, reserve) =>
    decode(fit, { sessionIndex, fallbackStartInSeconds }, reserve),
  );
  if (decoded.ok && decoded.value !== null) return { ok: true, hold: decoded.hold, value: decoded.value };
  if (decoded.ok) decoded.hold.release();
  else if (decoded.code !== "original_damaged") return decoded;
  const stored = await readStoredActivity(env, owner, activityId);
  return stored?.isCurrent === true ? damaged(owner, parts.fileId) : { ok: false, code: "no_activity" };
}
