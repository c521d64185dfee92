import { activityFile } from "../../src/fitWriter/activityFile.ts";

export interface Ride {
  /** Unix seconds. */
  startInSeconds: number;
  seconds: number;
  heartRate: number;
  /** In degrees, where the whole ride takes place. */
  position?: { latitude: number; longitude: number };
  /** Padding of this many bytes a record, for files of a given size. */
  paddingBytes?: number;
}

export const RIDE: Ride = { startInSeconds: 1_760_000_000, seconds: 10, heartRate: 140 };

/** A cycling activity with one session and a record a second, each alike: values that a test can foretell. */
export function rideFile(changes: Partial<Ride> = {}): Uint8Array<ArrayBuffer> {
  const { startInSeconds, seconds, heartRate, position, paddingBytes } = { ...RIDE, ...changes };
  const readings = Array.from({ length: seconds }, (_, second) => ({
    seconds: second,
    heartRate,
    distanceInMeters: second * 8,
    powerInWatts: 200,
    ...(position === undefined
      ? {}
      : { latitudeInDegrees: position.latitude, longitudeInDegrees: position.longitude }),
    ...(paddingBytes === undefined ? {} : { padding: new Uint8Array(paddingBytes).fill(second % 251) }),
  }));
  return activityFile(startInSeconds, [
    {
      sport: 2,
      startSeconds: 0,
      seconds,
      readings,
      laps: [{ startSeconds: 0, seconds }],
      totals: { distanceInMeters: seconds * 8, averageHeartRate: heartRate },
    },
  ]);
}
