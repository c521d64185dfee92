import { describe, expect, test } from "vitest";
import {
  firstRevision,
  judgePing,
  nextVersion,
  REPEAT_WINDOW_MS,
  saysTheSame,
  shrunk,
  type CurrentVersion,
  type LedgerRow,
  type Submission,
} from "../../src/collector/ledger.ts";
import { callbackDigest } from "../../src/identifiers.ts";
import { take } from "../../src/collector/settle.ts";

const NOW = 1_780_000_000_000;
const FIRST = "https://files.example.com/1.fit";
const OTHER = "https://files.example.com/other.fit";
const HELD = "https://files.example.com/held.fit";

function submission(changes: Partial<Submission> = {}): Submission {
  return {
    activity_name: null,
    priority: 1,
    overwrite_mode: false,
    start_time_in_seconds: "1780000000",
    callback_url: FIRST,
    object_key: null,
    callback_digest: null,
    received_at: NOW,
    ...changes,
  };
}

function current(state: CurrentVersion["state"], changes: Partial<CurrentVersion> = {}): CurrentVersion {
  return {
    version: NOW,
    state,
    submission: submission(),
    import_id: null,
    attempts: 0,
    first_fault: null,
    fault: null,
    failed_object: null,
    settled_at: null,
    ...changes,
  };
}

const held = { version: NOW + 1, submission: submission({ priority: 0, callback_url: HELD }) };
const FAULT = { code: "callback_timeout", detail: "", http_status: null, retryable: true } as const;

describe("what a ping means for its file", () => {
  const live = submission({ priority: 1, callback_url: OTHER });
  const bulk = submission({ priority: 0, callback_url: OTHER });
  const overwriting = submission({ overwrite_mode: true });
  const cases: [
    string,
    Pick<LedgerRow, "current" | "held"> | null,
    Parameters<typeof judgePing>[1],
    string,
  ][] = [
    ["a new file with priority 1 is dispatched", null, live, "dispatch"],
    ["a new file with priority 0 is held", null, bulk, "hold"],
    [
      "a held file pinged again with priority 0 stays held, with the newer fields",
      { current: null, held },
      bulk,
      "hold",
    ],
    ["a held file pinged with priority 1 is dispatched", { current: null, held }, live, "dispatch"],
    [
      "the same held ping again changes nothing",
      { current: null, held },
      { ...bulk, callback_url: HELD },
      "held_already",
    ],
    [
      "an imported file is not imported again",
      { current: current("imported"), held: null },
      live,
      "duplicate",
    ],
    ["nor held again", { current: current("imported"), held: null }, bulk, "duplicate"],
    ["a queued file is not queued again", { current: current("queued"), held: null }, live, "duplicate"],
    [
      "an overwrite of an imported file is imported",
      { current: current("imported"), held: null },
      { ...live, overwrite_mode: true },
      "dispatch",
    ],
    [
      "an overwrite with priority 0 waits for the task",
      { current: current("queued"), held: null },
      { ...bulk, overwrite_mode: true },
      "hold",
    ],
    [
      "a failed file is tried again on any new ping",
      { current: current("failed"), held: null },
      live,
      "dispatch",
    ],
    [
      "a failed file pinged with priority 0 is held",
      { current: current("failed"), held: null },
      bulk,
      "hold",
    ],
    [
      "the same failed ping is tried again too",
      { current: current("failed"), held: null },
      { ...live, callback_url: FIRST },
      "dispatch",
    ],
    [
      "a repeated overwrite of a file in flight is a duplicate",
      { current: current("queued", { submission: overwriting }), held: null },
      overwriting,
      "duplicate",
    ],
    [
      "a file waiting for another attempt takes a new URL",
      { current: current("queued", { fault: FAULT }), held: null },
      live,
      "dispatch",
    ],
    [
      "but not the same ping again",
      { current: current("queued", { fault: FAULT }), held: null },
      { ...live, callback_url: FIRST },
      "duplicate",
    ],
  ];
  test.each(cases)("%s", (_title, row, ping, verdict) => {
    expect(judgePing(row, ping, NOW)).toBe(verdict);
  });

  test("an overwrite repeated within ten minutes is a duplicate, later it is a new one", () => {
    const repeat = submission({ overwrite_mode: true });
    const row = { current: current("imported", { submission: shrunk(repeat, false) }), held: null };
    expect(judgePing(row, repeat, NOW + REPEAT_WINDOW_MS - 1)).toBe("duplicate");
    expect(judgePing(row, repeat, NOW + REPEAT_WINDOW_MS)).toBe("dispatch");
  });
});

describe("two pings of one file say the same", () => {
  test("when all that they say is equal, also after the URL was used up", () => {
    const settled = shrunk(submission(), false);
    expect(settled.callback_url).toBeNull();
    expect(saysTheSame(submission(), submission())).toBe(true);
    expect(saysTheSame(settled, submission())).toBe(true);
    expect(saysTheSame(settled, shrunk(settled, false))).toBe(true);
    expect(saysTheSame(settled, submission({ callback_url: OTHER }))).toBe(false);
  });

  test.each<Partial<Submission>>([
    { activity_name: "Morning ride" },
    { priority: 0 },
    { overwrite_mode: true },
    { start_time_in_seconds: "1780000001" },
    { callback_url: OTHER },
    { callback_url: null, callback_digest: callbackDigest(OTHER) },
  ])("and not when %o differs", (change) => {
    expect(saysTheSame(submission(), submission(change))).toBe(false);
  });

  test("and file bytes are told apart by their base64", () => {
    const bytes = (text: string) => submission({ callback_url: null, callback_digest: callbackDigest(text) });
    expect(saysTheSame(bytes("DhAh"), bytes("DhAh"))).toBe(true);
    expect(saysTheSame(bytes("DhAh"), bytes("DhAg"))).toBe(false);
  });
});

describe("versions", () => {
  test("never restart, not even when the clock steps back or after a release", () => {
    const row: LedgerRow = { file_id: "f", summary_id: "s", revision: 1, current: current("imported"), held };
    expect(nextVersion(null, 0, NOW)).toBe(NOW);
    expect(nextVersion(row, 0, NOW - 60_000)).toBe(NOW + 2);
    expect(nextVersion(null, NOW + 500, NOW)).toBe(NOW + 501);
  });

  test("a newer version takes the older one's place in its import", () => {
    const row: LedgerRow = {
      file_id: "f",
      summary_id: "s",
      revision: firstRevision(NOW),
      current: current("queued", { import_id: "import-1" }),
      held: null,
    };
    const taken = take("f", "s", row, submission({ callback_url: OTHER }), "dispatch", 0, NOW);
    expect(taken.current).toMatchObject({
      version: NOW + 1,
      state: "queued",
      import_id: "import-1",
      attempts: 0,
    });
    expect(taken.revision).toBe(firstRevision(NOW + 1));
  });

  test("a settled version does not pass its import on", () => {
    const settled = current("imported", { import_id: "import-1" });
    const row: LedgerRow = { file_id: "f", summary_id: "s", revision: 1, current: settled, held: null };
    expect(take("f", "s", row, submission(), "dispatch", 0, NOW).current?.import_id).toBeNull();
  });

  test("a held version leaves the dispatched one as it is", () => {
    const flying = current("queued", { import_id: "import-1" });
    const row: LedgerRow = { file_id: "f", summary_id: "s", revision: 1, current: flying, held: null };
    const taken = take("f", "s", row, submission({ priority: 0 }), "hold", 0, NOW);
    expect(taken.current).toBe(flying);
    expect(taken.held?.version).toBe(NOW + 1);
  });
});
