import { sharedMemory } from "../memory/budget.ts";

/** Maximum wait for memory: longer than requests and imports hold it. */
const MEMORY_WAIT_MS = 60_000;

/**
 * Calls `use` with the bytes of a stored object, while memory for them is reserved from the share of the partner's imports.
 * Returns its result in `value`. Returns null when no memory became free.
 */
export async function withStoredBytes<T>(
  partnerId: string,
  object: R2ObjectBody,
  use: (bytes: Uint8Array) => Promise<T> | T,
): Promise<{ value: T } | null> {
  const untilMs = Date.now() + MEMORY_WAIT_MS;
  const hold = await sharedMemory(partnerId).reserve(object.size, () => untilMs);
  if (hold === null) {
    void object.body.cancel().catch(() => undefined);
    return null;
  }
  try {
    return { value: await use(new Uint8Array(await object.arrayBuffer())) };
  } finally {
    hold.release();
  }
}
