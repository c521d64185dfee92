import type { Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { decodeParts } from "../fit/index.ts";
import { logLine } from "../log.ts";
import type { IntakeHold } from "../memory/budget.ts";
import { NO_DETAILS, type ActivityWithParts } from "./activity.ts";
import { decodeStored } from "./decodeStored.ts";
import { withDuplicate, type Reader } from "./duplicates/read.ts";
import { parseActivityId, readStoredActivity } from "./read.ts";

/** `hold` is the memory reserved for the activity and its JSON, which can have megabytes. The caller releases it. */
export type ActivityAnswer =
  | { ok: true; hold: IntakeHold; activity: ActivityWithParts }
  | { ok: false; code: "no_activity" | "original_missing" | "original_damaged" | "memory_short" };

/**
 * Reads an activity, and decodes its details from the stored bytes. Tries twice: an import may replace
 * the object between the read of the read model and the read of R2. Calls `count` as `decodeStored` does.
 */
export async function readActivityWithDetails(
  env: Env,
  owner: Reader,
  id: string,
  count: (bytes: number) => void,
): Promise<ActivityAnswer> {
  const parts = parseActivityId(id);
  if (parts === null) return { ok: false, code: "no_activity" };
  const { fileId, sessionIndex } = parts;
  for (let tries = 0; tries < 2; tries += 1) {
    const stored = await readStoredActivity(env, owner, id);
    if (stored === null) return { ok: false, code: "no_activity" };
    const [object, activity] = await Promise.all([
      stored.objectKey === null ? null : env.FILES.get(stored.objectKey),
      withDuplicate(env, owner, stored.activity),
    ]);
    if (object === null) continue;
    const decoded = await decodeStored(owner.partner_id, object, count, (fit) =>
      decodeParts(fit, { sessionIndex, fallbackStartInSeconds: stored.startTimeInSeconds }),
    );
    if (!decoded.ok) return decoded.code === "original_damaged" ? damaged(owner, fileId) : decoded;
    const { hold, value } = decoded;
    const details = value ?? (stored.isCurrent ? null : NO_DETAILS);
    if (details !== null) return { ok: true, hold, activity: { ...activity, ...details } };
    hold.release();
    return damaged(owner, fileId);
  }
  logLine({ unit: "setback", outcome: "original_missing", partner_id: owner.partner_id, file_id: fileId });
  return { ok: false, code: "original_missing" };
}

/** Logs that the stored bytes do not contain an activity that the read model has, and returns the refusal. */
export function damaged(owner: Owner, fileId: string): { ok: false; code: "original_damaged" } {
  logLine({ unit: "setback", outcome: "original_damaged", partner_id: owner.partner_id, file_id: fileId });
  return { ok: false, code: "original_damaged" };
}
