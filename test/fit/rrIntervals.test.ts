import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeActivities, decodeWithData } from "../../src/fit/index.ts";
import { decode, decodeOne, rrOf } from "../support/fitDecode.ts";
import { activityFile, concat, T0, type Field, type FitBuilder } from "../support/fitBuilder.ts";

const NONE = 0xffff;

/** Appends an `hrv` message with milliseconds, filled up with invalid members as devices do. */
function hrv(file: FitBuilder, ...milliseconds: readonly number[]): FitBuilder {
  const members = [...milliseconds, ...Array.from({ length: 5 - milliseconds.length }, () => NONE)];
  return file.message(78, [[0, "uint16", members]], { local: 7 });
}

const heart = (rate: number): Field[] => [[3, "uint8", rate]];

/** A file with a record and an `hrv` message of one interval of a second for each of these seconds. */
function withBeats(
  seconds: readonly number[],
  silent: (second: number) => boolean = () => false,
): FitBuilder {
  const file = activityFile();
  for (const second of seconds) {
    file.record(second, heart(60));
    if (second > 0 && !silent(second)) hrv(file, 1000);
  }
  return file;
}

const upTo = (count: number) => Array.from({ length: count + 1 }, (_, i) => i);

describe("beat-to-beat intervals", () => {
  test("are the members of hrv messages, in seconds, without invalid ones", () => {
    const file = activityFile().record(0, heart(70));
    hrv(file.record(1, heart(70)), 800, 812);
    hrv(file.record(2, heart(70)), 845);
    expect(rrOf(file.session([], 2).build())).toMatchObject({
      source: "hrv",
      intervals_in_seconds: [0.8, 0.812, 0.845],
      truncated: false,
    });
  });

  test("continue each other between the records around them", () => {
    const file = activityFile().record(0, heart(70));
    hrv(file.record(1, heart(70)), 500);
    hrv(file.record(2, heart(70)), 900, 900);
    hrv(file.record(3, heart(70)), 700);
    expect(rrOf(file.session([], 4).build()).time_in_seconds).toEqual([1, 1.9, 2.8, 3.5]);
  });

  test("end within a second of the last record after a drop-out of 7 minutes", () => {
    const isSilent = (second: number) => second > 100 && second <= 520;
    const file = withBeats(upTo(600), isSilent).session([], 600).build();
    const { time_in_seconds: times, coverage } = rrOf(file);
    expect(times).toHaveLength(180);
    expect(times[99]).toBe(100);
    expect(times[100]).toBe(521);
    expect(times.at(-1)).toBe(600);
    expect(coverage).toBe(0.3);
  });

  test("end within a second of the last record after a pause without records, too", () => {
    const seconds = upTo(600).filter((second) => second <= 100 || second > 520);
    const file = withBeats(seconds)
      .session([[8, "uint32", 180_000]], 600)
      .build();
    expect(rrOf(file).time_in_seconds.at(-1)).toBe(600);
    expect(rrOf(file).coverage).toBe(0.994);
  });

  test("that bridge a drop-out shift nothing, and do not cover it", () => {
    const file = activityFile();
    for (const second of upTo(30)) {
      file.record(second, heart(60));
      if (second === 20) hrv(file, 11_000);
      else if (second > 0 && (second < 10 || second > 20)) hrv(file, 1000);
    }
    const { time_in_seconds: times, coverage } = rrOf(file.session([], 30).build());
    expect(times.slice(8, 11)).toEqual([9, 20, 21]);
    expect(coverage).toBe(0.633);
  });

  test("that add up to more time than passed never run ahead of the records", () => {
    const file = activityFile();
    for (const second of upTo(60)) hrv(file.record(second, heart(60)), 900, 900);
    const { time_in_seconds: times, coverage } = rrOf(file.session([], 60).build());
    expect(times).toHaveLength(122);
    expect(times.at(-1)).toBe(60);
    expect(coverage).toBe(1);
  });

  test("fill the time between records that are seconds apart", () => {
    const file = activityFile().record(0, heart(60));
    for (const from of [0, 6, 12]) {
      for (let i = 0; i < 6; i++) hrv(file, 1000);
      file.record(from + 6, heart(60));
    }
    expect(rrOf(file.session([], 18).build()).time_in_seconds).toEqual(upTo(17).map((i) => Math.max(0, i)));
  });

  test("before the first record are at the start, unless the file has all of them there", () => {
    const few = hrv(activityFile(), 800, 800)
      .record(0, heart(60))
      .record(1, heart(60))
      .session([], 2)
      .build();
    expect(rrOf(few).time_in_seconds).toEqual([0, 0]);
    const all = activityFile();
    for (let i = 0; i < 100; i++) hrv(all, 1000);
    for (const second of upTo(100)) all.record(second, heart(60));
    expect(rrOf(all.session([], 100).build()).time_in_seconds).toEqual(upTo(100).slice(1));
  });

  test("after all records end with the last one", () => {
    const file = activityFile();
    for (const second of upTo(100)) file.record(second, heart(60));
    for (let i = 0; i < 100; i++) hrv(file, 1000);
    expect(rrOf(file.session([], 100).build()).time_in_seconds).toEqual(upTo(100).slice(1));
  });

  test("count from the start in a file without records, and in one without times", () => {
    const alone = hrv(activityFile(), 900, 900).session().build();
    expect(rrOf(alone).time_in_seconds).toEqual([0.9, 1.8]);
    const untimed = hrv(activityFile().record(null, heart(60)), 900, 900).record(null, heart(61));
    expect(rrOf(untimed.build()).time_in_seconds).toEqual([0.9, 1.8]);
  });

  test("an activity without them has empty lists", () => {
    const ride = activityFile().record(0, heart(60)).record(10, heart(60)).session([], 10).build();
    expect(decodeOne(ride).has_rr_intervals).toBe(false);
    expect(rrOf(ride)).toEqual({
      source: null,
      coverage: 0,
      artefact_share: null,
      truncated: false,
      time_in_seconds: [],
      intervals_in_seconds: [],
    });
  });

  test("are only of invalid members: the activity has none", () => {
    const file = hrv(activityFile().record(0, heart(60)))
      .session()
      .build();
    expect(decodeOne(file).has_rr_intervals).toBe(false);
    expect(rrOf(file).source).toBeNull();
  });

  test("beyond the maximum are left out, and the answer says so", () => {
    const file = withBeats(upTo(50)).session([], 50).build();
    expect(rrOf(file, 0, 20)).toMatchObject({ truncated: true, source: "hrv" });
    expect(rrOf(file, 0, 20).time_in_seconds).toEqual(upTo(20).slice(1));
    expect(rrOf(file, 0, 50).truncated).toBe(false);
  });
});

describe("messages with a time of their own", () => {
  const beats = (file: FitBuilder, second: number, milliseconds: number, ...times: readonly number[]) =>
    file.message(
      290,
      [
        [253, "uint32", T0 + second],
        [0, "uint16", milliseconds],
        [1, "uint16", times],
      ],
      { local: 8 },
    );

  test("end at it", () => {
    const file = activityFile().record(0, heart(60)).record(100, heart(60));
    beats(file, 10, 250, 800, 900);
    beats(file, 60, 0, 1000, 1100);
    expect(rrOf(file.session([], 100).build())).toMatchObject({
      source: "beat_intervals",
      intervals_in_seconds: [0.8, 0.9, 1, 1.1],
      time_in_seconds: [9.35, 10.25, 58.9, 60],
    });
  });

  test("begin at it where only then they continue each other", () => {
    const file = activityFile().record(0, heart(60)).record(100, heart(60));
    beats(file, 10, 0, 1000, 1000, 1000);
    beats(file, 13, 0, 500);
    beats(file, 13, 500, 900, 900);
    expect(rrOf(file.session([], 100).build()).time_in_seconds).toEqual([11, 12, 13, 13.5, 14.4, 15.3]);
  });

  test("are placed by records where their clock is wrong", () => {
    const file = activityFile().record(0, heart(60)).record(1, heart(60));
    beats(file, 90_000, 0, 1000);
    expect(rrOf(file.record(2, heart(60)).session([], 2).build()).time_in_seconds).toEqual([1]);
  });

  test("raw_bbi: 14 bits of time, a bit of quality and one for a gap", () => {
    const [good, gap] = [0x4000, 0x8000];
    const file = activityFile().record(0, heart(60)).record(100, heart(60));
    file.message(372, [
      [253, "uint32", T0 + 20],
      [0, "uint16", 500],
      [1, "uint16", [good | 800, 900, gap | 5000, good | 1000, NONE]],
    ]);
    expect(rrOf(file.session([], 100).build())).toMatchObject({
      source: "raw_bbi",
      intervals_in_seconds: [0.8, 0.9, 1],
      time_in_seconds: [13.6, 14.5, 20.5],
      artefact_share: 0.333,
    });
  });

  test("raw_bbi: a list of times with lists of qualities and gaps", () => {
    const file = activityFile().record(0, heart(60)).record(100, heart(60));
    file.message(
      372,
      [
        [253, "uint32", T0 + 20],
        [2, "uint16", [800, 5000, 810]],
        [3, "uint8", [1, 1, 0]],
        [4, "uint8", [0, 1, 0]],
      ],
      { bigEndian: true },
    );
    expect(rrOf(file.session([], 100).build())).toMatchObject({
      intervals_in_seconds: [0.8, 0.81],
      time_in_seconds: [14.19, 20],
      artefact_share: 0.5,
    });
  });

  test("of several kinds of messages in a session the one with the most intervals counts", () => {
    const file = withBeats(upTo(10));
    beats(file, 5, 0, 1000, 1000);
    expect(rrOf(file.session([], 10).build())).toMatchObject({ source: "hrv" });
    const other = hrv(activityFile().record(0, heart(60)), 1000).record(10, heart(60));
    beats(other, 5, 0, 1000, 1000);
    expect(rrOf(other.session([], 10).build())).toMatchObject({ source: "beat_intervals" });
  });
});

describe("sessions", () => {
  const session = (file: FitBuilder, start: number, seconds: number, sport: number) =>
    file.message(
      18,
      [
        [253, "uint32", T0 + start + seconds],
        [2, "uint32", T0 + start],
        [5, "enum", sport],
        [7, "uint32", seconds * 1000],
        [8, "uint32", seconds * 1000],
      ],
      { local: 2 },
    );

  test("each has the intervals between its records, in seconds since its start", () => {
    const file = withBeats(upTo(29), (second) => second >= 10 && second < 20);
    session(session(session(file, 0, 10, 1), 10, 10, 3), 20, 10, 2);
    const bytes = file.build();
    expect(decode(bytes).activities.map((activity) => activity.has_rr_intervals)).toEqual([
      true,
      false,
      true,
    ]);
    expect(rrOf(bytes, 0).time_in_seconds).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(rrOf(bytes, 1).time_in_seconds).toEqual([]);
    expect(rrOf(bytes, 2).time_in_seconds).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(rrOf(bytes, 2).coverage).toBe(0.9);
  });

  test("intervals before the first record belong to its session", () => {
    const file = hrv(activityFile(), 1000).record(15, heart(60)).record(16, heart(60));
    session(session(file, 0, 10, 1), 10, 10, 2);
    const bytes = file.build();
    expect(decode(bytes).activities.map((activity) => activity.has_rr_intervals)).toEqual([false, true]);
    expect(rrOf(bytes, 1).time_in_seconds).toEqual([5]);
  });

  test("of chained files have their own, and a chained file of intervals belongs to the activity before it", () => {
    const first = withBeats(upTo(10)).session([], 10).build();
    const second = activityFile().record(0, heart(60)).record(10, heart(60)).session([], 10).build();
    const stored = activityFile();
    for (let i = 0; i < 4; i++) hrv(stored, 1000);
    const bytes = concat(first, second, stored.build());
    expect(decode(bytes).activities.map((activity) => activity.has_rr_intervals)).toEqual([true, true]);
    expect(rrOf(bytes, 0).time_in_seconds).toEqual(upTo(10).slice(1));
    expect(rrOf(bytes, 1).time_in_seconds).toEqual([7, 8, 9, 10]);
  });

  test("an inspection has the intervals of each, at most the maximum together", () => {
    const file = withBeats(upTo(20));
    session(session(file, 0, 10, 1), 10, 10, 2);
    const decoded = decodeWithData(file.build(), { fallbackStartInSeconds: null, most: 12 });
    if (!decoded.ok || decoded.data === null) throw new Error("no data");
    const lists = decoded.data.map(({ rrIntervals }) => rrIntervals);
    expect(lists.map(({ time_in_seconds: times }) => times.length)).toEqual([9, 3]);
    expect(lists.map(({ truncated }) => truncated)).toEqual([false, true]);
  });
});

describe("artefacts", () => {
  const shareOf = (...milliseconds: readonly number[]) => {
    const file = activityFile();
    milliseconds.forEach((length, second) => hrv(file.record(second, heart(60)), length));
    return rrOf(file.session([], milliseconds.length).build()).artefact_share;
  };
  const even = Array.from({ length: 20 }, () => 800);

  test("are intervals far from the local median or beyond physiologic limits", () => {
    expect(shareOf(...even)).toBe(0);
    expect(shareOf(...even.with(7, 950))).toBe(0);
    expect(shareOf(...even.with(7, 970))).toBe(0.05);
    expect(shareOf(...even.with(0, 400), 1600)).toBe(0.095);
    expect(shareOf(...even.map(() => 200))).toBe(1);
    expect(shareOf(...even.map(() => 2100))).toBe(1);
  });

  test("are not a change of pace", () => {
    expect(shareOf(...even, ...even.map(() => 640))).toBe(0);
    expect(shareOf(...even, ...even.map(() => 400))).toBeLessThan(0.2);
  });
});

describe("whatever a file contains", () => {
  const messages = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("record"), at: fc.integer({ min: -100, max: 2000 }) }),
      fc.record({ kind: fc.constant("silence"), at: fc.integer({ min: 0, max: 900 }) }),
      fc.record({
        kind: fc.constantFrom("hrv", "beats", "raw"),
        at: fc.integer({ min: -100, max: 2000 }),
        times: fc.array(fc.integer({ min: 0, max: NONE }), { minLength: 1, maxLength: 8 }),
      }),
    ),
    { maxLength: 60 },
  );

  test("times never decrease, nothing is negative or NaN, and no interval is lost", () => {
    fc.assert(
      fc.property(messages, fc.boolean(), (parts, isTwoSessions) => {
        const file = activityFile();
        let hrvBeats = 0;
        for (const part of parts) {
          const times = "times" in part ? part.times : [];
          if (part.kind === "record") file.record(part.at, heart(60));
          else if (part.kind === "hrv") {
            file.message(78, [[0, "uint16", times]], { local: 7 });
            hrvBeats += times.filter((time) => time !== NONE).length;
          } else if (part.kind !== "silence") {
            const stamp: Field[] = [[253, "uint32", T0 + part.at]];
            file.message(part.kind === "beats" ? 290 : 372, [...stamp, [1, "uint16", times]], { local: 8 });
          }
        }
        file.session([], 600);
        if (isTwoSessions) file.session([[2, "uint32", T0 + 600]], 900);
        const result = decodeActivities(file.build(), { fallbackStartInSeconds: null });
        if (!result.ok) throw new Error(result.problem.code);
        const all = result.activities.map((_, index) => rrOf(file.build(), index));
        for (const [index, found] of all.entries()) {
          const { time_in_seconds: times, intervals_in_seconds: lengths, coverage } = found;
          expect(times).toHaveLength(lengths.length);
          expect(result.activities[index]?.has_rr_intervals).toBe(times.length > 0);
          times.forEach((time, i) => expect(time).toBeGreaterThanOrEqual(times[i - 1] ?? 0));
          for (const length of lengths) expect(length).toBeGreaterThanOrEqual(0);
          expect(coverage).toBeGreaterThanOrEqual(0);
          expect(coverage).toBeLessThanOrEqual(1);
          if (found.artefact_share !== null) expect(found.artefact_share).toBeLessThanOrEqual(1);
        }
        const counted = all.filter(({ source }) => source === "hrv");
        const only = parts.every(({ kind }) => kind !== "beats" && kind !== "raw");
        const total = counted.reduce((sum, { time_in_seconds: times }) => sum + times.length, 0);
        if (only) expect(total).toBe(hrvBeats);
      }),
      { numRuns: 300 },
    );
  });

  test("after any drop-outs the last beat lies within a second of the last record", () => {
    const silences = fc.array(fc.tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 1, max: 500 })), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(silences, fc.integer({ min: 300, max: 1900 }), fc.boolean(), (gaps, length, isPause) => {
        const isSilent = (second: number) =>
          second < 1995 && gaps.some(([from, seconds]) => second >= from && second < from + seconds);
        const file = activityFile();
        let beat = 0;
        for (const second of upTo(2000)) {
          const due: number[] = [];
          for (; beat + length / 1000 <= second; beat += length / 1000) due.push(length);
          if (isSilent(second)) {
            if (!isPause) file.record(second, heart(60));
            continue;
          }
          file.record(second, heart(60));
          if (due.length > 0) hrv(file, ...due.slice(0, 5));
        }
        const times = rrOf(file.session([], 2000).build()).time_in_seconds;
        expect(Math.abs((times.at(-1) ?? 0) - 2000)).toBeLessThanOrEqual(length / 1000);
        expect(Math.abs((times.at(-1) ?? 0) - 2000)).toBeLessThanOrEqual(2);
      }),
      { numRuns: 60 },
    );
  });
});
