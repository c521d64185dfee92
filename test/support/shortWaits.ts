import { vi } from "vitest";
import { INTRODUCTION_DEADLINE_MS } from "../../src/collector/introduction.ts";

/** Longest wait between two attempts in the code. Longer timers are deadlines. */
const LONGEST_WAIT_MS = 5_000;

/** Ends the code's waits at once, until mocks are restored. Deadlines keep their time. Returns the waits. */
export function shortenWaits(): number[] {
  const waits: number[] = [];
  const real = globalThis.setTimeout;
  vi.spyOn(globalThis, "setTimeout").mockImplementation((callback: () => void, milliseconds = 0) => {
    if (milliseconds > LONGEST_WAIT_MS || milliseconds === INTRODUCTION_DEADLINE_MS)
      return real(callback, milliseconds);
    waits.push(milliseconds);
    return real(callback, 0);
  });
  return waits;
}
