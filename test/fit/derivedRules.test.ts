import { describe, expect, test } from "vitest";
import { decodeActivities } from "../../src/fit/index.ts";
import { columnsOf, decode, decodeOne, problemOf } from "../support/fitDecode.ts";
import { activityFile, FitBuilder, T0, T0_UNIX, type Field } from "../support/fitBuilder.ts";

const HEART_RATE = "heart_rate_in_beats_per_minute";
const rate = (beats: number): Field => [3, "uint8", beats];
const altitude = (meters: number): Field => [2, "uint16", (meters + 500) * 5];
const timerEvent = (second: number, type: number): Field[] => [
  [253, "uint32", T0 + second],
  [0, "enum", 0],
  [1, "enum", type],
];
/** A record at 5 m/s and 200 W. */
const moving = (second: number): Field[] => [
  [5, "uint32", second * 500],
  [6, "uint16", 5_000],
  [7, "uint16", 200],
];

/** Seconds and meters: movement, a stop of a minute, movement. */
const STOP_BETWEEN = [
  [0, 0],
  [60, 300],
  [120, 300],
  [180, 600],
] as const;

describe("moving time", () => {
  test.each([
    ["total_moving_time", [59, "uint32", 250_000], 250],
    ["active_time", [78, "uint32", 240_000], 240],
  ] as const)("is %s of the session", (_, field, seconds) => {
    const activity = decodeOne(activityFile().session([field]).build());
    expect(activity.moving_time_in_seconds).toBe(seconds);
    expect(activity.derived).not.toContain("moving_time_in_seconds");
  });

  test("of a lap is its active_time", () => {
    const bytes = activityFile()
      .lap([[70, "uint32", 55_000]])
      .session()
      .build();
    expect(decodeOne(bytes).laps[0]?.moving_time_in_seconds).toBe(55);
  });

  test("in a pool is the time of active lengths", () => {
    const file = activityFile();
    for (const type of [1, 1, 0, 1])
      file.length([
        [3, "uint32", 30_000],
        [12, "enum", type],
      ]);
    const activity = decodeOne(file.session([[5, "enum", 5]]).build());
    expect(activity.moving_time_in_seconds).toBe(90);
    expect(activity.derived).toContain("moving_time_in_seconds");
  });

  test("follows the distance when there is no speed", () => {
    const file = activityFile();
    for (const [second, meters] of STOP_BETWEEN) {
      file.record(second, [[5, "uint32", meters * 100]]);
    }
    expect(decodeOne(file.session([], 180).build()).moving_time_in_seconds).toBe(120);
  });
});

describe("records with only some of the readings", () => {
  /** A record with a position only, as some watches write between records with speed and distance. */
  const position: Field[] = [
    [0, "sint32", 500_000_000],
    [1, "sint32", 100_000_000],
  ];

  test("do not interrupt movement", () => {
    const file = activityFile();
    for (let second = 0; second < 300; second += 10) {
      file.record(second, [...moving(second), rate(120)]).record(second + 3, position);
      file.record(second + 6, position);
    }
    expect(decodeOne(file.record(300, moving(300)).session([], 300).build())).toMatchObject({
      moving_time_in_seconds: 300,
      work_in_kilojoules: 60,
      average_power_in_watts: 200,
      average_heart_rate_in_beats_per_minute: 120,
    });
  });

  test("do not interrupt movement by distance", () => {
    const file = activityFile();
    for (const [second, meters] of STOP_BETWEEN) {
      file.record(second, [[5, "uint32", meters * 100]]).record(second + 20, position);
    }
    expect(decodeOne(file.session([], 200).build()).moving_time_in_seconds).toBe(120);
  });

  test("count as movement by distance where speed is missing for long", () => {
    const file = activityFile().record(0, moving(0));
    for (let second = 1; second < 200; second++)
      file.record(second, [[5, "uint32", Math.min(second, 150) * 500]]);
    expect(decodeOne(file.session([], 200).build()).moving_time_in_seconds).toBe(150);
  });

  test("keep a power for 10 seconds at most", () => {
    const file = activityFile();
    for (let second = 0; second <= 300; second++)
      file.record(second, second % 100 === 0 ? moving(second) : position);
    expect(decodeOne(file.session([], 300).build())).toMatchObject({
      work_in_kilojoules: 6,
      average_power_in_watts: 200,
    });
  });
});

describe("records that are far apart", () => {
  test("hold until the next one", () => {
    const file = activityFile();
    for (let second = 0; second <= 300; second += 60) file.record(second, moving(second));
    expect(decodeOne(file.session([], 300).build())).toMatchObject({
      moving_time_in_seconds: 300,
      work_in_kilojoules: 60,
      average_power_in_watts: 200,
    });
  });

  test("do not hold while the timer is stopped", () => {
    const file = activityFile().record(0, moving(0)).record(60, moving(60));
    file.message(21, timerEvent(60, 4)).message(21, timerEvent(260, 0));
    file.record(300, moving(100));
    expect(decodeOne(file.session([[8, "uint32", 100_000]], 300).build())).toMatchObject({
      moving_time_in_seconds: 100,
      work_in_kilojoules: 20,
    });
  });

  test("do not hold when the device did not move", () => {
    const file = activityFile().record(0, moving(0)).record(60, moving(60));
    file.record(300, moving(60));
    expect(decodeOne(file.session([], 300).build())).toMatchObject({
      moving_time_in_seconds: 61,
      work_in_kilojoules: 12.2,
    });
  });

  test("have a normalized power in no time", () => {
    const file = activityFile();
    for (let i = 0; i < 1_000; i++) file.record(i * 4_000_000, [[7, "uint16", 200]]);
    const started = performance.now();
    expect(decodeOne(file.session([], 4_000_000).build()).normalized_power_in_watts).toBe(200);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("a wrong clock", () => {
  const timesOf = (seconds: readonly number[], session: readonly Field[] = [], elapsed = 600) => {
    const file = activityFile();
    seconds.forEach((second, i) => file.record(second, [rate(100 + (i % 100))]));
    return columnsOf(file.session(session, elapsed).build())["time_in_seconds"];
  };
  const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

  test.each([1_000, 100_000, 50_000_000])("%i s ahead in a few records moves no other row", (ahead) => {
    const times = timesOf([0, 1, 2, ahead, ahead + 1, 5, 6, 7]);
    expect(times).toEqual([0, 1, 2, 2, 2, 5, 6, 7]);
  });

  test("that restarts continues after the records before it", () => {
    const times = timesOf([...range(0, 20), ...range(-100_000, 20)]);
    expect(times).toEqual([...range(0, 20), ...range(19, 20)]);
  });

  test("that restarts and is set again leaves the other rows where they are", () => {
    const times = timesOf([...range(0, 20), ...range(-100_000, 20), ...range(60, 20)]);
    expect(times).toEqual([...range(0, 20), ...range(19, 20), ...range(60, 20)]);
  });

  test("in the last record does not count for computed values", () => {
    const file = activityFile();
    for (const second of [0, 1, 2, 3_000_000]) file.record(second, [rate(120)]);
    const bytes = file.build();
    expect(decode(bytes).warnings).toEqual(["clock_jump"]);
    expect(decodeOne(bytes)).toMatchObject({ elapsed_time_in_seconds: 2, timer_time_in_seconds: 2 });
  });

  test("that sets a session's start after its records and laps is ignored", () => {
    const bytes = activityFile()
      .record(0, [rate(120)])
      .record(1, [rate(121)])
      .lap([[2, "uint32", T0]])
      .session([[2, "uint32", T0 + 5_000]], 2)
      .build();
    expect(decodeOne(bytes).start_time_in_seconds).toBe(T0_UNIX);
    expect(decodeOne(bytes).derived).toContain("start_time_in_seconds");
    expect(columnsOf(bytes)["time_in_seconds"]).toEqual([0, 1]);
  });
});

describe("a timer longer than the elapsed time", () => {
  const durations = (end: number) => {
    const bytes = activityFile()
      .session([
        [253, "uint32", T0 + end],
        [7, "uint32", 100_000],
        [8, "uint32", 200_000],
      ])
      .build();
    const { elapsed_time_in_seconds: elapsed, timer_time_in_seconds: timer } = decodeOne(bytes);
    return { elapsed, timer, warnings: decode(bytes).warnings };
  };

  test("is cut when start and end confirm the elapsed time", () => {
    expect(durations(100)).toEqual({ elapsed: 100, timer: 100, warnings: ["elapsed_corrected"] });
  });

  test("is right otherwise", () => {
    expect(durations(0)).toEqual({ elapsed: 200, timer: 200, warnings: ["elapsed_corrected"] });
  });
});

describe("ascent and descent", () => {
  const climb = (...meters: number[]) => {
    const file = activityFile();
    meters.forEach((height, second) => file.record(second, [altitude(height)]));
    const { ascent_in_meters: ascent, descent_in_meters: descent } = decodeOne(file.session().build());
    return [ascent, descent];
  };

  test("reach from valley to peak", () => {
    expect(climb(100, 101, 102, 103, 104, 105, 104, 103, 102, 101, 100)).toEqual([5, 5]);
  });

  test("ignore noise of less than 3 m on the way", () => {
    expect(climb(100, 110, 108, 112, 110, 120, 119)).toEqual([20, 0]);
  });
});

describe("average cadence", () => {
  const averageOf = (sport: number) => {
    const file = activityFile();
    [90, 0, 0, 90].forEach((cadence, second) => file.record(second, [[4, "uint8", cadence]]));
    return decodeOne(file.session([[5, "enum", sport]], 4).build()).average_cadence_in_cycles_per_minute;
  };

  test.each([
    ["running", 1, 45],
    ["walking", 11, 45],
    ["hiking", 17, 45],
    ["cycling", 2, 90],
    ["rowing", 15, 90],
  ])("of %s counts zeros only on foot", (_, sport, average) => {
    expect(averageOf(sport)).toBe(average);
  });
});

test("A start before FIT's first second in the ping is no start", () => {
  const bytes = activityFile()
    .record(null, [rate(140)])
    .message(18, [[5, "enum", 2]], { local: 2 })
    .build();
  expect(decodeOne(bytes, 0).start_time_in_seconds).toBeNull();
  expect(decodeOne(bytes, 1_700_000_000).start_time_in_seconds).toBe(1_700_000_000);
});

test("Rows and positions do not depend on the requested keys", () => {
  const file = activityFile();
  for (let i = 0; i < 3; i++) {
    file.record(null, [
      [0, "sint32", 2 ** 29 + i],
      [1, "sint32", -(2 ** 29)],
      [3, "uint8", i === 1 ? 140 : 255],
    ]);
  }
  const bytes = file.session().build();
  expect(columnsOf(bytes, { keys: ["longitude_in_degrees"] })).toEqual({
    longitude_in_degrees: [-45, -45, -45],
  });
  expect(columnsOf(bytes, { keys: [HEART_RATE] })).toEqual({ [HEART_RATE]: [null, 140, null] });
});

test("A workout file with a session is an activity only if it has records", () => {
  const workout = (records: number) => {
    const file = new FitBuilder().fileId(5);
    for (let second = 0; second < records; second++) file.record(second, [rate(140)]);
    return file.session().build();
  };
  expect(problemOf(workout(0))).toBe("not_an_activity");
  expect(problemOf(workout(2))).toBeNull();
});

describe("the warning of a start that cannot be right", () => {
  const warningsWith = (fallbackStartInSeconds: number | null, receivedAtInSeconds: number | null) => {
    const result = decodeActivities(activityFile().session().build(), {
      fallbackStartInSeconds,
      receivedAtInSeconds,
    });
    return result.ok ? result.warnings : [];
  };

  test.each<[string, number | null, number | null, boolean]>([
    ["without a ping", null, null, false],
    ["a day from the ping's start", T0_UNIX + 86_400, null, false],
    ["more than a day before the ping's start", T0_UNIX + 86_401, null, true],
    ["more than a day after the ping's start", T0_UNIX - 86_401, null, true],
    ["with an unknown start in the ping", 0, null, false],
    ["before it was received", T0_UNIX, T0_UNIX + 10, false],
    ["after it was received", T0_UNIX, T0_UNIX - 3_600, true],
  ])("%s", (_, start, receivedAt, isWarned) => {
    expect(warningsWith(start, receivedAt)).toEqual(isWarned ? ["start_time_mismatch"] : []);
  });
});

describe("the sport of a session without one", () => {
  const sportOf = (message: readonly Field[] | null, lap: readonly Field[]) => {
    const file = activityFile()
      .record(0, [rate(140)])
      .lap(lap);
    if (message !== null) file.message(12, message);
    const { sport, sub_sport, derived } = decodeOne(file.build());
    return [sport, sub_sport, derived.includes("sport")];
  };
  const lap: Field[] = [
    [25, "enum", 1],
    [39, "enum", 1],
  ];

  test("is that of the sport message", () => {
    expect(sportOf([[0, "enum", 2]], lap)).toEqual(["cycling", null, true]);
  });

  test("is that of its laps when there is no sport message", () => {
    expect(sportOf(null, lap)).toEqual(["running", "treadmill", true]);
  });
});

test("A length with only a timer time has that duration", () => {
  const bytes = activityFile()
    .length([
      [4, "uint32", 25_000],
      [12, "enum", 1],
      [253, "uint32", T0 + 25],
    ])
    .session()
    .build();
  expect(decodeOne(bytes).lengths).toMatchObject([
    { elapsed_time_in_seconds: 25, start_time_in_seconds: T0_UNIX },
  ]);
});
