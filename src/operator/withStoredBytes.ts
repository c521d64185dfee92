import { sharedMemory } from "../memory/budget.ts";

/** Maximum wait for memory: longer than requests and imports hold it. */
const MEMORY_WAIT_MS = 60_000;

/**
 * Returns the result of `use` for the bytes of a stored object, while memory for them is reserved from the share of the
 * partner's imports. Throws when no memory became free.
 */
export async function withStoredBytes<T>(
  partnerId: string,
  object: R2ObjectBody,
  use: (bytes: Uint8Array) => Promise<T> | T,
): Promise<T> {
  const untilMs = Date.now() + MEMORY_WAIT_MS;
  const hold = await sharedMemory(partnerId).reserve(object.size, () => untilMs);
  if (hold === null) {
    void object.body.cancel().catch(() => undefined);
    throw new MemoryTaken("No memory became free for a stored file.");
  }
  try {
    return await use(new Uint8Array(await object.arrayBuffer()));
  } finally {
    hold.release();
  }
}

/** Memory is used by requests and imports. A job counts it like a fault of a store. */
class MemoryTaken extends Error {
  override readonly name = "MemoryTaken";
}
