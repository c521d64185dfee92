import { describe, expect, test } from "vitest";
import { clockFor } from "../../src/collector/clock.pure.ts";
import { afterLease } from "../../src/collector/dispatches/backlogs.ts";
import {
  dispatchOne,
  hasEnded,
  liveDispatches,
  nextPrefetches,
  postponedDispatches,
  queueOf,
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
    throw new Error("no random number is used here");
  },
};

describe("a claim that expires", () => {
  test("for the first time dispatches each of its files alone, immediately", () => {
    const files: [string, number][] = [
      ["file-1", 7],
      ["file-2", 8],
    ];
    const { retries, exhausted } = splitExpired(claimed({ files }), clockFor("production"), never, NOW);
    expect(exhausted).toEqual([]);
    expect(retries).toMatchObject([
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
    "for the second time makes the file exclusive: %s, random number %d, after %d ms",
    (where, chance, delay) => {
      const { retries, exhausted } = splitExpired(
        claimed({ expired_claims: 1 }),
        clockFor(where),
        { newId, random: () => chance },
        NOW,
      );
      expect(exhausted).toEqual([]);
      expect(retries).toMatchObject([
        { queue: "RETRY", due_at: NOW + delay, expired_claims: 2, exclusive: true },
      ]);
    },
  );

  test("for the second time uses another random number for each file", () => {
    const chances = [0, 0.5].values();
    const files: [string, number][] = [
      ["file-1", 7],
      ["file-2", 8],
    ];
    const { retries } = splitExpired(
      claimed({ files, expired_claims: 1 }),
      clockFor("production"),
      { newId, random: () => chances.next().value ?? 0 },
      NOW,
    );
    expect(retries.map(({ due_at }) => due_at - NOW)).toEqual([120_000, 360_000]);
  });

  test.each([0, 1, 2])(
    "fails the file only when its claim was exclusive: %d expired claims before",
    (expired_claims) => {
      const dispatch = claimed({ expired_claims, exclusive: true });
      expect(splitExpired(dispatch, clockFor("production"), never, NOW)).toEqual({
        retries: [],
        exhausted: [["file-1", 7]],
      });
    },
  );
});

test.each([
  ["a later delivery of the same message", "m", 2, true],
  ["the same delivery, come twice", "m", 1, false],
  ["an earlier delivery", "m", 0, false],
  ["another message", "n", 2, false],
])("an importer has ended according to %s: %s %d, %s", (_, message_id, attempt, expected) => {
  const holder = { claim: "a", message_id: "m", attempt: 1 };
  expect(hasEnded(holder, { claim: "b", message_id, attempt })).toBe(expected);
});

test("five live rides of one request get a message each, further ones share messages of 25", () => {
  const files = Array.from({ length: 60 }, (_, index) => ({ file_id: `file-${index}`, version: 7 }));
  const dispatches = liveDispatches({ newId }, files, NOW);
  expect(dispatches.map((dispatch) => dispatch.files.length)).toEqual([1, 1, 1, 1, 1, 25, 25, 5]);
  expect(dispatches.flatMap((dispatch) => dispatch.files)).toEqual(files.map(({ file_id }) => [file_id, 7]));
  expect(new Set(dispatches.map(queueOf))).toEqual(new Set(["PRIORITY"]));
});

describe("postponed files", () => {
  const file = (index: number, origin: "host" | "own_store", since = NOW) => ({
    file_id: `file-${index}`,
    version: 7,
    origin,
    since,
    until: NOW + 5_000 + index,
  });
  const postponed = (...files: ReturnType<typeof file>[]) =>
    postponedDispatches(
      { newId },
      claimed({ claims: 3, expired_claims: 1, exclusive: true }),
      files,
      NOW + 1,
    );

  test("share one message to the RETRY queue, and still count in the window of their import", () => {
    const [dispatch, ...others] = postponed(file(1, "host"), file(2, "host"));
    expect(others).toEqual([]);
    expect(dispatch).toMatchObject({
      queue: "BULK",
      files: [
        ["file-1", 7],
        ["file-2", 7],
      ],
      state: "unsent",
      due_at: NOW + 5_001,
      claim: null,
      expired_claims: 1,
      exclusive: true,
    });
    expect(dispatch === undefined ? null : queueOf(dispatch)).toBe("RETRY");
  });

  test("do not count a claim without a request to a host; with stored bytes the claim counts, so that they are read", () => {
    expect(postponed(file(1, "host"), file(2, "own_store")).map(({ claims }) => claims)).toEqual([2, 3]);
  });

  test("are dispatched alone after ten minutes without D1, because D1 may reject only one of them", () => {
    const since = NOW - 10 * 60_000;
    const files = postponed(file(1, "own_store", since), file(2, "own_store"), file(3, "own_store", since));
    expect(files.map((dispatch) => dispatch.files.map(([name]) => name))).toEqual([
      ["file-2"],
      ["file-1"],
      ["file-3"],
    ]);
  });
});

describe("held files that were not downloaded before their task", () => {
  const file = (file_id: string, isHeld: boolean, dueAt: number) => ({ file_id, version: 1, isHeld, dueAt });
  const shown = (dispatch: Dispatch) => [
    queueOf({ ...dispatch, postponed: true }),
    dispatch.files.map(([id]) => id).join(),
    dispatch.due_at,
  ];

  test("share a message if they are due together, behind imports; a released one does not wait behind them", () => {
    const next = nextPrefetches({ newId: () => "id" }, { exclusive: false }, [
      file("a", true, 5),
      file("b", true, 5),
      file("c", true, 9),
      file("d", false, 5),
    ]);
    expect(next.map(shown)).toEqual([
      ["BULK", "a,b", 5],
      ["BULK", "c", 9],
      ["RETRY", "d", 5],
    ]);
  });
});

describe("a sent dispatch whose lease has ended", () => {
  const clock = clockFor("production");
  const sent: Dispatch = {
    ...dispatchOne("dispatch", "BULK", "file-1", 7, NOW + clock.leaseMs),
    state: "sent",
  };
  const after = (dispatch: Dispatch, oldest: number | null, nowMs: number) =>
    afterLease(dispatch, new Map(oldest === null ? [] : [["BULK", oldest]]), clock, nowMs);

  test("is sent again when its queue is empty, or has only newer messages", () => {
    const again = { state: "unsent", due_at: sent.due_at, sent_at: null };
    expect(after(sent, null, sent.due_at)).toMatchObject(again);
    expect(after(sent, NOW + 10_001, sent.due_at)).toMatchObject(again);
  });

  test("waits while messages as old as its own wait, and is sent again once they are gone", () => {
    const waiting = after(sent, NOW - 1, sent.due_at);
    expect(waiting).toMatchObject({ state: "sent", due_at: NOW + 2 * clock.leaseMs, sent_at: NOW });
    const longer = after(waiting, NOW + 10_000, waiting.due_at);
    expect(longer).toMatchObject({ state: "sent", due_at: NOW + 3 * clock.leaseMs, sent_at: NOW });
    // The queue has passed this message, however large its backlog is.
    expect(after(longer, NOW + 60_000, longer.due_at)).toMatchObject({ state: "unsent", sent_at: null });
  });

  test("is sent again despite the backlog of another queue", () => {
    expect(after({ ...sent, postponed: true }, NOW - 1, sent.due_at)).toMatchObject({ state: "unsent" });
  });
});
