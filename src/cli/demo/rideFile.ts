import { FitBaseType, FitEncoder, type FitEncoderField } from "fit-file-parser/encoder";

/** Where the ride begins: Reykjavík, whose clocks show UTC all year. */
const START = { latitude: 64.1466, longitude: -21.9426 };
/** Degrees of latitude in one metre. */
const DEGREES_A_METER = 1 / 111_195;
/** FIT positions count 2^31 to half a turn. */
const SEMICIRCLES_A_DEGREE = 2 ** 31 / 180;

const MESSAGE = { fileId: 0, session: 18, lap: 19, record: 20, event: 21, activity: 34 };

const SIZE: Partial<Record<FitBaseType, number>> = {
  [FitBaseType.Enum]: 1,
  [FitBaseType.Sint8]: 1,
  [FitBaseType.Uint8]: 1,
  [FitBaseType.Uint16]: 2,
  [FitBaseType.Sint32]: 4,
  [FitBaseType.Uint32]: 4,
  [FitBaseType.Uint32z]: 4,
};

function field(number: number, baseType: FitBaseType, value: number): FitEncoderField {
  return { number, size: SIZE[baseType] ?? 1, baseType, value: Math.round(value) };
}
const enumeration = (number: number, value: number) => field(number, FitBaseType.Enum, value);
const uint8 = (number: number, value: number) => field(number, FitBaseType.Uint8, value);
const uint16 = (number: number, value: number) => field(number, FitBaseType.Uint16, value);
const uint32 = (number: number, value: number) => field(number, FitBaseType.Uint32, value);
const sint32 = (number: number, value: number) => field(number, FitBaseType.Sint32, value);

export interface RideOptions {
  /** Unix seconds. */
  startInSeconds: number;
  records: number;
  secondsApart: number;
}

/**
 * The FIT file of a road ride with position, power, heart rate and cadence: a loop that rolls gently, with
 * `records` readings `secondsApart` each. The same options give the same bytes.
 */
export function rideFile({ startInSeconds, records, secondsApart }: RideOptions): Uint8Array {
  const start = FitEncoder.toFitTimestamp(new Date(startInSeconds * 1000));
  const duration = (records - 1) * secondsApart;
  const readings: { speed: number; heartRate: number; cadence: number; power: number }[] = [];
  const encoder = new FitEncoder();

  encoder.writeMessage(MESSAGE.fileId, [
    enumeration(0, 4), // an activity
    uint16(1, 255), // manufacturer: development
    uint16(2, 1),
    field(3, FitBaseType.Uint32z, 1_000_001),
    uint32(4, start),
  ]);
  encoder.writeMessage(MESSAGE.event, [uint32(253, start), enumeration(0, 0), enumeration(1, 0)]);

  let distance = 0;
  let latitude = START.latitude;
  let longitude = START.longitude;
  for (let index = 0; index < records; index += 1) {
    const part = index / Math.max(1, records - 1);
    const hill = Math.sin(part * 6 * Math.PI);
    const warm = Math.min(1, part * 5);
    const reading = {
      speed: 7.9 - 1.6 * hill + 0.3 * Math.sin(index * 1.7),
      heartRate: 104 + 36 * warm + 9 * hill,
      cadence: 86 - 5 * hill + 2 * Math.sin(index * 2.3),
      power: 168 + 52 * hill + 14 * Math.sin(index * 3.1),
    };
    readings.push(reading);
    encoder.writeMessage(
      MESSAGE.record,
      [
        uint32(253, start + index * secondsApart),
        sint32(0, latitude * SEMICIRCLES_A_DEGREE),
        sint32(1, longitude * SEMICIRCLES_A_DEGREE),
        uint16(2, (24 - 11 * Math.cos(part * 6 * Math.PI) + 500) * 5),
        uint8(3, reading.heartRate),
        uint8(4, reading.cadence),
        uint32(5, distance * 100),
        uint16(6, reading.speed * 1000),
        uint16(7, reading.power),
      ],
      1,
    );
    const meters = reading.speed * secondsApart;
    const heading = part * 2 * Math.PI;
    distance += meters;
    latitude += meters * Math.cos(heading) * DEGREES_A_METER;
    longitude += (meters * Math.sin(heading) * DEGREES_A_METER) / Math.cos((latitude * Math.PI) / 180);
  }
  distance -= (readings.at(-1)?.speed ?? 0) * secondsApart;

  const end = start + duration;
  const average = (of: (reading: (typeof readings)[number]) => number) =>
    readings.reduce((sum, reading) => sum + of(reading), 0) / readings.length;
  const highest = (of: (reading: (typeof readings)[number]) => number) => Math.max(...readings.map(of));
  encoder.writeMessage(MESSAGE.event, [uint32(253, end), enumeration(0, 0), enumeration(1, 4)]);
  encoder.writeMessage(MESSAGE.lap, [
    uint16(254, 0),
    uint32(253, end),
    uint32(2, start),
    uint32(7, duration * 1000),
    uint32(8, duration * 1000),
    uint32(9, distance * 100),
    enumeration(24, 7), // ended with the session
    enumeration(25, 2), // cycling
  ]);
  encoder.writeMessage(MESSAGE.session, [
    uint16(254, 0),
    uint32(253, end),
    uint32(2, start),
    enumeration(5, 2), // cycling
    enumeration(6, 7), // road
    uint32(7, duration * 1000),
    uint32(8, duration * 1000),
    uint32(9, distance * 100),
    uint16(11, (average((reading) => reading.power) * duration) / 1000),
    uint16(14, (distance / duration) * 1000),
    uint16(15, highest((reading) => reading.speed) * 1000),
    uint8(
      16,
      average((reading) => reading.heartRate),
    ),
    uint8(
      17,
      highest((reading) => reading.heartRate),
    ),
    uint8(
      18,
      average((reading) => reading.cadence),
    ),
    uint8(
      19,
      highest((reading) => reading.cadence),
    ),
    uint16(
      20,
      average((reading) => reading.power),
    ),
    uint16(
      21,
      highest((reading) => reading.power),
    ),
    uint16(22, 66),
    uint16(23, 66),
    uint16(25, 0),
    uint16(26, 1),
    uint16(34, average((reading) => reading.power) * 1.03),
    uint32(48, average((reading) => reading.power) * duration),
    uint32(59, duration * 1000),
  ]);
  encoder.writeMessage(MESSAGE.activity, [
    uint32(253, end),
    uint32(0, duration * 1000),
    uint16(1, 1),
    enumeration(2, 0),
    enumeration(3, 26),
    enumeration(4, 1),
    uint32(5, end), // the local clock shows UTC
  ]);
  return encoder.close();
}
