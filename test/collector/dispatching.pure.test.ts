import { describe, expect, test } from "vitest";
import { clockFor, hasEnded, singleDispatch, splitAfterSilence } from "../../src/collector/dispatching.ts";
import type { Dispatch } from "../../src/collector/storage.ts";

const NOW = 1_780_000_000_000;
const claimed = (changes: Partial<Dispatch> = {}): Dispatch => ({
  ...singleDispatch("BULK", "file-1", 7, NOW),
  state: "claimed",
  claims: 1,
  ...changes,
});
const never = () => {
  throw new Error("no chance is taken here");
};

describe("a claim that expires", () => {
  test("for the first time sends each of its files on alone, at once", () => {
    const files: [string, number][] = [
      ["file-1", 7],
      ["file-2", 8],
    ];
    const { again, poison } = splitAfterSilence(claimed({ files }), clockFor("production"), never, NOW);
    expect(poison).toEqual([]);
    expect(again).toMatchObject([
      { queue: "RETRY", files: [["file-1", 7]], due_at: NOW, claims: 1, unheard: 1, exclusive: false },
      { queue: "RETRY", files: [["file-2", 8]], due_at: NOW, claims: 1, unheard: 1, exclusive: false },
    ]);
  });

  test.each([
    ["production", 0, 120_000],
    ["production", 0.5, 360_000],
    ["production", 0.999_999_9, 599_999],
    ["staging", 0.25, 240_000],
    ["local", 0, 2_000],
    ["local", 0.5, 6_000],
  ])(
    "for the second time gives the file a try alone in memory: %s, chance %d, after %d ms",
    (where, chance, delay) => {
      const { again, poison } = splitAfterSilence(
        claimed({ unheard: 1 }),
        clockFor(where),
        () => chance,
        NOW,
      );
      expect(poison).toEqual([]);
      expect(again).toMatchObject([{ queue: "RETRY", due_at: NOW + delay, unheard: 2, exclusive: true }]);
    },
  );

  test("for the second time takes another chance for each file", () => {
    const chances = [0, 0.5].values();
    const files: [string, number][] = [
      ["file-1", 7],
      ["file-2", 8],
    ];
    const { again } = splitAfterSilence(
      claimed({ files, unheard: 1 }),
      clockFor("production"),
      () => chances.next().value ?? 0,
      NOW,
    );
    expect(again.map(({ due_at }) => due_at - NOW)).toEqual([120_000, 360_000]);
  });

  test.each([0, 1, 2])(
    "condemns the file when it was alone in memory, and only then: %d before",
    (unheard) => {
      const dispatch = claimed({ unheard, exclusive: true });
      expect(splitAfterSilence(dispatch, clockFor("production"), never, NOW)).toEqual({
        again: [],
        poison: [["file-1", 7]],
      });
    },
  );
});

test.each([
  ["a later delivery of the same message", "m", 2, true],
  ["the same delivery, come twice", "m", 1, false],
  ["an earlier delivery", "m", 0, false],
  ["another message", "n", 2, false],
])("an importer has ended by the word of %s: %s %d, %s", (_, message_id, attempt, expected) => {
  const holder = { claim: "a", message_id: "m", attempt: 1 };
  expect(hasEnded(holder, { claim: "b", message_id, attempt })).toBe(expected);
});
