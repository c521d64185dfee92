import { activityFile } from "../../src/fitWriter/activityFile.ts";

export interface Ride {
  /** Unix seconds. */
  startInSeconds: number;
  seconds: number;
  heartRate: number;
  /** Position of the whole ride, in degrees. */
  position?: { latitude: number; longitude: number };
  /** Padding per record in bytes, for files of a given size. */
  paddingBytes?: number;
  /** Heartbeats after each record, evenly spaced. */
  beatsPerSecond?: number;
  /** Number of sessions, one after another, each as long as the ride. Default: 1. */
  sessions?: number;
}

export const RIDE: Ride = { startInSeconds: 1_760_000_000, seconds: 10, heartRate: 140 };

/** Returns a cycling activity with one record a second. All records are equal, so that tests know the values. */
export function rideFile(changes: Partial<Ride> = {}): Uint8Array<ArrayBuffer> {
  const {
    startInSeconds,
    seconds,
    heartRate,
    position,
    paddingBytes,
    beatsPerSecond,
    sessions = 1,
  } = { ...RIDE, ...changes };
  const readingsFrom = (start: number) =>
    Array.from({ length: seconds }, (_, second) => ({
      seconds: start + second,
      heartRate,
      distanceInMeters: second * 8,
      powerInWatts: 200,
      ...(position === undefined
        ? {}
        : { latitudeInDegrees: position.latitude, longitudeInDegrees: position.longitude }),
      ...(beatsPerSecond === undefined || second === 0
        ? {}
        : {
            rrIntervalsInSeconds: Array.from({ length: beatsPerSecond }, () => 1 / beatsPerSecond),
          }),
      ...(paddingBytes === undefined ? {} : { padding: new Uint8Array(paddingBytes).fill(second % 251) }),
    }));
  const starts = Array.from({ length: sessions }, (_, session) => session * seconds);
  return activityFile(
    startInSeconds,
    starts.map((startSeconds) => ({
      sport: 2,
      startSeconds,
      seconds,
      readings: readingsFrom(startSeconds),
      laps: [{ startSeconds, seconds }],
      totals: { distanceInMeters: seconds * 8, averageHeartRate: heartRate },
    })),
  );
}
