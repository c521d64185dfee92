import {
  activityFile,
  type Lap,
  type Session,
  type Length,
  type Reading,
  type Totals,
} from "../../fitWriter/activityFile.ts";

/** Reykjavík, because its local time is UTC all year. */
const HOME = { latitude: 64.1466, longitude: -21.9426 };
/** Degrees of latitude per metre. */
const DEGREES_PER_METER = 1 / 111_195;
const POOL_METERS = 25;
/** Rest after every four lengths, in seconds. */
const REST_SECONDS = 20;

const SPORT = { running: 1, cycling: 2, transition: 3, swimming: 5 };
const SUB_SPORT = { road: 7, street: 2, poolSwimming: 17, openWater: 18 };

/** Average values of a sport, and how much hills change them. */
interface Motion {
  sport: number;
  subSport?: number;
  speed: number;
  speedSwing: number;
  heartRate: number;
  cadence?: number;
  power?: number;
  /** Whether the heart rate strap records beat-to-beat intervals. */
  recordsBeats?: boolean;
  /** Height of the hills, in metres. */
  hill: number;
}

const RIDING: Motion = {
  sport: SPORT.cycling,
  subSport: SUB_SPORT.road,
  speed: 7.9,
  speedSwing: 1.6,
  heartRate: 140,
  cadence: 86,
  power: 168,
  hill: 11,
};
const RUNNING: Motion = {
  sport: SPORT.running,
  subSport: SUB_SPORT.street,
  speed: 3.1,
  speedSwing: 0.35,
  heartRate: 152,
  cadence: 84,
  recordsBeats: true,
  hill: 6,
};
const OPEN_WATER: Motion = {
  sport: SPORT.swimming,
  subSport: SUB_SPORT.openWater,
  speed: 1.15,
  speedSwing: 0.1,
  heartRate: 138,
  hill: 0,
};
const TRANSITION: Motion = { sport: SPORT.transition, speed: 1.2, speedSwing: 0.3, heartRate: 132, hill: 0 };

/** Start, duration, seconds between records, and effort (1 is average). */
export interface Workout {
  /** Unix seconds. */
  startInSeconds: number;
  seconds: number;
  secondsApart: number;
  effort: number;
}

/** Returns the FIT file of a road ride with position, power, heart rate and cadence: a loop with low hills. */
export function rideFile(workout: Workout): Uint8Array<ArrayBuffer> {
  return activityFile(workout.startInSeconds, [sessionOf(RIDING, 0, workout)]);
}

/** Returns the FIT file of a street run without power. */
export function runFile(workout: Workout): Uint8Array<ArrayBuffer> {
  return activityFile(workout.startInSeconds, [sessionOf(RUNNING, 0, workout)]);
}

/** Returns the FIT file of a triathlon: swim, transition, ride, transition, run. The five sessions share the duration. */
export function triathlonFile(workout: Workout): Uint8Array<ArrayBuffer> {
  const parts: [Motion, number][] = [
    [OPEN_WATER, 0.19],
    [TRANSITION, 0.02],
    [RIDING, 0.47],
    [TRANSITION, 0.01],
    [RUNNING, 0.31],
  ];
  let startSeconds = 0;
  const sessions = parts.map(([motion, share]) => {
    const session = sessionOf(motion, startSeconds, {
      ...workout,
      seconds: Math.round(workout.seconds * share),
    });
    startSeconds += session.seconds;
    return session;
  });
  return activityFile(workout.startInSeconds, sessions);
}

/** Returns the FIT file of a swim in a 25 m pool: lengths in sets of four, heart rate, no position. */
export function poolSwimFile({ startInSeconds, seconds, effort }: Workout): Uint8Array<ArrayBuffer> {
  const lengths: Length[] = [];
  const laps: Lap[] = [];
  const readings: Reading[] = [];
  let at = 0;
  while (at < seconds) {
    const startSeconds = at;
    for (let each = 0; each < 4; each += 1) {
      const length = Math.round((24 + 2 * Math.sin(lengths.length * 0.7)) / effort);
      lengths.push({
        startSeconds: at,
        seconds: length,
        strokes: 10 + Math.round(Math.sin(lengths.length * 1.3)),
      });
      at += length;
      readings.push({
        seconds: at,
        heartRate: 128 + 8 * each,
        distanceInMeters: lengths.length * POOL_METERS,
      });
    }
    laps.push({ startSeconds, seconds: at - startSeconds, distanceInMeters: 4 * POOL_METERS });
    at += REST_SECONDS;
  }
  const whole = at - REST_SECONDS;
  const distanceInMeters = lengths.length * POOL_METERS;
  return activityFile(startInSeconds, [
    {
      sport: SPORT.swimming,
      subSport: SUB_SPORT.poolSwimming,
      startSeconds: 0,
      seconds: whole,
      readings,
      laps,
      lengths,
      totals: {
        distanceInMeters,
        averageSpeedInMetersPerSecond: distanceInMeters / whole,
        averageHeartRate: 140,
        maxHeartRate: 152,
        energyInKilocalories: (whole / 60) * 9 * effort,
        poolLengthInMeters: POOL_METERS,
      },
    },
  ]);
}

/** Returns one session that starts `startSeconds` into its file: a loop with hills. */
function sessionOf(motion: Motion, startSeconds: number, workout: Workout): Session {
  const readings = readingsOf(motion, startSeconds, workout);
  const seconds = (readings.length - 1) * workout.secondsApart;
  const totals = totalsOf(motion, readings, seconds, workout.effort);
  return {
    sport: motion.sport,
    ...(motion.subSport === undefined ? {} : { subSport: motion.subSport }),
    startSeconds,
    seconds,
    readings,
    laps: [{ startSeconds, seconds, distanceInMeters: totals.distanceInMeters ?? 0 }],
    totals,
  };
}

function readingsOf(
  motion: Motion,
  startSeconds: number,
  { seconds, secondsApart, effort }: Workout,
): Reading[] {
  const count = Math.floor(seconds / secondsApart) + 1;
  const readings: Reading[] = [];
  let distance = 0;
  const beatsUntil = heart();
  let { latitude, longitude } = HOME;
  for (let index = 0; index < count; index += 1) {
    const part = index / Math.max(1, count - 1);
    const hill = Math.sin(part * 6 * Math.PI);
    const warm = Math.min(1, part * 5);
    const speed =
      motion.speed * effort - motion.speedSwing * hill + 0.04 * motion.speed * Math.sin(index * 1.7);
    const heartRate = motion.heartRate * effort - 36 * (1 - warm) + 9 * hill;
    readings.push({
      seconds: startSeconds + index * secondsApart,
      latitudeInDegrees: latitude,
      longitudeInDegrees: longitude,
      altitudeInMeters: 24 - motion.hill * Math.cos(part * 6 * Math.PI),
      heartRate,
      ...(motion.recordsBeats === true
        ? { rrIntervalsInSeconds: beatsUntil(index * secondsApart, heartRate) }
        : {}),
      ...(motion.cadence === undefined
        ? {}
        : { cadence: motion.cadence - 5 * hill + 2 * Math.sin(index * 2.3) }),
      distanceInMeters: distance,
      speedInMetersPerSecond: speed,
      ...(motion.power === undefined
        ? {}
        : { powerInWatts: motion.power * effort + 52 * hill + 14 * Math.sin(index * 3.1) }),
    });
    const heading = part * 2 * Math.PI;
    distance += speed * secondsApart;
    latitude += speed * secondsApart * Math.cos(heading) * DEGREES_PER_METER;
    longitude +=
      (speed * secondsApart * Math.sin(heading) * DEGREES_PER_METER) / Math.cos((latitude * Math.PI) / 180);
  }
  return readings;
}

/** Returns a function that returns the intervals of the beats up to a time, with some heart rate variability. */
function heart(): (seconds: number, heartRate: number) => number[] {
  let lastBeat = 0;
  return (seconds, heartRate) => {
    const intervals: number[] = [];
    const next = () => (60 / heartRate) * (1 + 0.02 * Math.sin(lastBeat * 1.6));
    for (let interval = next(); lastBeat + interval <= seconds; interval = next()) {
      intervals.push(interval);
      lastBeat += interval;
    }
    return intervals;
  };
}

function totalsOf(motion: Motion, readings: readonly Reading[], seconds: number, effort: number): Totals {
  const distanceInMeters = readings.at(-1)?.distanceInMeters ?? 0;
  const heartRates = valuesOf(readings, "heartRate");
  const cadences = valuesOf(readings, "cadence");
  const powers = valuesOf(readings, "powerInWatts");
  return {
    distanceInMeters,
    averageSpeedInMetersPerSecond: distanceInMeters / Math.max(1, seconds),
    maxSpeedInMetersPerSecond: Math.max(...valuesOf(readings, "speedInMetersPerSecond")),
    averageHeartRate: average(heartRates),
    maxHeartRate: Math.max(...heartRates),
    ascentInMeters: motion.hill * 6,
    descentInMeters: motion.hill * 6,
    energyInKilocalories: (seconds / 60) * 10 * effort,
    ...(cadences.length === 0
      ? {}
      : { averageCadence: average(cadences), maxCadence: Math.max(...cadences) }),
    ...(powers.length === 0
      ? {}
      : {
          averagePowerInWatts: average(powers),
          maxPowerInWatts: Math.max(...powers),
          normalizedPowerInWatts: average(powers) * 1.03,
          workInJoules: average(powers) * seconds,
        }),
  };
}

function valuesOf(
  readings: readonly Reading[],
  key: "heartRate" | "cadence" | "powerInWatts" | "speedInMetersPerSecond",
): number[] {
  return readings.flatMap((reading) => reading[key] ?? []);
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
