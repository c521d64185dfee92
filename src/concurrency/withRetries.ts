import { wait } from "./wait.ts";

/** Pauses between calls. A Durable Object is briefly unreachable while it is replaced. */
const PAUSES_MS = [250, 500, 1_000, 2_000];

/** Repeats a call that throws, after growing pauses, while `mayRepeat` returns true. Throws the last fault. */
export async function withRetries<T>(
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
