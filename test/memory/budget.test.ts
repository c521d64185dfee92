import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  ALL_SMALL_BYTES,
  EXCLUSIVE_WAIT_MS,
  FIRST_BYTES,
  HELD_LAPSES_AFTER_MS,
  INTAKE_BYTES,
  INTAKE_BYTES_OF_PARTNER,
  LARGE_BYTES,
  PEAK_BYTES,
  requestMemory,
  reserveAll,
  sharedMemory,
  SMALL_BYTES,
  ALL_FIRST_BYTES,
  FIRST_BYTES_OF_PARTNER,
  WAITING_LAPSES_AFTER_MS,
  type Hold,
  type StartedHold,
} from "../../src/memory/budget.ts";
import { wait } from "../../src/concurrency/wait.ts";

const MiB = 1024 * 1024;
const LARGEST = 32 * MiB;
/** End of a wait in the past, so that nothing waits. */
const AT_ONCE = () => 0;
const HOUR = 3_600;
const inSeconds = (seconds: number) => {
  const untilMs = Date.now() + seconds * 1_000;
  return () => untilMs;
};

const acme = sharedMemory("acme");
const other = sharedMemory("other");

/** Reservations of a test, which are all released after it. */
const granted: (Pick<Hold, "release"> | null)[] = [];

/** Records the result of a reservation as soon as it is known. */
function follow<T extends Pick<Hold, "release"> | null>(reserving: Promise<T>) {
  const followed: { hold: T | undefined; ended: boolean } = { hold: undefined, ended: false };
  const note = async () => {
    const hold = await reserving;
    granted.push(hold);
    Object.assign(followed, { hold, ended: true });
  };
  void note();
  return followed;
}

async function now<T extends Pick<Hold, "release"> | null>(reserving: Promise<T>): Promise<NonNullable<T>> {
  const hold = await reserving;
  if (hold === null) throw new Error("no room");
  granted.push(hold);
  return hold;
}

const pass = async (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

/** Ends all invocations: the runtime deletes their timers with them. */
function endInvocations(): void {
  const nowMs = Date.now();
  vi.clearAllTimers();
  vi.setSystemTime(nowMs);
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
});

afterEach(async () => {
  // The waiting reservations are granted one after another.
  for (let turn = 0; turn < 5; turn += 1) {
    for (const hold of granted.splice(0)) hold?.release();
    await pass(100);
  }
  const all = await reserveAll("acme", AT_ONCE());
  expect(all).not.toBeNull();
  all?.release();
  vi.useRealTimers();
});

describe("An invocation that has ended", () => {
  test("while it waited is never granted memory, and delays no other", async () => {
    const first = await now(acme.reserve(LARGEST, AT_ONCE));
    const dead = follow(other.reserve(LARGEST, inSeconds(60)));
    await pass(100);
    endInvocations();
    const next = follow(other.reserve(LARGEST, inSeconds(60)));
    first.release();
    await pass(WAITING_LAPSES_AFTER_MS + 100);
    expect(next.hold).toBeTruthy();
    expect(dead.ended).toBe(false);
    next.hold?.release();
    await pass(10_000);
    expect(dead.ended).toBe(false);
  });

  test("while it held memory keeps it for a few seconds; a running invocation keeps its memory", async () => {
    await now(acme.reserve(LARGEST, AT_ONCE));
    await pass(3 * HELD_LAPSES_AFTER_MS);
    expect(requestMemory("other").tryGrowTo(LARGEST)).toBe(false);
    endInvocations();
    await pass(HELD_LAPSES_AFTER_MS + 100);
    const request = requestMemory("other");
    granted.push(request);
    expect(request.tryGrowTo(LARGEST)).toBe(true);
  });
});

describe("Waiting", () => {
  test("ends at its time without a reservation", async () => {
    const first = await now(acme.reserve(LARGEST, AT_ONCE));
    const late = follow(other.reserve(LARGEST, inSeconds(5)));
    await pass(4_900);
    expect(late.ended).toBe(false);
    await pass(200);
    expect(late).toEqual({ hold: null, ended: true });
    first.release();
  });

  test("is first come, first served, however much time an invocation was blocked", async () => {
    const first = await now(acme.reserve(LARGEST, AT_ONCE));
    const second = follow(other.reserve(LARGEST, inSeconds(60)));
    const third = follow(sharedMemory("third").reserve(9 * MiB, inSeconds(60)));
    // No invocation checks while one of them decodes.
    vi.setSystemTime(Date.now() + WAITING_LAPSES_AFTER_MS + 500);
    await pass(100);
    expect([second.ended, third.ended]).toEqual([false, false]);
    first.release();
    await pass(100);
    expect(second.hold).toBeTruthy();
    expect(third.ended).toBe(false);
    second.hold?.release();
    await pass(100);
    expect(third.hold).toBeTruthy();
  });

  test("of imports has priority over requests; requests are granted afterwards, when they fit beside the import", async () => {
    const first = await now(acme.reserve(LARGEST, AT_ONCE));
    const waiting = follow(other.reserve(LARGEST, inSeconds(60)));
    await pass(100);
    const request = requestMemory("third");
    granted.push(request);
    expect(request.tryGrowTo(2 * MiB)).toBe(false);
    expect(request.tryGrowTo(MiB)).toBe(true);
    first.release();
    await pass(100);
    expect(waiting.hold).toBeTruthy();
    expect(request.tryGrowTo(2 * MiB)).toBe(true);
  });
});

describe("Downloads", () => {
  test("that all grow to the maximum file size succeed one after another", async () => {
    const partners = Array.from(
      { length: ALL_FIRST_BYTES / FIRST_BYTES },
      (_, index) => `partner-${index % 4}`,
    );
    const started = await Promise.all(partners.map(async (id) => now(sharedMemory(id).start(AT_ONCE))));
    let done = 0;
    const download = async (hold: StartedHold) => {
      if (!(await hold.growTo(LARGEST, inSeconds(60)))) return;
      await wait(500);
      hold.release();
      done += 1;
    };
    for (const hold of started) void download(hold);
    await pass(1_000);
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(3);
    await pass(10_000);
    expect(done).toBe(partners.length);
  });

  test("that wait to grow have priority, and keep their first bytes when no room is free in time", async () => {
    const started = await now(acme.start(AT_ONCE));
    const first = await now(other.reserve(LARGEST, AT_ONCE));
    const waiting = follow(sharedMemory("third").reserve(LARGEST, inSeconds(60)));
    await pass(100);
    const growing = started.growTo(LARGEST, inSeconds(5));
    await pass(5_100);
    expect(await growing).toBe(false);
    const again = started.growTo(LARGEST, inSeconds(5));
    first.release();
    await pass(100);
    expect(await again).toBe(true);
    expect(waiting.ended).toBe(false);
    started.keep(2 * MiB);
    await pass(100);
    expect(waiting.hold).toBeTruthy();
  });

  test("of small files start while large files fill the rest and others wait", async () => {
    await now(acme.reserve(LARGEST, AT_ONCE));
    await now(other.reserve(8 * MiB, AT_ONCE));
    follow(other.reserve(8 * MiB, inSeconds(60)));
    await pass(100);
    for (let count = 0; count < 8; count += 1) await now(sharedMemory("third").start(AT_ONCE));
    expect(await sharedMemory("third").start(AT_ONCE)).toBeNull();
  });
});

describe("One partner", () => {
  test("reserves one body over 16 MiB at a time; another partner's body comes before its second", async () => {
    const first = await now(acme.reserve(LARGE_BYTES + 1, AT_ONCE));
    const second = follow(acme.reserve(LARGE_BYTES + 1, inSeconds(60)));
    await pass(100);
    expect(second.ended).toBe(false);
    await now(other.reserve(LARGE_BYTES + 1, AT_ONCE));
    await now(acme.reserve(MiB, AT_ONCE));
    first.release();
    await pass(100);
    expect(second.hold).toBeTruthy();
  });

  test("cannot use all first bytes by hosts that never respond", async () => {
    for (let bytes = 0; bytes < FIRST_BYTES_OF_PARTNER; bytes += FIRST_BYTES) await now(acme.start(AT_ONCE));
    const waiting = follow(acme.start(inSeconds(60)));
    await pass(100);
    expect(waiting.ended).toBe(false);
    await now(other.start(AT_ONCE));
  });

  test("starts no GET while one of its downloads waits to grow, and does not delay those of others", async () => {
    const [first, second] = [await now(acme.start(AT_ONCE)), await now(acme.start(AT_ONCE))];
    expect(await first.growTo(LARGEST, AT_ONCE)).toBe(true);
    let untilMs = Date.now() + 1_000;
    const growing = second.growTo(LARGEST, () => untilMs);
    await pass(100);
    const third = follow(acme.start(inSeconds(600)));
    await pass(100);
    expect(third.ended).toBe(false);
    await now(other.start(AT_ONCE));
    // The end of a wait can be extended, as when a claim is renewed.
    untilMs += 60_000;
    await pass(30_000);
    first.release();
    await pass(100);
    expect(await growing).toBe(true);
    expect(third.hold).toBeTruthy();
  });

  test("takes turns with other partners for growing downloads, however many of its downloads came first", async () => {
    const acmes: StartedHold[] = [];
    for (let count = 0; count < 3; count += 1) acmes.push(await now(acme.start(AT_ONCE)));
    const rival = await now(other.start(AT_ONCE));
    const order: string[] = [];
    const grow = async (name: string, hold: StartedHold) => {
      if (!(await hold.growTo(LARGEST, inSeconds(200)))) return;
      order.push(name);
      await pass(1_000);
      hold.release();
    };
    const all = [...acmes.map(async (hold) => grow("acme", hold)), grow("other", rival)];
    await pass(6_000);
    await Promise.all(all);
    expect(order).toEqual(["acme", "other", "acme", "acme"]);
  });

  test("cannot fill the memory of other partners' requests with files of slow hosts, however many wait", async () => {
    for (let count = 0; count < 5; count += 1) follow(acme.reserve(12 * MiB, inSeconds(60)));
    await pass(100);
    const request = requestMemory("other");
    granted.push(request);
    expect(request.tryGrowTo(8 * MiB)).toBe(true);
    await now(other.reserve(8 * MiB, AT_ONCE));
  });

  test("and other partners cannot use the share of imports by their requests", async () => {
    const requests = Array.from({ length: 5 }, (_, index) => requestMemory(`partner-${index}`));
    granted.push(...requests);
    const fitting = requests.filter((request) => request.tryGrowTo(8 * MiB));
    expect(fitting).toHaveLength(INTAKE_BYTES / (8 * MiB));
    await now(other.reserve(8 * MiB, AT_ONCE));
  });
});

describe("Requests", () => {
  /** Returns the memory of a request, which is released after the test. */
  function request(partnerId: string) {
    const hold = requestMemory(partnerId);
    granted.push(hold);
    return hold;
  }

  test("of one partner use a third of the share beside its largest request; other partners get the rest", () => {
    const largest = request("acme");
    expect(largest.tryGrowTo(18 * MiB)).toBe(true);
    const second = request("acme");
    expect(second.tryGrowTo(INTAKE_BYTES_OF_PARTNER)).toBe(true);
    expect(second.tryGrowTo(INTAKE_BYTES_OF_PARTNER + 1)).toBe(false);
    expect(request("acme").tryGrowTo(2 * MiB)).toBe(false);
    expect(request("other").tryGrowTo(2 * MiB)).toBe(true);
    largest.release();
    expect(request("acme").tryGrowTo(2 * MiB)).toBe(true);
  });

  test("that grow step by step fail at the step that does not fit, and keep their reservation", () => {
    const first = request("acme");
    const second = request("acme");
    expect([first.tryGrowTo(12 * MiB), second.tryGrowTo(8 * MiB)]).toEqual([true, true]);
    expect(second.tryGrowTo(12 * MiB)).toBe(false);
    expect(request("other").tryGrowTo(13 * MiB)).toBe(false);
    expect(request("other").tryGrowTo(12 * MiB)).toBe(true);
  });

  test("that are small pass while large files fill the budget, and one partner cannot fill their share", async () => {
    await now(acme.reserve(LARGEST, AT_ONCE));
    follow(other.reserve(LARGEST, inSeconds(60)));
    await pass(100);
    let small = 0;
    while (request("acme").tryGrowTo(SMALL_BYTES)) small += 1;
    expect(small).toBe(1 + Math.floor(ALL_SMALL_BYTES / 3 / SMALL_BYTES));
    expect(request("other").tryGrowTo(SMALL_BYTES)).toBe(true);
    for (const name of ["third", "fourth"]) while (request(name).tryGrowTo(SMALL_BYTES)) small += 1;
    expect((small + 1) * SMALL_BYTES).toBe(ALL_SMALL_BYTES);
    expect(request("fifth").tryGrowTo(SMALL_BYTES)).toBe(false);
    expect(request("fifth").tryGrowTo(SMALL_BYTES / 32)).toBe(true);
  });

  test("over the share count in full, and are granted only without other requests", async () => {
    const large = request("acme");
    const beside = request("other");
    expect(beside.tryGrowTo(2 * MiB)).toBe(true);
    expect(large.tryGrowTo(INTAKE_BYTES + 1)).toBe(false);
    beside.release();
    expect(large.tryGrowTo(PEAK_BYTES + 1)).toBe(false);
    expect(large.tryGrowTo(PEAK_BYTES)).toBe(true);
    expect(request("other").tryGrowTo(2 * MiB)).toBe(false);
    expect(await other.start(AT_ONCE)).toBeNull();
    large.keep(MiB);
    expect(request("other").tryGrowTo(INTAKE_BYTES - MiB)).toBe(true);
    await now(other.start(AT_ONCE));
  });

  test("over the share include the reservations of imports in their limit", async () => {
    await now(other.reserve(8 * MiB, AT_ONCE));
    expect(request("acme").tryGrowTo(PEAK_BYTES - 8 * MiB + 1)).toBe(false);
    expect(request("acme").tryGrowTo(PEAK_BYTES - 8 * MiB)).toBe(true);
  });
});

describe("An exclusive reservation", () => {
  test("waits for all others, and lets only growing downloads go first", async () => {
    const started = await now(acme.start(AT_ONCE));
    const exclusive = follow(reserveAll("other", inSeconds(60)()));
    await pass(100);
    const late = [follow(acme.start(inSeconds(60))), follow(acme.reserve(MiB, inSeconds(60)))];
    expect(requestMemory("acme").tryGrowTo(2 * MiB)).toBe(false);
    expect(await started.growTo(LARGEST, AT_ONCE)).toBe(true);
    await pass(1_000);
    expect([exclusive.ended, ...late.map(({ ended }) => ended)]).toEqual([false, false, false]);
    started.release();
    await pass(100);
    expect(exclusive.hold).toBeTruthy();
    expect(late.map(({ ended }) => ended)).toEqual([false, false]);
    expect(requestMemory("acme").tryGrowTo(2 * MiB)).toBe(false);
    exclusive.hold?.release();
    await pass(100);
    for (const { hold } of late) expect(hold).toBeTruthy();
  });

  test("has memory for any file without a further wait", async () => {
    const all = await now(reserveAll("acme", AT_ONCE()));
    const started = await now(all.start(AT_ONCE));
    expect(await started.growTo(LARGEST, AT_ONCE)).toBe(true);
    await now(all.reserve(LARGEST, AT_ONCE));
    started.release();
    expect(await other.start(AT_ONCE)).toBeNull();
  });

  test("ends its wait, which delays all downloads, well within a claim", async () => {
    await now(acme.start(AT_ONCE));
    const exclusive = follow(reserveAll("other", inSeconds(HOUR)()));
    await pass(EXCLUSIVE_WAIT_MS + 100);
    expect(exclusive).toEqual({ hold: null, ended: true });
    await now(other.start(AT_ONCE));
  });
});
