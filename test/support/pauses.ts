import { vi } from "vitest";

/** How long the service waits before it repeats a call to a collector, and for a file to be alone in memory. */
const PAUSES_MS = new Set([250, 500, 1_000, 2_000, 15_000]);

/** Lets these pauses pass at once, and returns those that were taken. Call `vi.restoreAllMocks()` after the test. */
export function skipPauses(): number[] {
  const taken: number[] = [];
  const start = globalThis.setTimeout;
  vi.spyOn(globalThis, "setTimeout").mockImplementation((callback, milliseconds, ...rest) => {
    const isPause = PAUSES_MS.has(milliseconds ?? 0);
    if (isPause) taken.push(milliseconds ?? 0);
    return start(callback, isPause ? 0 : milliseconds, ...rest);
  });
  return taken;
}
