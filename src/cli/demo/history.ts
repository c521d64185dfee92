import { poolSwimFile, rideFile, runFile, strengthFile, triathlonFile, type Workout } from "./workouts.ts";
import type { PartnerHost } from "./partnerHost.ts";

export const DAY_USER = "athlete-1";
export const DAY_SOURCE = "demo-watch";

/** A second source of the same athlete. */
const COMPUTER_SOURCE = "demo-bike-computer";
const COMPUTER_STARTS_LATER_SECONDS = 7;

const DAY_SECONDS = 86_400;
const MINUTE = 60;

const GPX = `<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="demo" xmlns="http://www.topografix.com/GPX/1/1">
  <trk><trkseg><trkpt lat="64.1466" lon="-21.9426"/></trkseg></trk>
</gpx>
`;

/** One item of `activity_files`. */
export interface Ping {
  file_type: "FIT";
  activity_name: string;
  priority: 0 | 1;
  user_id: string;
  source: string;
  overwrite_mode: boolean;
  start_time_in_seconds: string;
  callback_url: string;
  summary_id: string;
}

interface WorkoutKind {
  name: string;
  file: (workout: Workout) => Uint8Array;
  minutes: number;
  secondsApart: number;
  hour: number;
  more?: Partial<Workout>;
}

const RIDE: WorkoutKind = { name: "Ride", file: rideFile, minutes: 75, secondsApart: 2, hour: 17 };
const RUN: WorkoutKind = { name: "Run", file: runFile, minutes: 42, secondsApart: 2, hour: 7 };
const INTERVALS: WorkoutKind = { ...RIDE, name: "Interval Ride", minutes: 65, more: { hasIntervals: true } };
const PAUSED_RUN: WorkoutKind = { ...RUN, name: "Run", more: { pauseSeconds: 180 } };
const STRENGTH: WorkoutKind = {
  name: "Strength",
  file: strengthFile,
  minutes: 40,
  secondsApart: 4,
  hour: 18,
};
const SWIM: WorkoutKind = { name: "Pool Swim", file: poolSwimFile, minutes: 35, secondsApart: 1, hour: 12 };
const TRIATHLON: WorkoutKind = {
  name: "Triathlon",
  file: triathlonFile,
  minutes: 140,
  secondsApart: 3,
  hour: 9,
};

/** Workouts of six weeks, oldest first: days before the partner was created, and kind. */
const WORKOUTS: readonly [number, WorkoutKind][] = [
  [42, RIDE],
  [40, RUN],
  [38, INTERVALS],
  [36, PAUSED_RUN],
  [35, RIDE],
  [33, SWIM],
  [31, INTERVALS],
  [29, STRENGTH],
  [28, RIDE],
  [26, RUN],
  [24, RIDE],
  [22, SWIM],
  [21, INTERVALS],
  [19, RUN],
  [17, TRIATHLON],
  [14, STRENGTH],
  [12, INTERVALS],
  [10, PAUSED_RUN],
  [8, SWIM],
  [7, RIDE],
  [5, RUN],
  [3, RIDE],
];

/** Every eighth ping has its file inline. */
const INLINE_EVERY = 8;

/**
 * Returns 24 priority-0 pings of an athlete's history. Three have their file inline, one names a file that its host no
 * longer has, and one names a GPX file. The same `createdAt` (Unix seconds) gives the same pings, except for the
 * port of the host.
 */
export function historyPings(host: PartnerHost, createdAt: number): Ping[] {
  const midnight = Math.floor(createdAt / DAY_SECONDS) * DAY_SECONDS;
  const pings = WORKOUTS.map(([daysBefore, kind], index): Ping => {
    const startInSeconds = midnight - daysBefore * DAY_SECONDS + kind.hour * 60 * MINUTE;
    // Each workout is different: longer and harder over the weeks, with easy days in between.
    const effort = 0.94 + 0.004 * index + 0.03 * Math.sin(index * 2.1);
    const seconds = Math.round(kind.minutes * MINUTE * (1 + 0.2 * Math.sin(index * 1.3)));
    const bytes = kind.file({
      startInSeconds,
      seconds,
      secondsApart: kind.secondsApart,
      effort,
      ...kind.more,
    });
    const summaryId = summaryIdOf(kind, daysBefore);
    const inline = index % INLINE_EVERY === 0;
    return ping({
      name: kind.name,
      summaryId,
      startInSeconds,
      callbackUrl: inline ? Buffer.from(bytes).toString("base64") : host.serve(`${summaryId}.fit`, bytes),
    });
  });
  const yesterday = midnight - DAY_SECONDS;
  return [
    ...pings,
    ping({
      name: "Lost Ride",
      summaryId: "lost-ride",
      startInSeconds: yesterday,
      callbackUrl: host.missing("lost-ride.fit"),
    }),
    ping({
      name: "Planned Route",
      summaryId: "planned-route",
      startInSeconds: yesterday,
      callbackUrl: host.serve("planned-route.gpx", Buffer.from(GPX)),
    }),
  ];
}

/**
 * Returns the priority-1 pings of a ride that ends when the partner is created: from the watch, and from the bike computer,
 * which the athlete started some seconds later.
 */
export function livePings(host: PartnerHost, createdAt: number): [Ping, Ping] {
  const ride = {
    startInSeconds: createdAt - 50 * MINUTE,
    seconds: 50 * MINUTE,
    secondsApart: 1,
    effort: 1.05,
  };
  const onComputer = {
    ...ride,
    startInSeconds: ride.startInSeconds + COMPUTER_STARTS_LATER_SECONDS,
    device: 1,
  };
  const live = (summaryId: string, workout: Workout): Ping => ({
    ...ping({
      name: "Lunch Ride",
      summaryId,
      startInSeconds: workout.startInSeconds,
      callbackUrl: host.serve(`${summaryId}.fit`, rideFile(workout)),
    }),
    priority: 1,
  });
  return [live("live-ride", ride), { ...live("live-ride-computer", onComputer), source: COMPUTER_SOURCE }];
}

function summaryIdOf(kind: WorkoutKind, daysBefore: number): string {
  return `${kind.name.toLowerCase().replace(" ", "-")}-${daysBefore}-days-before`;
}

function ping(given: { name: string; summaryId: string; startInSeconds: number; callbackUrl: string }): Ping {
  return {
    file_type: "FIT",
    activity_name: given.name,
    priority: 0,
    user_id: DAY_USER,
    source: DAY_SOURCE,
    overwrite_mode: false,
    start_time_in_seconds: String(given.startInSeconds),
    callback_url: given.callbackUrl,
    summary_id: given.summaryId,
  };
}
