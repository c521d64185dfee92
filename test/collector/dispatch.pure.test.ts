import { describe, expect, test } from "vitest";
import { clockFor } from "../../src/collector/clock.pure.ts";
import {
  dispatchOne,
  hasEnded,
  splitExpired,
  type Dispatch,
} from "../../src/collector/dispatches/dispatch.pure.ts";

const NOW = 1_780_000_000_000;
const claimed = (changes: Partial<Dispatch> = {}): Dispatch => ({
  ...dispatchOne("dispatch", "BULK", "file-1", 7, NOW),
  state: "claimed",
  claims: 1,
  ...changes,
});
const newId = () => "new";
const never = {
  newId,
  random: () => {
    throw new Error("no chance is taken here");
  },
};

describe("a claim that expires", () => {
  test("for the first time sends each of its files on alone, at once", () => {
    const files: [string, number][] = [
      ["file-1", 7],
      ["file-2", 8],
    ];
    const { again, lost } = splitExpired(claimed({ files }), clockFor("production"), never, NOW);
    expect(lost).toEqual([]);
    expect(again).toMatchObject([
      { queue: "RETRY", files: [["file-1", 7]], due_at: NOW, claims: 1, expired_claims: 1, exclusive: false },
      { queue: "RETRY", files: [["file-2", 8]], due_at: NOW, claims: 1, expired_claims: 1, exclusive: false },
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
      const { again, lost } = splitExpired(
        claimed({ expired_claims: 1 }),
        clockFor(where),
        { newId, random: () => chance },
        NOW,
      );
      expect(lost).toEqual([]);
      expect(again).toMatchObject([
        { queue: "RETRY", due_at: NOW + delay, expired_claims: 2, exclusive: true },
      ]);
    },
  );

  test("for the second time takes another chance for each file", () => {
    const chances = [0, 0.5].values();
    const files: [string, number][] = [
      ["file-1", 7],
      ["file-2", 8],
    ];
    const { again } = splitExpired(
      claimed({ files, expired_claims: 1 }),
      clockFor("production"),
      { newId, random: () => chances.next().value ?? 0 },
      NOW,
    );
    expect(again.map(({ due_at }) => due_at - NOW)).toEqual([120_000, 360_000]);
  });

  test.each([0, 1, 2])(
    "condemns the file when it was alone in memory, and only then: %d before",
    (expired_claims) => {
      const dispatch = claimed({ expired_claims, exclusive: true });
      expect(splitExpired(dispatch, clockFor("production"), never, NOW)).toEqual({
        again: [],
        lost: [["file-1", 7]],
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
