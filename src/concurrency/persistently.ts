import { wait } from "./wait.ts";

/** An object is unreachable for moments while it is replaced: calls are repeated after these pauses. */
const PAUSES_MS = [250, 500, 1_000, 2_000];

/** Repeats a call that throws, with pauses, as often as allowed. Throws the last fault. */
export async function persistently<T>(
  call: () => Promise<T>,
  mayRepeat: () => boolean = () => true,
): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await call();
    } catch (fault) {
      if (!mayRepeat()) throw fault;
      await wait(pauseMs);
    }
  }
  return call();
}
