import { unwrap } from "../files/unwrap.ts";
import { freeBytes, MemoryShortage, requestMemory, type IntakeHold } from "../memory/budget.ts";

/** `hold` is the memory reserved for the decoded value. The caller releases it. */
export type DecodedStored<T> =
  { ok: true; hold: IntakeHold; value: T | null } | { ok: false; code: "memory_short" | "original_damaged" };

/**
 * Reads a stored object and decodes its FIT file. Memory is reserved for the bytes and for the unpacked bytes, each
 * before it is allocated; `decode` reserves what it needs with `reserve`. The value is null when `decode`
 * returns null. An object that is no FIT file is damaged, because only decoded files have activities. Calls `count` with the size of the file before it is decoded: the request counts
 * by it, because the file's size decides the CPU time, whatever the size of the response.
 */
export async function decodeStored<T>(
  partnerId: string,
  object: R2ObjectBody,
  count: (bytes: number) => void,
  decode: (fit: Uint8Array, reserve: IntakeHold["add"]) => T | null,
): Promise<DecodedStored<T>> {
  const hold = requestMemory(partnerId);
  if (!hold.tryGrowTo(object.size)) {
    void object.body.cancel().catch(() => undefined);
    return { ok: false, code: "memory_short" };
  }
  let isDone = false;
  try {
    const bytes = new Uint8Array(await object.arrayBuffer());
    const unwrapped = unwrap(bytes, hold.add);
    if (!unwrapped.ok) return { ok: false, code: "original_damaged" };
    const { fit } = unwrapped;
    if (fit.buffer !== bytes.buffer) freeBytes(bytes);
    count(fit.byteLength);
    const value = decode(fit, hold.add);
    freeBytes(fit);
    isDone = true;
    return { ok: true, hold, value };
  } catch (fault) {
    if (fault instanceof MemoryShortage) return { ok: false, code: "memory_short" };
    throw fault;
  } finally {
    if (!isDone) hold.release();
  }
}
