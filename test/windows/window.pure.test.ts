import { describe, expect, test } from "vitest";
import {
  afterResults,
  FIRST_PAUSE_MS,
  FIRST_SIZE,
  LARGEST_SIZE,
  LONGEST_PAUSE_MS,
  newWindow,
  RECENT_MS,
  type Window,
} from "../../src/windows/window.pure.ts";

const NOW = 1_780_000_000_000;
const answered = (window: Window, answers: number, at = NOW) =>
  afterResults(window, { answers, timeouts: 0 }, false, at);
const timedOut = (window: Window, timeouts: number, at = NOW) =>
  afterResults(window, { answers: 0, timeouts }, false, at);
const probed = (window: Window, at: number) => afterResults(window, { answers: 0, timeouts: 1 }, true, at);

describe("the window of a host", () => {
  test("doubles with each round of responses, up to the maximum", () => {
    let window = newWindow();
    const sizes = [];
    for (let round = 0; round < 7; round += 1) {
      window = answered(window, window.size);
      sizes.push(window.size);
    }
    expect(sizes).toEqual([12, 24, 48, 96, 192, LARGEST_SIZE, LARGEST_SIZE]);
  });

  test("halves with each timeout while the host responds to other requests", () => {
    const well = answered(newWindow(), 10);
    expect(timedOut(well, 1, NOW + RECENT_MS)).toEqual({ ...well, size: 8 });
    expect(timedOut(well, 4, NOW + RECENT_MS)).toEqual({ ...well, size: 1 });
  });

  test("suspends the host when it falls below one request", () => {
    const well = answered(newWindow(), 10);
    expect(timedOut(well, 5)).toMatchObject({ size: 1, suspension: { probeAt: NOW + FIRST_PAUSE_MS } });
  });

  test("suspends a host at its first timeout if it has not responded since the request began", () => {
    expect(timedOut(newWindow(), 1).suspension).not.toBeNull();
    const long = answered(newWindow(), 100, NOW - RECENT_MS - 1);
    expect(timedOut(long, 1).suspension).not.toBeNull();
  });

  test("only shrinks after a dispatch with mostly responses", () => {
    const mixed = afterResults(newWindow(), { answers: 24, timeouts: 1 }, false, NOW);
    expect(mixed).toEqual({ size: (FIRST_SIZE + 24) / 2, respondedAt: NOW, suspension: null });
  });
});

describe("a suspended host", () => {
  const suspended = timedOut(newWindow(), 1);

  test("is probed after pauses that double up to five minutes", () => {
    let window = suspended;
    const pauses = [];
    for (let probe = 0; probe < 8; probe += 1) {
      pauses.push(window.suspension?.pauseMs);
      window = probed(window, NOW + probe);
      expect(window.suspension?.probeAt).toBe(NOW + probe + (window.suspension?.pauseMs ?? 0));
    }
    expect(pauses).toEqual([
      5_000,
      10_000,
      20_000,
      40_000,
      80_000,
      160_000,
      LONGEST_PAUSE_MS,
      LONGEST_PAUSE_MS,
    ]);
  });

  test("is not affected by requests that began before its suspension", () => {
    expect(timedOut(suspended, 6, NOW + 100)).toBe(suspended);
  });

  test("is open again after one response, first for two requests", () => {
    expect(answered(suspended, 1)).toEqual({ size: 2, respondedAt: NOW, suspension: null });
  });
});
