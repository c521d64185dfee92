import {
  activityFile,
  type Lap,
  type Pause,
  type StrengthSet,
  type Session,
  type Length,
  type Reading,
  type Totals,
} from "../../fitWriter/activityFile.ts";
import { courseOf, randomNumbers, slowNoise } from "./course.ts";

const POOL_METERS = 25;
const REST_SECONDS = 20;
/** Lengths of each set of a pool swim, their stroke and their pace: warm-up, drills, main sets. The rest repeats the last. */
const FREESTYLE = 0;
const DRILL = 4;
const SETS: readonly { lengths: number; stroke: number; pace: number }[] = [
  { lengths: 8, stroke: FREESTYLE, pace: 1.08 },
  { lengths: 4, stroke: DRILL, pace: 1.45 },
  { lengths: 4, stroke: DRILL, pace: 1.4 },
  { lengths: 4, stroke: FREESTYLE, pace: 0.95 },
];
/** The demo's athlete, as their devices know them. */
const ATHLETE = { restingHeartRate: 48, maxHeartRate: 188 };
const THRESHOLD_WATTS = 215;

const SPORT = { running: 1, cycling: 2, transition: 3, swimming: 5, training: 10 };
const SUB_SPORT = { road: 7, street: 2, poolSwimming: 17, openWater: 18, strength: 20 };

/** Usual values of a sport. */
interface Motion {
  sport: number;
  subSport?: number;
  speed: number;
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
  heartRate: 140,
  cadence: 86,
  power: 168,
  hill: 55,
};
const RUNNING: Motion = {
  sport: SPORT.running,
  subSport: SUB_SPORT.street,
  speed: 3.1,
  heartRate: 152,
  cadence: 84,
  recordsBeats: true,
  hill: 14,
};
const OPEN_WATER: Motion = {
  sport: SPORT.swimming,
  subSport: SUB_SPORT.openWater,
  speed: 1.15,
  heartRate: 138,
  hill: 0,
};
const TRANSITION: Motion = { sport: SPORT.transition, speed: 1.2, heartRate: 132, hill: 0 };

/** Start, duration, seconds between records, and effort (1 is average). */
export interface Workout {
  /** Unix seconds. */
  startInSeconds: number;
  seconds: number;
  secondsApart: number;
  effort: number;
  /** Whether the workout has hard intervals. */
  hasIntervals?: boolean;
  /** Seconds in the middle of a run in which the watch is paused. */
  pauseSeconds?: number;
  /** Another number makes other noise: a second device on the same ride. */
  device?: number;
}

/** Returns the FIT file of a road ride with position, power, heart rate and cadence: a loop with hills. */
export function rideFile(workout: Workout): Uint8Array<ArrayBuffer> {
  return activityFile(workout.startInSeconds, [sessionOf(RIDING, 0, workout)], ATHLETE);
}

/** Returns the FIT file of a street run without power. */
export function runFile(workout: Workout): Uint8Array<ArrayBuffer> {
  return activityFile(workout.startInSeconds, [sessionOf(RUNNING, 0, workout)], ATHLETE);
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
    // The next leg begins at the last record of this one.
    return motion === RUNNING ? session : { ...session, readings: session.readings.slice(0, -1) };
  });
  return activityFile(workout.startInSeconds, sessions, ATHLETE);
}

/** Returns the FIT file of a swim in a 25 m pool: sets with drills and rests, heart rate, no position. */
export function poolSwimFile({ startInSeconds, seconds, effort }: Workout): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(startInSeconds);
  const lengths: Length[] = [];
  const laps: Lap[] = [];
  const readings: Reading[] = [];
  let at = 0;
  let swum = 0;
  let heartRate = 96;
  const addLength = (length: Length, target: number) => {
    lengths.push(length);
    heartRate += (target - heartRate) * (1 - Math.exp(-length.seconds / 30));
    const end = length.startSeconds + length.seconds;
    readings.push({ seconds: end, heartRate, distanceInMeters: swum * POOL_METERS });
    return end;
  };
  for (let index = 0; at < seconds; index += 1) {
    const set = SETS[Math.min(index, SETS.length - 1)] ?? { lengths: 4, stroke: FREESTYLE, pace: 1 };
    const startSeconds = at;
    for (let each = 0; each < set.lengths; each += 1) {
      swum += 1;
      const tired = 1 + 0.004 * each;
      const length = Math.round((24 * set.pace * tired) / effort + 1.6 * (random() - 0.5));
      const strokes = set.stroke === DRILL ? undefined : 10 + Math.round(random() + 0.3 * each * 0.5);
      at = addLength(
        { type: "active", startSeconds: at, seconds: length, stroke: set.stroke, strokes },
        set.pace < 1 ? 156 : 132,
      );
    }
    laps.push({ startSeconds, seconds: at - startSeconds, distanceInMeters: set.lengths * POOL_METERS });
    if (at >= seconds) break;
    laps.push({ startSeconds: at, seconds: REST_SECONDS, distanceInMeters: 0 });
    at = addLength({ type: "idle", startSeconds: at, seconds: REST_SECONDS }, 108);
  }
  const distanceInMeters = swum * POOL_METERS;
  const heartRates = valuesOf(readings, "heartRate");
  const swim = {
    sport: SPORT.swimming,
    subSport: SUB_SPORT.poolSwimming,
    startSeconds: 0,
    seconds: at,
    readings,
    laps,
    lengths,
    totals: {
      distanceInMeters,
      averageSpeedInMetersPerSecond: distanceInMeters / at,
      averageHeartRate: average(heartRates),
      maxHeartRate: Math.max(...heartRates),
      energyInKilocalories: (at / 60) * 9 * effort,
      poolLengthInMeters: POOL_METERS,
    },
  };
  return activityFile(startInSeconds, [swim], ATHLETE);
}

/** Exercises of the FIT profile: category and number. */
const EXERCISES: readonly { category: number; exercise: number; kilograms: number; repetitions: number }[] = [
  { category: 28, exercise: 6, kilograms: 60, repetitions: 8 }, // squat: barbell back squat
  { category: 0, exercise: 1, kilograms: 50, repetitions: 8 }, // bench press: barbell bench press
  { category: 23, exercise: 2, kilograms: 20, repetitions: 10 }, // row: dumbbell row
  { category: 8, exercise: 0, kilograms: 80, repetitions: 5 }, // deadlift: barbell deadlift
];
const SETS_PER_EXERCISE = 3;

/** Returns the FIT file of strength training: three sets of each exercise with rests, and heart rate. */
export function strengthFile({
  startInSeconds,
  seconds,
  secondsApart,
  effort,
}: Workout): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(startInSeconds);
  const sets: StrengthSet[] = [];
  const readings: Reading[] = [];
  let heartRate = 84;
  const each = Math.floor(seconds / (EXERCISES.length * SETS_PER_EXERCISE));
  for (const [i, { category, exercise, kilograms, repetitions: usual }] of EXERCISES.entries()) {
    for (let set = 0; set < SETS_PER_EXERCISE; set += 1) {
      const startSeconds = (i * SETS_PER_EXERCISE + set) * each;
      const repetitions = usual - (set === SETS_PER_EXERCISE - 1 && random() < 0.5 ? 1 : 0);
      const active = Math.round(repetitions * 3.5 + 4 * random());
      sets.push({
        type: "active",
        startSeconds,
        seconds: active,
        category,
        exercise,
        kilograms,
        repetitions,
      });
      sets.push({ type: "rest", startSeconds: startSeconds + active, seconds: each - active });
      for (let second = 0; second < each; second += secondsApart) {
        heartRate += ((second < active ? 138 * effort : 98) - heartRate) * (1 - Math.exp(-secondsApart / 25));
        readings.push({ seconds: startSeconds + second, heartRate: heartRate + random() });
      }
    }
  }
  const whole = EXERCISES.length * SETS_PER_EXERCISE * each;
  const heartRates = valuesOf(readings, "heartRate");
  const session = {
    sport: SPORT.training,
    subSport: SUB_SPORT.strength,
    startSeconds: 0,
    seconds: whole,
    readings,
    laps: [{ startSeconds: 0, seconds: whole }],
    sets,
    totals: {
      averageHeartRate: average(heartRates),
      maxHeartRate: Math.max(...heartRates),
      energyInKilocalories: (whole / 60) * 6 * effort,
    },
  };
  return activityFile(startInSeconds, [session], ATHLETE);
}

/** Returns one session that starts `startSeconds` into its file: a loop with hills. */
function sessionOf(motion: Motion, startSeconds: number, workout: Workout): Session {
  const seconds = Math.floor(workout.seconds / workout.secondsApart) * workout.secondsApart;
  const pauses = pausesOf(startSeconds, { ...workout, seconds });
  const readings = readingsOf(motion, startSeconds, { ...workout, seconds }, pauses);
  const totals = totalsOf(readings, seconds - (workout.pauseSeconds ?? 0), workout.effort);
  return {
    sport: motion.sport,
    ...(motion.subSport === undefined ? {} : { subSport: motion.subSport }),
    startSeconds,
    seconds,
    readings,
    laps: [{ startSeconds, seconds, distanceInMeters: totals.distanceInMeters ?? 0 }],
    pauses,
    totals,
  };
}

function pausesOf(startSeconds: number, { seconds, secondsApart, pauseSeconds = 0 }: Workout): Pause[] {
  if (pauseSeconds === 0) return [];
  const middle = Math.floor((0.55 * seconds) / secondsApart) * secondsApart;
  return [{ startSeconds: startSeconds + middle, seconds: pauseSeconds }];
}

/** How hard the athlete goes: warm-up, then steady or in intervals, then easy. */
function intensityAt(second: number, { seconds, hasIntervals = false }: Workout): number {
  const warmUp = Math.min(600, seconds / 5);
  if (second < warmUp) return 0.72 + (0.2 * second) / warmUp;
  if (second > seconds - warmUp / 2) return 0.75;
  if (!hasIntervals) return 1;
  return (second - warmUp) % 480 < 300 ? 1.28 : 0.68;
}

const RIDER_KILOGRAMS = 82;
const GRAVITY = 9.81;
const ROLLING_RESISTANCE = 0.0045;
const AIR_RESISTANCE = 0.19;
const HEART_LAG_SECONDS = 35;

/** Rides, runs or swims along a course, second by second. Returns the readings of each record. */
function readingsOf(
  motion: Motion,
  startSeconds: number,
  workout: Workout,
  pauses: readonly Pause[],
): Reading[] {
  const { startInSeconds, seconds, secondsApart, effort, device = 0 } = workout;
  const random = randomNumbers(startInSeconds + startSeconds + device);
  const placeAt = courseOf(motion.speed * seconds, motion.hill, (startInSeconds / 86_400) % 6);
  const legs = slowNoise(random, 0.4, 0.8);
  const [east, north] = [slowNoise(random, 0.00002, 0.95), slowNoise(random, 0.00002, 0.95)];
  const beatsUntil = heart();
  const readings: Reading[] = [];
  let distance = 0;
  let speed = motion.speed * 0.6;
  let heartRate = motion.heartRate - 45;
  for (let second = 0; second <= seconds; second += 1) {
    const isPaused = pauses.some(
      (pause) =>
        second > pause.startSeconds - startSeconds &&
        second < pause.startSeconds - startSeconds + pause.seconds,
    );
    if (isPaused) {
      heartRate += (95 - heartRate) / HEART_LAG_SECONDS;
      continue;
    }
    const place = placeAt(distance);
    const will = Math.max(0, intensityAt(second, workout) * (1 + legs()));
    const { power, ...moved } =
      motion.power === undefined
        ? onFoot(motion, effort * will, place.slope, speed)
        : byBike(motion.power * effort * will, place.slope, speed);
    speed = moved.speed;
    const load =
      power === undefined
        ? (speed / motion.speed) * (1 + 3 * Math.max(0, place.slope))
        : power / (motion.power ?? 1);
    const drift = (5 * second) / 3600;
    const target = Math.min(184, motion.heartRate + 62 * (Math.min(1.5, load) - 1) + drift);
    heartRate += (target - heartRate) / HEART_LAG_SECONDS;
    if (second % secondsApart === 0) {
      readings.push({
        seconds: startSeconds + second,
        latitudeInDegrees: place.latitude + north(),
        longitudeInDegrees: place.longitude + 2 * east(),
        altitudeInMeters: place.altitude,
        heartRate: heartRate + 1.5 * (random() - 0.5),
        ...(motion.recordsBeats === true ? { rrIntervalsInSeconds: beatsUntil(second, heartRate) } : {}),
        ...(motion.cadence === undefined
          ? {}
          : {
              cadence:
                power === 0 ? 0 : motion.cadence - 140 * Math.max(0, place.slope) + 3 * (random() - 0.5),
            }),
        distanceInMeters: distance,
        speedInMetersPerSecond: speed,
        ...(power === undefined ? {} : { powerInWatts: power }),
      });
    }
    distance += speed;
  }
  return readings;
}

/** Riders push uphill and coast downhill. The speed follows from the forces on the bike. */
function byBike(watts: number, slope: number, speed: number): { power: number; speed: number } {
  const power = slope < -0.035 || speed > 15 ? 0 : Math.min(620, watts * (1 + 7 * slope));
  const resistance =
    RIDER_KILOGRAMS * GRAVITY * (ROLLING_RESISTANCE + slope) + AIR_RESISTANCE * speed * speed;
  const brakes = speed > 16 ? 1 : 0;
  return { power, speed: Math.max(1.5, speed + (power / speed - resistance) / RIDER_KILOGRAMS - brakes) };
}

/** Runners and swimmers change their pace within seconds, and slow down uphill. */
function onFoot(
  motion: Motion,
  will: number,
  slope: number,
  speed: number,
): { power: undefined; speed: number } {
  const pace = motion.speed * (0.5 + 0.5 * will) * (1 - 2.5 * slope);
  return { power: undefined, speed: Math.max(0.3, speed + (pace - speed) / 6) };
}

/** Returns a function that returns the intervals of the beats up to a time, with some heart rate variability. */
function heart(): (seconds: number, heartRate: number) => number[] {
  let lastBeat = 0;
  return (seconds, heartRate) => {
    // No beat was recorded in a pause.
    if (seconds - lastBeat > LONGEST_WITHOUT_BEAT_SECONDS) lastBeat = seconds - 60 / heartRate;
    const intervals: number[] = [];
    const next = () => (60 / heartRate) * (1 + 0.02 * Math.sin(lastBeat * 1.6));
    for (let interval = next(); lastBeat + interval <= seconds; interval = next()) {
      intervals.push(interval);
      lastBeat += interval;
    }
    return intervals;
  };
}
const LONGEST_WITHOUT_BEAT_SECONDS = 30;

/** Ascent, descent and normalized power are left to the decoder. */
function totalsOf(readings: readonly Reading[], seconds: number, effort: number): Totals {
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
    energyInKilocalories: (seconds / 60) * 10 * effort,
    ...(cadences.length === 0
      ? {}
      : { averageCadence: average(cadences), maxCadence: Math.max(...cadences) }),
    ...(powers.length === 0
      ? {}
      : {
          averagePowerInWatts: average(powers),
          maxPowerInWatts: Math.max(...powers),
          thresholdPowerInWatts: THRESHOLD_WATTS,
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
