import { activityFile } from "../fitWriter/activityFile.ts";

/** Sport of the FIT profile: cycling. */
const CYCLING = 2;

/** A FIT file of a ride at 8 m/s with a record a second: small enough to be sent in a ping. */
export function tinyRide(startInSeconds: number, seconds: number): Uint8Array {
  return activityFile(startInSeconds, [
    {
      sport: CYCLING,
      startSeconds: 0,
      seconds,
      readings: Array.from({ length: seconds + 1 }, (_, second) => ({
        seconds: second,
        heartRate: 130 + (second % 20),
        distanceInMeters: second * 8,
      })),
      laps: [],
      totals: { distanceInMeters: seconds * 8 },
    },
  ]);
}
