import { describe, expect, test } from "vitest";
import { columnsOf, decode, decodeOne } from "../support/fitDecode.ts";
import { activityFile, FitBuilder, T0, T0_UNIX, type Field } from "../support/fitBuilder.ts";

const record = (heartRate: number): Field[] => [[3, "uint8", heartRate]];
const HEART_RATE = "heart_rate_in_beats_per_minute";

/** Fields of a session message: start in seconds after T0, duration, sport. */
const sessionFields = (
  start: number,
  seconds: number,
  sport: number,
  more: readonly Field[] = [],
): Field[] => [
  [2, "uint32", T0 + start],
  [7, "uint32", seconds * 1000],
  [8, "uint32", seconds * 1000],
  [5, "enum", sport],
  ...more,
];

/** An event of the timer: 0 starts it, 4 stops it. */
const timerEvent = (second: number, type: number): Field[] => [
  [253, "uint32", T0 + second],
  [0, "enum", 0],
  [1, "enum", type],
];

describe("durations", () => {
  test("a session ends at its start plus its elapsed time, whatever its timestamp is", () => {
    const bytes = activityFile()
      .session([[253, "uint32", T0]], 3)
      .record(0, record(140))
      .record(2, record(141))
      .build();
    expect(decodeOne(bytes)).toMatchObject({ start_time_in_seconds: T0_UNIX, elapsed_time_in_seconds: 3 });
    expect(columnsOf(bytes)["time_in_seconds"]).toEqual([0, 2]);
  });

  test("the elapsed time is raised to a longer timer time", () => {
    const bytes = activityFile()
      .session([
        [7, "uint32", 1_000],
        [8, "uint32", 2_500],
      ])
      .build();
    expect(decodeOne(bytes)).toMatchObject({
      elapsed_time_in_seconds: 2.5,
      timer_time_in_seconds: 2.5,
      derived: [],
    });
    expect(decode(bytes).warnings).toEqual(["elapsed_corrected"]);
  });

  test("the timer does not run between its stop and start events", () => {
    const bytes = activityFile()
      .message(21, timerEvent(0, 0))
      .record(0, record(140))
      .message(21, timerEvent(10, 4))
      .message(21, timerEvent(40, 0))
      .record(100, record(140))
      .build();
    expect(decodeOne(bytes)).toMatchObject({ elapsed_time_in_seconds: 100, timer_time_in_seconds: 70 });
  });

  test("a session without a start begins with the first record", () => {
    const bytes = activityFile()
      .record(7, record(140))
      .message(18, [
        [7, "uint32", 60_000],
        [5, "enum", 2],
      ])
      .build();
    expect(decodeOne(bytes).start_time_in_seconds).toBe(T0_UNIX + 7);
    expect(decodeOne(bytes).derived).toContain("start_time_in_seconds");
  });
});

describe("without a session", () => {
  const file = () =>
    activityFile()
      .record(0, [...record(100), [5, "uint32", 1_000], [6, "uint16", 2_000], [13, "sint8", 20]])
      .record(1, [...record(110), [5, "uint32", 1_200], [6, "uint16", 4_000], [13, "sint8", 20]])
      .record(2, [...record(120), [5, "uint32", 1_600], [6, "uint16", 4_000], [13, "sint8", 20]]);

  test("one is derived from the records, and `derived` names every computed field", () => {
    const activity = decodeOne(file().build());
    expect(activity).toMatchObject({
      sport: "generic",
      start_time_in_seconds: T0_UNIX,
      elapsed_time_in_seconds: 2,
      timer_time_in_seconds: 2,
      moving_time_in_seconds: 2,
      distance_in_meters: 6,
      average_speed_in_meters_per_second: 3,
      max_speed_in_meters_per_second: 4,
      average_heart_rate_in_beats_per_minute: 110,
      max_heart_rate_in_beats_per_minute: 120,
      average_temperature_in_celsius: 20,
      average_power_in_watts: null,
    });
    const computed = Object.entries(activity)
      .filter(([name, value]) => value !== null && /^(sport|start_|.*_in_|.*_per_)/.test(name))
      .map(([name]) => name);
    expect(activity.derived.toSorted()).toEqual(computed.toSorted());
  });

  test("the sport is taken from the sport message", () => {
    const bytes = file()
      .message(12, [
        [0, "enum", 1],
        [1, "enum", 4],
      ])
      .build();
    expect(decodeOne(bytes)).toMatchObject({ sport: "running", sub_sport: "track" });
  });
});

describe("fields that a session lacks", () => {
  test("distance is the last minus the first record's", () => {
    const bytes = activityFile()
      .record(0, [[5, "uint32", 100_000]])
      .record(60, [[5, "uint32", 150_050]])
      .session()
      .build();
    expect(decodeOne(bytes)).toMatchObject({
      distance_in_meters: 500.5,
      streams: ["time_in_seconds", "distance_in_meters"],
    });
    expect(decodeOne(bytes).derived).toContain("distance_in_meters");
  });

  test("fields that the session has are never computed", () => {
    const bytes = activityFile()
      .record(0, [...record(100), [7, "uint16", 100]])
      .session([
        [16, "uint8", 150],
        [17, "uint8", 190],
        [20, "uint16", 0],
        [21, "uint16", 900],
      ])
      .build();
    const activity = decodeOne(bytes);
    expect(activity).toMatchObject({
      average_heart_rate_in_beats_per_minute: 150,
      max_heart_rate_in_beats_per_minute: 190,
      average_power_in_watts: 0,
      max_power_in_watts: 900,
    });
    expect(activity.derived).toEqual(["work_in_kilojoules"]);
  });

  test("power is averaged over time, normalized over 30 seconds, and summed to work", () => {
    const file = activityFile();
    for (let second = 0; second < 600; second++)
      file.record(second, [[7, "uint16", second < 300 ? 100 : 300]]);
    const activity = decodeOne(file.session().build());
    expect(activity.average_power_in_watts).toBe(200);
    expect(activity.work_in_kilojoules).toBe(120);
    // About ((100^4 + 300^4) / 2)^(1/4): half of the time at 100 W, half at 300 W, half a minute in between.
    expect(activity.normalized_power_in_watts).toBeGreaterThan(249);
    expect(activity.normalized_power_in_watts).toBeLessThan(256);
  });

  test("less than half a minute has no normalized power", () => {
    const file = activityFile();
    for (let second = 0; second < 29; second++) file.record(second, [[7, "uint16", 100]]);
    expect(decodeOne(file.session([], 29).build()).normalized_power_in_watts).toBeNull();
  });

  describe("with smart recording", () => {
    const ride = (session: readonly Field[], events: readonly [second: number, type: number][] = []) => {
      const file = activityFile().record(0, record(100)).record(9, record(150));
      for (const [second, type] of events) file.message(21, timerEvent(second, type));
      return decodeOne(file.record(1000, record(150)).session(session, 1001).build());
    };

    test("a reading holds until the next one while the timer runs", () => {
      expect(ride([]).average_heart_rate_in_beats_per_minute).toBe(149.6);
    });

    test("a reading does not hold while the timer is stopped", () => {
      const stopped = ride(
        [],
        [
          [10, 4],
          [999, 0],
        ],
      );
      // 9 s at 100, then 1 s before the stop, 1 s after it and 1 s at the end at 150.
      expect(stopped.average_heart_rate_in_beats_per_minute).toBe(112.5);
    });

    test("the longest gap is the pause when the session's timer is shorter and no event shows a stop", () => {
      expect(ride([[8, "uint32", 11_000]]).average_heart_rate_in_beats_per_minute).toBe(109.1);
    });
  });

  test("noise of less than three metres is no climb", () => {
    const file = activityFile();
    [100, 102, 100, 101, 110, 108, 90].forEach((meters, second) =>
      file.record(second, [[2, "uint16", (meters + 500) * 5]]),
    );
    expect(decodeOne(file.session().build())).toMatchObject({ ascent_in_meters: 10, descent_in_meters: 20 });
  });

  test("coasting does not lower the average cadence", () => {
    const file = activityFile();
    [90, 0, 0, 90].forEach((cadence, second) => file.record(second, [[4, "uint8", cadence]]));
    expect(decodeOne(file.session().build()).average_cadence_in_cycles_per_minute).toBe(90);
  });
});

describe("multisport", () => {
  const brick = (summaryFirst: boolean) => {
    const file = activityFile();
    const sessions = [sessionFields(0, 3, 2), sessionFields(3, 3, 3), sessionFields(6, 3, 1)];
    if (summaryFirst) for (const session of sessions) file.message(18, session, { local: 2 });
    for (let second = 0; second < 9; second++) file.record(second, record(100 + second));
    if (!summaryFirst) for (const session of sessions) file.message(18, session, { local: 2 });
    return file.build();
  };

  test.each([
    ["first", true],
    ["last", false],
  ])("each session is an activity, transitions too, with the summary %s", (_, summaryFirst) => {
    const bytes = brick(summaryFirst);
    expect(decode(bytes).activities.map(({ sport }) => sport)).toEqual(["cycling", "transition", "running"]);
    expect([0, 1, 2].map((sessionIndex) => columnsOf(bytes, { sessionIndex })[HEART_RATE])).toEqual([
      [100, 101, 102],
      [103, 104, 105],
      [106, 107, 108],
    ]);
    expect(columnsOf(bytes, { sessionIndex: 2 })["time_in_seconds"]).toEqual([0, 1, 2]);
  });

  test("records outside every window belong to the nearest session, at a time of 0 or more", () => {
    const file = activityFile();
    for (const second of [0, 100, 130, 170, 200, 300, 400]) file.record(second, record(100));
    const bytes = file
      .message(18, sessionFields(90, 20, 2), { local: 2 })
      .message(18, sessionFields(200, 100, 1), { local: 2 })
      .build();
    expect(columnsOf(bytes, { sessionIndex: 0 })["time_in_seconds"]).toEqual([0, 10, 40]);
    expect(columnsOf(bytes, { sessionIndex: 1 })["time_in_seconds"]).toEqual([0, 0, 100, 200]);
  });

  test("laps are assigned by the sessions' lap indexes", () => {
    const file = activityFile();
    for (let i = 0; i < 3; i++)
      file.lap([
        [2, "uint32", T0 + 500 + i],
        [9, "uint32", 100 * (i + 1)],
      ]);
    const bytes = file
      .message(
        18,
        sessionFields(0, 3, 2, [
          [25, "uint16", 0],
          [26, "uint16", 2],
        ]),
        { local: 2 },
      )
      .message(
        18,
        sessionFields(3, 3, 1, [
          [25, "uint16", 2],
          [26, "uint16", 1],
        ]),
        { local: 2 },
      )
      .build();
    const laps = decode(bytes).activities.map((activity) =>
      activity.laps.map((lap) => [lap.lap_index, lap.distance_in_meters]),
    );
    expect(laps).toEqual([
      [
        [0, 1],
        [1, 2],
      ],
      [[0, 3]],
    ]);
  });

  test("laps are assigned by time without lap indexes", () => {
    const file = activityFile();
    for (const second of [0, 2, 3]) file.lap([[2, "uint32", T0 + second]]);
    const bytes = file
      .message(18, sessionFields(0, 3, 2), { local: 2 })
      .message(18, sessionFields(3, 3, 1), { local: 2 })
      .build();
    expect(decode(bytes).activities.map(({ laps }) => laps.length)).toEqual([2, 1]);
  });

  test("an unknown sport keeps its number", () => {
    expect(
      decodeOne(
        activityFile()
          .session([
            [5, "enum", 222],
            [6, "enum", 233],
          ])
          .build(),
      ),
    ).toMatchObject({
      sport: "unknown_222",
      sub_sport: "unknown_233",
    });
  });
});

describe("laps", () => {
  test("have the recorded values of the same quantities", () => {
    const bytes = activityFile()
      .lap([
        [2, "uint32", T0],
        [24, "enum", 2],
        [7, "uint32", 300_500],
        [8, "uint32", 300_000],
        [9, "uint32", 150_000],
        [11, "uint16", 70],
        [15, "uint8", 140],
        [19, "uint16", 210],
        [41, "uint32", 63_000],
        [21, "uint16", 12],
      ])
      .session()
      .build();
    expect(decodeOne(bytes).laps).toMatchObject([
      {
        lap_index: 0,
        start_time_in_seconds: T0_UNIX,
        trigger: "distance",
        elapsed_time_in_seconds: 300.5,
        timer_time_in_seconds: 300,
        distance_in_meters: 1500,
        average_speed_in_meters_per_second: 5,
        average_heart_rate_in_beats_per_minute: 140,
        average_power_in_watts: 210,
        work_in_kilojoules: 63,
        ascent_in_meters: 12,
        energy_in_kilocalories: 70,
        max_power_in_watts: null,
      },
    ]);
  });

  test("with a duration of 0 have no speed", () => {
    const lap: Field[] = [
      [7, "uint32", 0],
      [8, "uint32", 0],
      [9, "uint32", 0],
      [13, "uint16", 0],
    ];
    expect(
      decodeOne(activityFile().lap(lap).session().build()).laps[0]?.average_speed_in_meters_per_second,
    ).toBeNull();
  });
});

describe("pool swimming", () => {
  const length = (index: number, start: number, type: number, more: readonly Field[] = []): Field[] => [
    [254, "uint16", index],
    [2, "uint32", T0 + start],
    [3, "uint32", 20_500],
    [12, "enum", type],
    ...more,
  ];
  const swim = (session: readonly Field[]) =>
    activityFile()
      .length(
        length(0, 0, 1, [
          [7, "enum", 2],
          [5, "uint16", 14],
        ]),
      )
      .length(
        length(1, 21, 1, [
          [7, "enum", 0],
          [5, "uint16", 12],
        ]),
      )
      .lap([
        [2, "uint32", T0],
        [35, "uint16", 0],
        [32, "uint16", 2],
      ])
      .length(length(2, 42, 0))
      .lap([[2, "uint32", T0 + 42]])
      .session([[5, "enum", 5], [6, "enum", 17], ...session])
      .build();

  test("lengths are active or idle and belong to their laps", () => {
    const activity = decodeOne(swim([]));
    expect(activity.lengths).toMatchObject([
      {
        length_index: 0,
        lap_index: 0,
        type: "active",
        stroke: "breaststroke",
        strokes: 14,
        elapsed_time_in_seconds: 20.5,
      },
      { length_index: 1, lap_index: 0, type: "active", stroke: "freestyle", strokes: 12 },
      { length_index: 2, lap_index: 1, type: "idle", stroke: null, strokes: null },
    ]);
    expect(activity).toMatchObject({ number_of_lengths: 3, number_of_active_lengths: 2 });
    expect(activity.derived).toEqual(
      expect.arrayContaining(["number_of_lengths", "number_of_active_lengths"]),
    );
  });

  test("idle lengths add no distance", () => {
    const activity = decodeOne(swim([[44, "uint16", 2_286]]));
    expect(activity).toMatchObject({ pool_length_in_meters: 22.86, distance_in_meters: 45.72 });
    expect(activity.derived).toContain("distance_in_meters");
  });
});

describe("devices", () => {
  test("each device is listed once, however often it reports", () => {
    const file = new FitBuilder().message(0, [
      [0, "enum", 4],
      [1, "uint16", 1],
      [2, "uint16", 3121],
      [3, "uint32z", 12_345],
    ]);
    for (let i = 0; i < 5_000; i++) {
      file.message(23, [
        [253, "uint32", T0 + i],
        [0, "uint8", i % 3],
        [2, "uint16", i % 3 === 2 ? 32 : 1],
        [5, "uint16", 950],
      ]);
    }
    const { devices } = decodeOne(file.session().build());
    expect(devices).toMatchObject([
      {
        device_index: 0,
        manufacturer: "garmin",
        product: "Edge 530",
        serial_number: 12_345,
        software_version: 9.5,
      },
      { device_index: 1, manufacturer: "garmin", product: null, serial_number: null, software_version: 9.5 },
      {
        device_index: 2,
        manufacturer: "wahoo_fitness",
        product: null,
        serial_number: null,
        software_version: 9.5,
      },
    ]);
  });

  test("a product name in the file has priority over the name of its number", () => {
    const bytes = activityFile()
      .message(23, [
        [0, "uint8", 1],
        [2, "uint16", 32],
        [4, "uint16", 31],
        [27, "string", "TICKR"],
      ])
      .message(23, [
        [0, "uint8", 2],
        [2, "uint16", 64_000],
        [4, "uint16", 31],
      ])
      .session()
      .build();
    expect(decodeOne(bytes).devices).toMatchObject([
      { device_index: 0, manufacturer: "garmin" },
      { manufacturer: "wahoo_fitness", product: "TICKR" },
      { manufacturer: "unknown_64000", product: "unknown_31" },
    ]);
  });
});
