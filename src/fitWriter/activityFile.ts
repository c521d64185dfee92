import { FitBaseType, FitEncoder, type FitEncoderField } from "fit-file-parser/encoder";

/** FIT positions: 2^31 semicircles are 180 degrees. */
const SEMICIRCLES_PER_DEGREE = 2 ** 31 / 180;
/** FIT altitudes: 1/5 m above 500 m below sea level. */
const ALTITUDE = { offset: 500, scale: 5 };

const MESSAGE = {
  fileId: 0,
  userProfile: 3,
  zonesTarget: 7,
  session: 18,
  lap: 19,
  record: 20,
  event: 21,
  activity: 34,
  hrv: 78,
  length: 101,
  set: 225,
};
/** Number of intervals of a message, as devices write it. Unused ones have the invalid value. */
const INTERVALS_PER_MESSAGE = 5;
const NO_INTERVAL = 0xffff;
/** Types of an event of the timer. */
const TIMER_STARTS = 0;
const TIMER_STOPS = 4;
/** Field numbers that are the same in all messages. */
const TIMESTAMP = 253;
const INDEX = 254;

const SIZE: Partial<Record<FitBaseType, number>> = {
  [FitBaseType.Enum]: 1,
  [FitBaseType.Uint8]: 1,
  [FitBaseType.Uint16]: 2,
  [FitBaseType.Sint32]: 4,
  [FitBaseType.Uint32]: 4,
  [FitBaseType.Uint32z]: 4,
};

/** Readings of one record. Absent fields are not written. */
export interface Reading {
  /** Seconds since the start of the file. */
  seconds: number;
  latitudeInDegrees?: number;
  longitudeInDegrees?: number;
  altitudeInMeters?: number;
  heartRate?: number;
  /** Pedal turns, or strides of one foot, per minute. */
  cadence?: number;
  distanceInMeters?: number;
  speedInMetersPerSecond?: number;
  powerInWatts?: number;
  /** Time between heartbeats, of those since the reading before. */
  rrIntervalsInSeconds?: readonly number[];
  /** Bytes of an unknown field, for files of a given size. */
  padding?: Uint8Array;
}

/** Totals of a session. Absent fields are not written. */
export interface Totals {
  distanceInMeters?: number;
  averageSpeedInMetersPerSecond?: number;
  maxSpeedInMetersPerSecond?: number;
  averageHeartRate?: number;
  maxHeartRate?: number;
  averageCadence?: number;
  maxCadence?: number;
  averagePowerInWatts?: number;
  maxPowerInWatts?: number;
  thresholdPowerInWatts?: number;
  workInJoules?: number;
  ascentInMeters?: number;
  descentInMeters?: number;
  energyInKilocalories?: number;
  poolLengthInMeters?: number;
}

export interface Lap {
  startSeconds: number;
  seconds: number;
  distanceInMeters?: number;
}

/** One length of a pool; `idle` is a rest. */
export interface Length {
  type: "active" | "idle";
  startSeconds: number;
  seconds: number;
  /** Number of the FIT profile. */
  stroke?: number;
  strokes?: number | undefined;
}

/** Time in which the timer is stopped. */
export interface Pause {
  startSeconds: number;
  seconds: number;
}

/** One set of strength training, with an exercise of the FIT profile, or a rest. */
export interface StrengthSet {
  type: "active" | "rest";
  startSeconds: number;
  seconds: number;
  category?: number;
  exercise?: number;
  kilograms?: number;
  repetitions?: number;
}

/** The athlete, as the device knows them. */
export interface AthleteSettings {
  restingHeartRate: number;
  maxHeartRate: number;
}

/** One session of a file: one sport of a triathlon, or the whole activity. */
export interface Session {
  /** Numbers of the FIT profile. */
  sport: number;
  subSport?: number;
  startSeconds: number;
  seconds: number;
  readings: readonly Reading[];
  laps: readonly Lap[];
  lengths?: readonly Length[];
  sets?: readonly StrengthSet[];
  pauses?: readonly Pause[];
  totals: Totals;
}

/** A field of a message; null to omit it. */
type OptionalField = FitEncoderField | null;

function field(number: number, baseType: FitBaseType, value: number | undefined, scale = 1): OptionalField {
  if (value === undefined) return null;
  return { number, size: SIZE[baseType] ?? 1, baseType, value: Math.round(value * scale) };
}
const enumeration = (number: number, value?: number) => field(number, FitBaseType.Enum, value);
const uint8 = (number: number, value?: number) => field(number, FitBaseType.Uint8, value);
const uint16 = (number: number, value?: number, scale?: number) =>
  field(number, FitBaseType.Uint16, value, scale);
const uint32 = (number: number, value?: number, scale?: number) =>
  field(number, FitBaseType.Uint32, value, scale);
const position = (number: number, degrees?: number) =>
  field(number, FitBaseType.Sint32, degrees, SEMICIRCLES_PER_DEGREE);

type Write = (message: number, fields: readonly OptionalField[], local?: number) => void;

/** Encodes an activity file with these sessions. The same arguments give the same bytes. */
export function activityFile(
  startInSeconds: number,
  sessions: readonly Session[],
  athlete?: AthleteSettings,
): Uint8Array<ArrayBuffer> {
  const start = FitEncoder.toFitTimestamp(new Date(startInSeconds * 1000));
  const end = start + Math.max(0, ...sessions.map((session) => session.startSeconds + session.seconds));
  const encoder = new FitEncoder();
  const write: Write = (message, fields, local) =>
    encoder.writeMessage(
      message,
      fields.filter((field) => field !== null),
      local,
    );

  write(MESSAGE.fileId, [
    enumeration(0, 4), // an activity
    uint16(1, 255), // manufacturer: development
    uint16(2, 1),
    field(3, FitBaseType.Uint32z, 1_000_001),
    uint32(4, start),
  ]);
  if (athlete !== undefined) {
    write(MESSAGE.userProfile, [uint8(8, athlete.restingHeartRate)]);
    write(MESSAGE.zonesTarget, [uint8(1, athlete.maxHeartRate)]);
  }
  const writeTimer = (seconds: number, type: number) =>
    write(MESSAGE.event, [uint32(TIMESTAMP, start + seconds), enumeration(0, 0), enumeration(1, type)]);
  writeTimer(0, TIMER_STARTS);
  const firstLengths = firstIndexes(sessions.map((session) => session.lengths?.length ?? 0));
  const firstLaps = firstIndexes(sessions.map((session) => session.laps.length));
  for (const [index, session] of sessions.entries()) {
    const pauses = (session.pauses ?? []).values();
    let { value: pause } = pauses.next();
    for (const reading of session.readings) {
      if (pause !== undefined && reading.seconds > pause.startSeconds) {
        writeTimer(pause.startSeconds, TIMER_STOPS);
        writeTimer(pause.startSeconds + pause.seconds, TIMER_STARTS);
        ({ value: pause } = pauses.next());
      }
      writeReading(write, start, reading);
    }
    writeSets(write, start, session);
    writeLengths(write, start, session, firstLengths[index] ?? 0);
  }
  writeTimer(end - start, TIMER_STOPS);
  for (const [index, session] of sessions.entries()) {
    writeLaps(write, start, session, firstLaps[index] ?? 0, firstLengths[index] ?? 0);
  }
  for (const [index, session] of sessions.entries())
    writeSession(write, start, session, index, firstLaps[index] ?? 0);
  write(MESSAGE.activity, [
    uint32(TIMESTAMP, end),
    uint32(0, end - start, 1000),
    uint16(1, sessions.length),
    enumeration(2, 0),
    enumeration(3, 26),
    enumeration(4, 1),
    uint32(5, end), // the local clock shows UTC
  ]);
  return new Uint8Array(encoder.close());
}

/** Returns the index of each session's first message, from the number of messages of each session. */
function firstIndexes(counts: readonly number[]): number[] {
  let sum = 0;
  return counts.map((count) => {
    sum += count;
    return sum - count;
  });
}

function writeLengths(write: Write, start: number, { lengths = [] }: Session, firstIndex: number): void {
  for (const [index, length] of lengths.entries()) {
    write(MESSAGE.length, [
      uint16(INDEX, firstIndex + index),
      uint32(TIMESTAMP, start + length.startSeconds + length.seconds),
      uint32(2, start + length.startSeconds),
      uint32(3, length.seconds, 1000),
      uint32(4, length.seconds, 1000),
      uint16(5, length.strokes),
      enumeration(7, length.stroke),
      enumeration(12, length.type === "active" ? 1 : 0),
    ]);
  }
}

function writeSets(write: Write, start: number, { sets = [] }: Session): void {
  for (const [index, set] of sets.entries()) {
    write(MESSAGE.set, [
      uint32(INDEX, start + set.startSeconds + set.seconds), // this message has its time here
      uint32(0, set.seconds, 1000),
      uint16(3, set.repetitions),
      uint16(4, set.kilograms, 16),
      field(5, FitBaseType.Uint8, set.type === "active" ? 1 : 0),
      uint32(6, start + set.startSeconds),
      uint16(7, set.category),
      uint16(8, set.exercise),
      uint16(10, index),
    ]);
  }
}

function writeLaps(
  write: Write,
  start: number,
  session: Session,
  firstIndex: number,
  firstLength: number,
): void {
  for (const [index, lap] of session.laps.entries()) {
    const within = (session.lengths ?? []).flatMap(({ startSeconds }, at) =>
      startSeconds >= lap.startSeconds && startSeconds < lap.startSeconds + lap.seconds ? [at] : [],
    );
    const [first] = within;
    const active = within.filter((at) => session.lengths?.[at]?.type === "active").length;
    const timer = lap.seconds - pausedSeconds(session, lap.startSeconds, lap.startSeconds + lap.seconds);
    write(MESSAGE.lap, [
      uint16(INDEX, firstIndex + index),
      uint32(TIMESTAMP, start + lap.startSeconds + lap.seconds),
      uint32(2, start + lap.startSeconds),
      uint32(7, lap.seconds, 1000),
      uint32(8, timer, 1000),
      uint32(9, lap.distanceInMeters, 100),
      enumeration(25, session.sport),
      ...(first === undefined
        ? []
        : [uint16(32, within.length), uint16(35, firstLength + first), uint16(40, active)]),
    ]);
  }
}

/** Returns the seconds of the pauses that begin in a time. */
function pausedSeconds({ pauses = [] }: Session, from: number, to: number): number {
  const within = pauses.filter(({ startSeconds }) => startSeconds >= from && startSeconds < to);
  return within.reduce((sum, { seconds }) => sum + seconds, 0);
}

function writeSession(write: Write, start: number, session: Session, index: number, firstLap: number): void {
  const { totals } = session;
  const lengths = session.lengths?.length;
  const active = session.lengths?.filter(({ type }) => type === "active").length;
  write(MESSAGE.session, [
    uint16(INDEX, index),
    uint32(TIMESTAMP, start + session.startSeconds + session.seconds),
    uint32(2, start + session.startSeconds),
    enumeration(5, session.sport),
    enumeration(6, session.subSport),
    uint32(7, session.seconds, 1000),
    uint32(8, session.seconds - pausedSeconds(session, 0, Infinity), 1000),
    uint32(9, totals.distanceInMeters, 100),
    uint16(11, totals.energyInKilocalories),
    uint16(14, totals.averageSpeedInMetersPerSecond, 1000),
    uint16(15, totals.maxSpeedInMetersPerSecond, 1000),
    uint8(16, totals.averageHeartRate),
    uint8(17, totals.maxHeartRate),
    uint8(18, totals.averageCadence),
    uint8(19, totals.maxCadence),
    uint16(20, totals.averagePowerInWatts),
    uint16(21, totals.maxPowerInWatts),
    uint16(22, totals.ascentInMeters),
    uint16(23, totals.descentInMeters),
    uint16(25, firstLap),
    uint16(26, session.laps.length),
    uint16(33, lengths),
    uint16(44, totals.poolLengthInMeters, 100),
    enumeration(46, lengths === undefined ? undefined : 0), // metric
    uint16(45, totals.thresholdPowerInWatts),
    uint16(47, active),
    uint32(48, totals.workInJoules),
  ]);
}

function writeReading(write: Write, start: number, reading: Reading): void {
  const { altitudeInMeters: altitude, padding } = reading;
  const fields: OptionalField[] = [
    uint32(TIMESTAMP, start + reading.seconds),
    position(0, reading.latitudeInDegrees),
    position(1, reading.longitudeInDegrees),
    uint16(2, altitude === undefined ? undefined : altitude + ALTITUDE.offset, ALTITUDE.scale),
    uint8(3, reading.heartRate),
    uint8(4, reading.cadence),
    uint32(5, reading.distanceInMeters, 100),
    uint16(6, reading.speedInMetersPerSecond, 1000),
    uint16(7, reading.powerInWatts),
  ];
  if (padding !== undefined) {
    fields.push({ number: 200, baseType: FitBaseType.Byte, size: padding.length, value: padding });
  }
  // Records have their own local number, so that one definition serves all records with the same fields.
  write(MESSAGE.record, fields, 1);
  const { rrIntervalsInSeconds: intervals = [] } = reading;
  for (let from = 0; from < intervals.length; from += INTERVALS_PER_MESSAGE) {
    write(MESSAGE.hrv, [intervalsField(intervals.slice(from, from + INTERVALS_PER_MESSAGE))], 2);
  }
}

function intervalsField(seconds: readonly number[]): FitEncoderField {
  const value = new Uint8Array(2 * INTERVALS_PER_MESSAGE);
  const view = new DataView(value.buffer);
  for (let i = 0; i < INTERVALS_PER_MESSAGE; i++) {
    const interval = seconds[i];
    view.setUint16(2 * i, interval === undefined ? NO_INTERVAL : Math.round(interval * 1000), true);
  }
  return { number: 0, size: value.length, baseType: FitBaseType.Uint16, value };
}
