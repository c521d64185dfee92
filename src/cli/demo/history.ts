import { poolSwimFile, rideFile, runFile, triathlonFile, type Workout } from "./workouts.ts";
import type { PartnerHost } from "./partnerHost.ts";

export const DAY_USER = "athlete-1";
export const DAY_SOURCE = "demo-watch";

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
}

const RIDE: WorkoutKind = { name: "Ride", file: rideFile, minutes: 75, secondsApart: 2, hour: 17 };
const RUN: WorkoutKind = { name: "Run", file: runFile, minutes: 42, secondsApart: 2, hour: 7 };
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
  [38, RIDE],
  [36, RUN],
  [35, RIDE],
  [33, SWIM],
  [31, RIDE],
  [29, RUN],
  [28, RIDE],
  [26, RUN],
  [24, RIDE],
  [22, SWIM],
  [21, RIDE],
  [19, RUN],
  [17, TRIATHLON],
  [14, RUN],
  [12, RIDE],
  [10, RUN],
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
    const bytes = kind.file({ startInSeconds, seconds, secondsApart: kind.secondsApart, effort });
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

/** Returns the priority-1 ping of a ride that ends when the partner is created. */
export function livePing(host: PartnerHost, createdAt: number): Ping {
  const seconds = 50 * MINUTE;
  const startInSeconds = createdAt - seconds;
  const bytes = rideFile({ startInSeconds, seconds, secondsApart: 1, effort: 1.05 });
  const summaryId = "live-ride";
  return {
    ...ping({
      name: "Lunch Ride",
      summaryId,
      startInSeconds,
      callbackUrl: host.serve(`${summaryId}.fit`, bytes),
    }),
    priority: 1,
  };
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
