import { describe, expect, test } from "vitest";
import {
  BULK_INVOCATIONS_OF_PARTNER,
  PREFETCH_INVOCATIONS_OF_PARTNER,
  HOSTS_REMEMBERED,
  SLOT_LASTS_MS,
  SLOTS_OF_PARTNER,
  WindowsOfPartner,
  type Admission,
  type Lane,
} from "../../src/windows/partner.pure.ts";
import { FIRST_PAUSE_MS, FIRST_SIZE, RECENT_MS } from "../../src/windows/window.pure.ts";

const NOW = 1_780_000_000_000;
const HOST = "files.example.com";

/** Returns a partner's windows with a clock that the test sets. */
function windowsAt(start = NOW) {
  const windows = new WindowsOfPartner();
  let now = start;
  let leases = 0;
  const enter = (lane: Lane, host = HOST, wanted = 1, invocation = "one") => {
    leases += 1;
    const place = { lease: `lease-${leases}`, invocation, lane, host };
    const admission = windows.enter({ ...place, wanted }, now);
    return {
      place,
      admission,
      again: () => windows.enter({ ...place, wanted }, now),
      answer: (answers = 1) => windows.leave(place, { answers, timeouts: 0 }, now),
      timeOut: (timeouts = 1) => windows.leave(place, { answers: 0, timeouts }, now),
    };
  };
  return {
    enter,
    /** Postpones so much work of a lane that found no slot. Returns its pauses. */
    postponeBusy: (count: number, lane: Lane, host = HOST) =>
      Array.from({ length: count }, () => windows.postponeBusy({ lane, host }, now)),
    pass: (milliseconds: number) => (now += milliseconds),
    /** Enters until it is postponed. Returns the number of grants. */
    fill: (lane: Lane, host?: (index: number) => string) => {
      for (let index = 0; ; index += 1) {
        if ("postponed_for_ms" in enter(lane, host?.(index)).admission) return index;
      }
    },
    suspend: (lane: Lane, host = HOST) => expect(enter(lane, host).timeOut()).toBe(true),
    /** Adds so many responses that the host's window limits nothing. */
    prove: (host = HOST) => enter("PRIORITY", host).answer(300),
  };
}
const forMs = (admission: Admission) => ("slots" in admission ? null : admission.postponed_for_ms);
const OPEN = { slots: 1 };

describe("slots at one host", () => {
  test("are as many as its window, in each lane", () => {
    const { fill } = windowsAt();
    expect([fill("PRIORITY"), fill("RETRY"), fill("EVENTS")]).toEqual([FIRST_SIZE, FIRST_SIZE, FIRST_SIZE]);
  });

  test("are granted up to the number of free ones", () => {
    const { enter } = windowsAt();
    expect(enter("BULK", HOST, 4).admission).toEqual({ slots: 4 });
    expect(enter("BULK", HOST, 4).admission).toEqual({ slots: 2 });
    expect(enter("BULK", HOST, 4).admission).toHaveProperty("postponed_for_ms");
  });

  test("are granted once for each lease, even if the request is repeated, and are free again when it is returned", () => {
    const { enter, fill } = windowsAt();
    const first = enter("PRIORITY");
    expect(first.again()).toEqual(OPEN);
    expect(fill("PRIORITY")).toBe(FIRST_SIZE - 1);
    first.answer();
    expect(fill("PRIORITY")).toBe(2);
  });

  test("expire unless they are renewed", () => {
    const { enter, fill, pass } = windowsAt();
    const renewed = enter("PRIORITY");
    fill("PRIORITY");
    pass(SLOT_LASTS_MS - 1);
    renewed.again();
    expect(fill("PRIORITY")).toBe(0);
    pass(1);
    expect(fill("PRIORITY")).toBe(FIRST_SIZE - 1);
  });

  test.each([true, false])(
    "are free soon only if the host responds, or may still respond: responded %s",
    (answered) => {
      const { prove, fill, enter, pass } = windowsAt();
      if (answered) prove();
      fill("PRIORITY");
      expect(enter("PRIORITY").admission).toMatchObject({ isResponsive: true });
      pass(1_001);
      expect(enter("PRIORITY").admission).toMatchObject({ isResponsive: false });
    },
  );
});

describe("over all its hosts a partner holds at most", () => {
  test.each(["PRIORITY", "RETRY", "EVENTS", "PLANS", "BULK", "PREFETCH"] as const)(
    "the slots of %s",
    (lane) => {
      const { fill, enter } = windowsAt();
      const host = (index: number) => `h${index}.example.com`;
      for (let index = 0; index < 300; index += 1) enter(lane, host(index)).answer(300);
      expect(fill(lane, host)).toBe(SLOTS_OF_PARTNER[lane]);
    },
  );

  test("the consumers of BULK, also with dispatches of one file each", () => {
    const { prove, enter } = windowsAt();
    prove();
    const granted = Array.from({ length: 100 }, (_, index) => enter("BULK", HOST, 1, `dispatch-${index}`));
    expect(granted.filter(({ admission }) => "slots" in admission)).toHaveLength(BULK_INVOCATIONS_OF_PARTNER);
    // A dispatch that holds slots at one host gets slots at its other hosts.
    prove("other.example.com");
    expect(enter("BULK", "other.example.com", 6, "dispatch-0").admission).toEqual({ slots: 6 });
    granted[0]?.answer();
    expect(enter("BULK", HOST, 1, "dispatch-99").admission).toHaveProperty("postponed_for_ms");
  });

  test("three consumers of BULK to download held files, and with them no more than to import", () => {
    const { prove, enter } = windowsAt();
    prove();
    const held = Array.from({ length: 10 }, (_, index) => enter("PREFETCH", HOST, 1, `held-${index}`));
    expect(held.filter(({ admission }) => "slots" in admission)).toHaveLength(
      PREFETCH_INVOCATIONS_OF_PARTNER,
    );
    const imports = Array.from({ length: 100 }, (_, index) => enter("BULK", HOST, 1, `import-${index}`));
    expect(imports.filter(({ admission }) => "slots" in admission)).toHaveLength(
      BULK_INVOCATIONS_OF_PARTNER - PREFETCH_INVOCATIONS_OF_PARTNER,
    );
  });

  test("a few slots at hosts without a recent response, however many these are", () => {
    const { fill } = windowsAt();
    expect(fill("PRIORITY", (index) => `h${index}.example.com`)).toBe(FIRST_SIZE);
  });

  test("no slot of a live ride or an import at a host that has not responded yet, while held files hang at other hosts", () => {
    const { enter } = windowsAt();
    for (let index = 0; index < 20; index += 1) {
      const held = enter("PREFETCH", `h${index}.hanging.example.com`);
      if ("slots" in held.admission) held.timeOut();
    }
    expect(enter("PREFETCH", "h99.hanging.example.com").admission).toHaveProperty("postponed_for_ms");
    for (const lane of ["PRIORITY", "BULK", "RETRY"] as const) expect(enter(lane).admission).toEqual(OPEN);
  });

  test("a window for each of a thousand hosts: the least recently used one is evicted", () => {
    const { suspend, prove, enter, pass } = windowsAt();
    suspend("PRIORITY");
    for (let index = 0; index < HOSTS_REMEMBERED; index += 1) prove(`h${index}.example.com`);
    pass(1);
    expect(enter("PRIORITY").admission).toEqual(OPEN);
  });
});

describe("work without a slot at a responsive host", () => {
  test("returns as fast as slots become free, not all together", () => {
    const { prove, postponeBusy, pass } = windowsAt();
    prove();
    const pauses = postponeBusy(1_200, "EVENTS");
    expect(pauses[0]).toBe(2_000);
    expect(new Set(pauses).size).toBe(pauses.length);
    expect(pauses.at(-1)).toBeGreaterThan(100_000);
    // Live rides do not wait behind it.
    expect(postponeBusy(1, "PRIORITY")).toEqual([2_000]);
    pass(400_000);
    expect(postponeBusy(1, "EVENTS")).toEqual([2_000]);
  });

  test("returns within half an hour", () => {
    const { postponeBusy } = windowsAt();
    expect(Math.max(...postponeBusy(30_000, "PLANS"))).toBe(30 * 60_000);
  });
});

describe("a suspended host", () => {
  test("gets no live ride and no history, and one probe of the RETRY queue at a time", () => {
    const { suspend, enter, pass } = windowsAt();
    suspend("PRIORITY");
    expect(forMs(enter("RETRY").admission)).toBe(FIRST_PAUSE_MS);
    pass(FIRST_PAUSE_MS);
    expect(enter("PRIORITY").admission).toHaveProperty("postponed_for_ms");
    expect(enter("BULK").admission).toHaveProperty("postponed_for_ms");
    const probe = enter("RETRY", HOST, 6);
    expect(probe.admission).toEqual(OPEN);
    expect(enter("RETRY").admission).toHaveProperty("postponed_for_ms");
    probe.timeOut();
    expect(forMs(enter("RETRY").admission)).toBe(2 * FIRST_PAUSE_MS);
    pass(2 * FIRST_PAUSE_MS);
    enter("RETRY").answer();
    expect(enter("PRIORITY").admission).toEqual(OPEN);
  });

  test("is probed again after the importer of its probe has crashed", () => {
    const { suspend, enter, pass } = windowsAt();
    suspend("PRIORITY");
    pass(FIRST_PAUSE_MS);
    expect(enter("RETRY").admission).toEqual(OPEN);
    pass(SLOT_LASTS_MS);
    expect(enter("RETRY").admission).toEqual(OPEN);
  });

  test("is suspended for one kind of requests only: downloads, events or plan requests", () => {
    const { suspend, enter } = windowsAt();
    suspend("EVENTS");
    expect(enter("PRIORITY").admission).toEqual(OPEN);
    expect(enter("PLANS").admission).toEqual(OPEN);
    expect(enter("EVENTS").admission).toHaveProperty("postponed_for_ms");
  });

  test("gets its postponed work back one after another, within half an hour", () => {
    const { suspend, enter } = windowsAt();
    suspend("PRIORITY");
    const waits = Array.from({ length: 10_000 }, () => forMs(enter("PRIORITY").admission));
    expect(waits.slice(0, 3)).toEqual([5_000, 5_250, 5_500]);
    expect(waits.at(-1)).toBe(30 * 60_000);
  });

  test("suspends all hosts without a recent response until one of them responds; other hosts continue", () => {
    const { suspend, enter, pass, prove } = windowsAt();
    prove("well.example.com");
    pass(RECENT_MS);
    prove("well.example.com");
    pass(1);
    suspend("PRIORITY");
    expect(enter("PRIORITY", "new.example.com").admission).toHaveProperty("postponed_for_ms");
    expect(enter("PRIORITY", "well.example.com").admission).toEqual(OPEN);
    pass(FIRST_PAUSE_MS);
    // The probe of this host does not use the probe of the shared window.
    expect(enter("RETRY").admission).toEqual(OPEN);
    const probe = enter("RETRY", "new.example.com");
    expect(probe.admission).toEqual(OPEN);
    probe.answer();
    expect(enter("PRIORITY", "another.example.com").admission).toEqual(OPEN);
    expect(enter("PRIORITY").admission).toHaveProperty("postponed_for_ms");
  });
});

test("results of an expired lease count", () => {
  const windows = new WindowsOfPartner();
  const place = { lease: "of an earlier life", lane: "PRIORITY", host: HOST } as const;
  expect(windows.leave(place, { answers: 0, timeouts: 1 }, NOW)).toBe(true);
  expect(windows.enter({ ...place, lease: "another", invocation: "one", wanted: 1 }, NOW)).toHaveProperty(
    "postponed_for_ms",
  );
});

test("a host that responds to one of two URLs keeps its window", () => {
  const { enter, pass } = windowsAt();
  for (let pair = 0; pair < 20; pair += 1) {
    const [good, dead] = [enter("PRIORITY"), enter("PRIORITY")];
    good.answer(2);
    pass(RECENT_MS);
    dead.timeOut();
    expect(enter("PRIORITY").admission).toEqual(OPEN);
  }
});
