import { vi } from "vitest";
import { INTRODUCTION_DEADLINE_MS } from "../../src/collector/introduction.ts";

/** The longest wait between two tries of the code. What lasts longer is a deadline, and so is a first contact's. */
const LONGEST_WAIT_MS = 5_000;

/** Lets the code's waits end at once, until mocks are restored; its deadlines keep their time. Returns the waits. */
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
