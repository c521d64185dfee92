import { describe, expect, test } from "vitest";
import { REPEAT_WINDOW_MS, RETRY_PAUSE_MS } from "../../src/contract/limits.ts";
import {
  isSameSubmission,
  withoutContent,
  type Submission,
} from "../../src/collector/files/submission.pure.ts";
import * as versions from "../../src/collector/files/versions.pure.ts";
import type { FailedVersion, FileVersions, QueuedVersion } from "../../src/collector/files/versions.pure.ts";
import { memberOf } from "../../src/database/parse.ts";
import { FILE_ERROR_CODES, RETRY_CAN_HELP } from "../../src/files/errorCodes.ts";
import { fileError } from "../../src/files/file.ts";
import { callbackDigest } from "../../src/identifiers.ts";
import { submissionOf } from "../support/pings.ts";

const NOW = 1_780_000_000_000;
const LATER = NOW + 60_000;
const FIRST = "https://files.example.com/1.fit";
const HELD = "https://files.example.com/held.fit";
const OTHER = "https://files.example.com/other.fit";
const names = { file_id: "file", summary_id: "summary" };
const TIMEOUT = {
  code: "callback_timeout",
  detail: "Too slow.",
  http_status: null,
  retryable: true,
} as const;
const STORED = { key: "stored", sha256: "0".repeat(64), size_in_bytes: 9 };

function submission(changes: Partial<Submission> = {}): Submission {
  return submissionOf({
    start_time_in_seconds: "1780000000",
    callback_url: FIRST,
    received_at: NOW,
    ...changes,
  });
}

const live = submission({ callback_url: OTHER });
const bulk = submission({ callback_url: OTHER, priority: 0 });
const heldPing = submission({ callback_url: HELD, priority: 0 });

/** Every file below is the result of transitions only. */
function accepted(file: FileVersions | null, ping: Submission, at = NOW): FileVersions {
  return versions.acceptVersion(file, { ...names, submission: ping }, 0, at);
}

const queued = accepted(null, submission());
const held = accepted(null, heldPing);
const version = versions.newestOf(queued).version;
const imported = versions.succeed(queued, version, queued.revision + 1, NOW);
const failed = versions.failLastAttempt(
  queued,
  version,
  { fault: TIMEOUT, stored: null },
  queued.revision + 1,
  NOW,
);
const attempted = versions.failAttempt(
  queued,
  version,
  { fault: TIMEOUT, stored: null, origin: "host", retryAt: LATER },
  queued.revision + 1,
  NOW,
);
const alsoHeld = (file: FileVersions) => accepted(file, { ...heldPing, overwrite_mode: true });

const STATES: Record<string, FileVersions> = {
  held,
  queued,
  "queued, attempted": attempted,
  imported,
  failed,
  "queued and held": alsoHeld(queued),
  "imported and held": alsoHeld(imported),
  "failed and held": alsoHeld(failed),
};

const EVENTS: Record<string, (file: FileVersions) => FileVersions> = {
  "accept live": (file) => accepted(file, live, LATER),
  "accept bulk": (file) => accepted(file, bulk, LATER),
  "accept live overwrite": (file) => accepted(file, { ...live, overwrite_mode: true }, LATER),
  "accept repeat": (file) => accepted(file, { ...versions.newestOf(file).submission }, LATER),
  release: (file) => versions.release(file, "import"),
  supersede: (file) => versions.supersede(file, "import"),
  succeed: (file) => versions.succeed(file, version, file.revision + 1, LATER),
  failAttempt: (file) =>
    versions.failAttempt(
      file,
      version,
      { fault: TIMEOUT, stored: null, origin: "host", retryAt: LATER },
      file.revision + 1,
      LATER,
    ),
  failLastAttempt: (file) =>
    versions.failLastAttempt(file, version, { fault: TIMEOUT, stored: null }, file.revision + 1, LATER),
  postpone: (file) => versions.postpone(file, version, null, LATER),
  failPostponed: (file) =>
    versions.failPostponed(file, version, { fault: TIMEOUT, stored: null }, file.revision + 1, LATER),
  interruptAttempt: (file) => versions.interruptAttempt(file, version, LATER),
  failExhausted: (file) => versions.failExhausted(file, version, file.revision + 1, LATER),
  expireHeld: (file) => versions.expireHeld(file, LATER),
  retry: (file) => versions.retry(file, "partner", LATER),
  dropUrl: (file) => versions.dropUrl(file),
};

const SAME = "same";

/** New state by state and event. An event that is not listed changes nothing. */
const EXPECTED: Record<keyof typeof STATES, Record<string, string>> = {
  held: {
    "accept live": "queued",
    "accept bulk": "held",
    "accept live overwrite": "queued",
    release: "queued",
    expireHeld: "failed",
  },
  queued: {
    "accept live overwrite": "queued",
    succeed: "imported",
    failAttempt: "queued",
    failLastAttempt: "failed",
    postpone: "queued",
    failPostponed: "failed",
    interruptAttempt: "queued",
    failExhausted: "failed",
  },
  "queued, attempted": {
    "accept live": "queued",
    "accept bulk": "queued and held",
    "accept live overwrite": "queued",
    succeed: "imported",
    failAttempt: "queued",
    failLastAttempt: "failed",
    postpone: "queued",
    failPostponed: "failed",
    interruptAttempt: "queued",
    failExhausted: "failed",
  },
  imported: { "accept live overwrite": "queued" },
  failed: {
    "accept live": "queued",
    "accept bulk": "held over failed",
    "accept live overwrite": "queued",
    "accept repeat": "queued",
    retry: "queued",
    dropUrl: "failed",
  },
  "queued and held": {
    "accept live": "queued",
    "accept bulk": "queued and held",
    "accept live overwrite": "queued",
    supersede: "queued",
    succeed: "imported and held",
    failAttempt: "queued and held",
    failLastAttempt: "held over failed",
    postpone: "queued and held",
    failPostponed: "held over failed",
    interruptAttempt: "queued and held",
    failExhausted: "held over failed",
    expireHeld: "failed",
  },
  "imported and held": {
    "accept live": "queued",
    "accept bulk": "imported and held",
    "accept live overwrite": "queued",
    release: "queued",
    expireHeld: "failed",
  },
  "failed and held": {
    "accept live": "queued",
    "accept bulk": "held over failed",
    "accept live overwrite": "queued",
    release: "queued",
    expireHeld: "failed",
  },
};

function nameOf({ current, held }: FileVersions): string {
  if (held === null) return current.state;
  if (current === null) return "held";
  return current.state === "failed" ? "held over failed" : `${current.state} and held`;
}

describe("every event in every state", () => {
  const cases = Object.keys(STATES).flatMap((state) =>
    Object.keys(EVENTS).map((event): [string, string, string] => [
      state,
      event,
      EXPECTED[state]?.[event] ?? SAME,
    ]),
  );

  test.each(cases)("%s, %s: %s", (state, event, expected) => {
    const before = STATES[state];
    if (before === undefined) throw new Error(state);
    const unchanged = structuredClone(before);
    const after = EVENTS[event]?.(before);
    expect(before).toEqual(unchanged);
    if (after === undefined) throw new Error(event);
    if (expected === SAME) {
      expect(after).toBe(before);
      return;
    }
    expect(after).not.toBe(before);
    expect(nameOf(after)).toBe(expected);
    expect(after.file_id).toBe(before.file_id);
    // Changes that are not projected need no revision of their own.
    if (event === "interruptAttempt" || event === "postpone") expect(after.revision).toBe(before.revision);
    else if (event === "release") expect(after.revision).toBeGreaterThanOrEqual(before.revision);
    else expect(after.revision).toBeGreaterThan(before.revision);
    expect(versions.newestOf(after).version).toBeGreaterThanOrEqual(versions.newestOf(before).version);
  });

  test("an event for another version changes nothing", () => {
    const other = version - 1;
    expect(versions.succeed(queued, other, 1, NOW)).toBe(queued);
    expect(
      versions.failAttempt(
        queued,
        other,
        { fault: TIMEOUT, stored: null, origin: "host", retryAt: LATER },
        1,
        NOW,
      ),
    ).toBe(queued);
    expect(versions.failLastAttempt(queued, other, { fault: TIMEOUT, stored: null }, 1, NOW)).toBe(queued);
    expect(versions.postpone(queued, other, null, NOW)).toBe(queued);
    expect(versions.failPostponed(queued, other, { fault: TIMEOUT, stored: null }, 1, NOW)).toBe(queued);
    expect(versions.interruptAttempt(queued, other, NOW)).toBe(queued);
    expect(versions.failExhausted(queued, other, 1, NOW)).toBe(queued);
  });
});

function queuedOf(file: FileVersions): QueuedVersion {
  if (file.current?.state !== "queued") throw new Error(`${file.current?.state} is not queued`);
  return file.current;
}

function failedOf(file: FileVersions): FailedVersion {
  if (file.current?.state !== "failed") throw new Error(`${file.current?.state} has not failed`);
  return file.current;
}

describe("accepting a ping", () => {
  test("a first ping is queued with priority 1 and held with priority 0", () => {
    expect(nameOf(accepted(null, live))).toBe("queued");
    expect(nameOf(accepted(null, bulk))).toBe("held");
  });

  test("an imported file is neither imported nor held again without overwrite_mode", () => {
    expect(accepted(imported, live)).toBe(imported);
    expect(accepted(imported, bulk)).toBe(imported);
  });

  test("an equal overwrite is a repeat within ten minutes, and a new version later", () => {
    const overwrite = submission({ overwrite_mode: true });
    const first = accepted(null, overwrite);
    const done = versions.succeed(first, NOW, first.revision + 1, NOW);
    expect(accepted(done, overwrite, NOW + REPEAT_WINDOW_MS - 1)).toBe(done);
    expect(nameOf(accepted(done, overwrite, NOW + REPEAT_WINDOW_MS))).toBe("queued");
  });

  test("an equal overwrite of a queued file is a repeat, however late", () => {
    const overwrite = submission({ overwrite_mode: true });
    const first = accepted(null, overwrite);
    expect(accepted(first, overwrite, NOW + 2 * REPEAT_WINDOW_MS)).toBe(first);
  });

  test("a retried file that is queued again accepts another URL", () => {
    const retried = versions.retry(failed, "partner", NOW);
    expect(queuedOf(accepted(retried, live)).submission.callback_url).toBe(OTHER);
    expect(accepted(retried, submission())).toBe(retried);
  });

  test("a newer version replaces the older one in its import", () => {
    const released = versions.release(held, "import-1");
    const after = accepted(released, { ...live, overwrite_mode: true });
    expect(queuedOf(after)).toMatchObject({ version: NOW + 1, import_id: "import-1", attempts: 0 });
    expect(after.revision).toBe(versions.firstRevision(NOW + 1));
  });

  test("the version after a settled one does not belong to its import", () => {
    const released = versions.release(held, "import-1");
    const settled = versions.succeed(released, NOW, released.revision + 1, NOW);
    expect(queuedOf(accepted(settled, { ...live, overwrite_mode: true })).import_id).toBeNull();
  });

  test("a held version does not change a queued one, and deletes URL and bytes of a failed one", () => {
    expect(alsoHeld(queued).current).toBe(queued.current);
    const over = failedOf(alsoHeld(failed));
    expect(over.submission).toMatchObject({ callback_url: null, object_key: null });
    expect(over.fault.retryable).toBe(false);
    expect(over.failed_object).toBeNull();
  });
});

describe("sequence numbers", () => {
  const numbered = (sequence_number: number | null, changes: Partial<Submission> = {}) =>
    submission({ sequence_number, overwrite_mode: true, callback_url: OTHER, ...changes });
  const five = accepted(null, numbered(5, { callback_url: FIRST }));
  const done = versions.succeed(five, five.current?.version ?? 0, five.revision + 1, NOW);
  const broken = versions.failLastAttempt(
    five,
    five.current?.version ?? 0,
    { fault: TIMEOUT, stored: null },
    five.revision + 1,
    NOW,
  );
  const kept = accepted(null, numbered(5, { priority: 0 }));

  test.each([
    ["held", kept],
    ["queued", five],
    ["released", versions.release(kept, "import")],
    ["superseding", versions.supersede(accepted(five, numbered(5, { priority: 0 })), "import")],
    ["imported", done],
    ["failed", broken],
    ["retried", versions.retry(broken, "partner", LATER)],
    ["expired", versions.expireHeld(kept, LATER)],
  ])("a lower number does not change a %s file, a higher one replaces it", (_state, file) => {
    for (const priority of [0, 1] as const) {
      expect(versions.isSuperseded(file, numbered(4, { priority }))).toBe(true);
      expect(accepted(file, numbered(4, { priority }), LATER)).toBe(file);
      const six = accepted(file, numbered(6, { priority }), LATER);
      expect(versions.newestOf(six).submission.sequence_number).toBe(6);
      expect(six.sequence_number).toBe(6);
    }
  });

  test("an equal number is compared like a ping without one", () => {
    expect(accepted(five, numbered(5, { callback_url: FIRST }))).toBe(five);
    const other = accepted(five, numbered(5));
    expect(queuedOf(other).submission.callback_url).toBe(OTHER);
    expect(other.sequence_number).toBe(5);
  });

  test("a ping without a number is never superseded, and keeps the number that later pings are compared with", () => {
    const unnumbered = accepted(done, numbered(null), LATER);
    expect(nameOf(unnumbered)).toBe("queued");
    expect(unnumbered.sequence_number).toBe(5);
    expect(accepted(unnumbered, numbered(4), LATER)).toBe(unnumbered);
    expect(nameOf(accepted(unnumbered, numbered(5), LATER))).toBe("queued");
    expect(accepted(accepted(null, numbered(null)), numbered(0)).sequence_number).toBe(0);
  });

  test("a duplicate does not raise the number of its file", () => {
    const six = numbered(6, { overwrite_mode: false });
    expect(accepted(done, six)).toBe(done);
    expect(accepted(done, numbered(5, { callback_url: HELD })).sequence_number).toBe(5);
  });
});

describe("versions and revisions", () => {
  test("versions always grow: when the clock steps back, after an erasure and after a release", () => {
    const both = alsoHeld(imported);
    expect(versions.nextVersion(null, 0, NOW)).toBe(NOW);
    expect(versions.nextVersion(both, 0, NOW - 60_000)).toBe(versions.newestOf(both).version + 1);
    expect(versions.nextVersion(null, NOW + 500, NOW)).toBe(NOW + 501);
  });

  test("a superseding version is above every revision that a claim of the older one can report", () => {
    const both = alsoHeld(queued);
    const after = versions.supersede(both, "import");
    expect(after.revision).toBe(both.revision + 100);
    expect(queuedOf(after)).toMatchObject({ import_id: "import", retried: false, attempts: 0, steps: [] });
  });

  test("a late report of an import does not lower the revision of a newer held ping", () => {
    const both = alsoHeld(queued);
    expect(versions.succeed(both, version, queued.revision + 1, LATER).revision).toBe(both.revision);
  });

  test("the failed download of a held ping is shown beside an import of its older version that ends later", () => {
    const next = { ...names, submission: { ...heldPing, overwrite_mode: true } };
    const both = versions.acceptVersion(queued, next, 0, NOW, true);
    const tried = versions.failLastAttempt(
      both,
      versions.newestOf(both).version,
      { fault: TIMEOUT, stored: null },
      both.revision + 1,
      NOW,
    );
    // The importer has written the row with this revision, and D1 rejects lower or equal ones.
    const written = tried.revision + 5;
    const after = versions.succeed(tried, version, written, LATER);
    expect(versions.hasTriedHeld(after)).toBe(true);
    expect(after.revision).toBe(written + 1);
  });
});

describe("attempts", () => {
  test("an imported version can still recognize a repeat, and has no URL and no bytes", () => {
    expect(imported.current).toMatchObject({ attempts: 1, settled_at: NOW });
    expect(imported.current?.submission).toEqual(withoutContent(submission()));
    expect(JSON.stringify(imported)).not.toContain(FIRST);
  });

  test("the faults of each origin are counted separately, each from its first time", () => {
    const attempt = { fault: TIMEOUT, stored: null };
    const own = versions.failAttempt(
      attempted,
      version,
      { ...attempt, origin: "own_store", retryAt: LATER },
      2,
      LATER,
    );
    const again = versions.failAttempt(
      own,
      version,
      { ...attempt, origin: "host", retryAt: LATER },
      3,
      LATER + 1,
    );
    expect(queuedOf(again)).toMatchObject({
      attempts: 3,
      faults: { host: { times: 2, since: NOW }, own_store: { times: 1, since: LATER } },
    });
  });

  test("the error of a URL that is gone after another failure describes the first failure", () => {
    const gone = { ...TIMEOUT, code: "callback_gone", detail: "404." } as const;
    const ended = versions.failLastAttempt(attempted, version, { fault: gone, stored: null }, 9, LATER);
    expect(failedOf(ended).fault.detail).toBe(
      "404. The first attempt failed with callback_timeout: Too slow.",
    );
    const interrupted = versions.interruptAttempt(queued, version, NOW);
    const after = versions.failLastAttempt(interrupted, version, { fault: gone, stored: null }, 9, LATER);
    expect(failedOf(after).fault.detail).toContain("interrupted on our side");
    expect(failedOf(after).attempts).toBe(2);
  });

  test("a postponed version counts no attempt, and keeps the start of its postponement until the next attempt", () => {
    const first = versions.postpone(queued, version, STORED, NOW);
    const again = versions.postpone(first, version, null, LATER);
    expect(queuedOf(again)).toMatchObject({
      attempts: 0,
      fault: null,
      steps: [],
      postponed_since: NOW,
      failed_object: STORED,
    });
    const tried = versions.failAttempt(
      again,
      version,
      { fault: TIMEOUT, stored: null, origin: "host", retryAt: LATER },
      9,
      LATER,
    );
    expect(queuedOf(tried)).toMatchObject({ attempts: 1, postponed_since: null });
  });

  test("a version that was postponed for too long fails with the error of its last attempt, if it had one", () => {
    const away = { ...TIMEOUT, code: "internal" } as const;
    const ended = failedOf(versions.failPostponed(queued, version, { fault: away, stored: STORED }, 9, NOW));
    expect(ended).toMatchObject({ attempts: 0, fault: { code: "internal" }, failed_object: STORED });
    const after = versions.failPostponed(attempted, version, { fault: away, stored: null }, 9, NOW);
    expect(failedOf(after)).toMatchObject({ attempts: 1, fault: { code: "callback_timeout" } });
  });

  test("bytes stored by a failed attempt stay for a retry, also after the URL is deleted", () => {
    const ended = versions.failLastAttempt(queued, version, { fault: TIMEOUT, stored: STORED }, 9, NOW);
    expect(failedOf(ended)).toMatchObject({ failed_object: STORED, submission: { object_key: "stored" } });
    const dropped = failedOf(versions.dropUrl(ended));
    expect(dropped.submission).toMatchObject({ callback_url: null, object_key: "stored" });
    expect(dropped.fault.retryable).toBe(true);
    expect(queuedOf(versions.retry(versions.dropUrl(ended), "partner", LATER)).failed_object).toEqual(STORED);
  });

  test("a failed version without stored bytes cannot be retried after its URL is deleted", () => {
    const dropped = versions.dropUrl(failed);
    expect(failedOf(dropped).fault.retryable).toBe(false);
    expect(versions.retry(dropped, "partner", LATER)).toBe(dropped);
    expect(versions.dropUrl(dropped)).toBe(dropped);
  });

  test("a retried version counts its attempts on and keeps its last error, in the import that counted it", () => {
    const released = versions.release(held, "import-1");
    const ended = versions.failLastAttempt(
      released,
      NOW,
      { fault: TIMEOUT, stored: null },
      released.revision + 1,
      NOW,
    );
    expect(queuedOf(versions.retry(ended, "partner", LATER))).toMatchObject({
      version: NOW,
      import_id: "import-1",
      retried: true,
      attempts: 1,
      fault: TIMEOUT,
      next_attempt_at: null,
      first_fault: null,
      faults: {},
    });
  });

  test("attempts count on over a live ping of a failed or queued file, and start again after an import or a hold", () => {
    expect(queuedOf(accepted(failed, live))).toMatchObject({ attempts: 1, fault: null, steps: [] });
    expect(queuedOf(accepted(attempted, live))).toMatchObject({ attempts: 1, fault: null });
    expect(queuedOf(accepted(imported, { ...live, overwrite_mode: true })).attempts).toBe(0);
    expect(queuedOf(versions.release(alsoHeld(failed), "import-1")).attempts).toBe(0);
  });

  test("a retried version that is only postponed fails with the reason of its postponement", () => {
    const away = { ...TIMEOUT, code: "internal" } as const;
    const retried = versions.retry(failed, "partner", LATER);
    const ended = versions.failPostponed(retried, version, { fault: away, stored: null }, 9, LATER);
    expect(failedOf(ended)).toMatchObject({ attempts: 1, fault: { code: "internal" } });
  });

  test("a queued version knows when its next attempt is due, until that has ended", () => {
    expect(queuedOf(queued).next_attempt_at).toBeNull();
    expect(queuedOf(attempted).next_attempt_at).toBe(LATER);
    expect(queuedOf(versions.retry(failed, "partner", LATER)).next_attempt_at).toBeNull();
  });

  test.each(Object.entries(RETRY_CAN_HELP))("%s: a retry by the partner can help: %s", (code, canHelp) => {
    const fault = fileError(memberOf(FILE_ERROR_CODES, code), "Detail.");
    for (const file of [queued, versions.retry(failed, "partner", LATER)]) {
      const ended = versions.failLastAttempt(file, version, { fault, stored: STORED }, 9, LATER);
      const later = LATER + RETRY_PAUSE_MS;
      expect(failedOf(ended).fault.retryable).toBe(canHelp);
      expect(failedOf(versions.dropUrl(ended)).fault.retryable).toBe(canHelp);
      expect(versions.retry(ended, "partner", later) === ended).toBe(!canHelp);
      expect(versions.retryableAt(ended, "partner") === null).toBe(!canHelp);
      // A newer decoder may import the same bytes, so an operator can retry every file.
      expect(queuedOf(versions.retry(ended, "operator", later))).toMatchObject({ failed_object: STORED });
    }
  });

  test("no error of a file without bytes is retryable after its URL is deleted", () => {
    for (const code of FILE_ERROR_CODES) {
      const fault = fileError(code, "Detail.");
      const ended = versions.failLastAttempt(queued, version, { fault, stored: null }, 9, NOW);
      expect(failedOf(versions.dropUrl(ended)).fault.retryable).toBe(false);
    }
  });

  test("a held version that expires fails without an attempt and keeps its URL", () => {
    const expired = failedOf(versions.expireHeld(held, LATER));
    expect(expired).toMatchObject({ attempts: 0, import_id: null, submission: { callback_url: HELD } });
    expect(expired.fault).toMatchObject({ code: "held_expired", retryable: true });
    expect(expired.steps).toEqual([{ at: LATER, what: "failed", attempt: null, code: "held_expired" }]);
  });

  test("the first and the latest of many steps are kept", () => {
    let file = queued;
    for (let attempt = 1; attempt <= 30; attempt += 1) {
      file = versions.interruptAttempt(file, version, NOW + attempt);
    }
    const { steps } = queuedOf(file);
    expect(steps).toHaveLength(20);
    expect(steps[0]?.attempt).toBe(1);
    expect(steps.slice(1).map((step) => step.attempt)).toEqual(Array.from({ length: 19 }, (_, i) => i + 12));
  });
});

describe("two pings of one file are equal", () => {
  test("when all their fields are equal, also after the URL was deleted", () => {
    const settled = withoutContent(submission());
    expect(settled.callback_url).toBeNull();
    expect(isSameSubmission(submission(), submission())).toBe(true);
    expect(isSameSubmission(settled, submission())).toBe(true);
    expect(isSameSubmission(settled, withoutContent(settled))).toBe(true);
    expect(isSameSubmission(settled, submission({ callback_url: OTHER }))).toBe(false);
  });

  test.each<Partial<Submission>>([
    { activity_name: "Morning ride" },
    { priority: 0 },
    { overwrite_mode: true },
    { start_time_in_seconds: "1780000001" },
    { callback_url: OTHER },
    { callback_url: null, callback_digest: callbackDigest(OTHER) },
  ])("unless %o differs", (change) => {
    expect(isSameSubmission(submission(), submission(change))).toBe(false);
  });

  test("and inline bytes are compared by their base64", () => {
    const bytes = (text: string) => submission({ callback_url: null, callback_digest: callbackDigest(text) });
    expect(isSameSubmission(bytes("DhAh"), bytes("DhAh"))).toBe(true);
    expect(isSameSubmission(bytes("DhAh"), bytes("DhAg"))).toBe(false);
  });
});
