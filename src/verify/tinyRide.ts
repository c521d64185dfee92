import { activityFile } from "../fitWriter/activityFile.ts";

/** Number of the sport "cycling" in the FIT profile. */
const CYCLING = 2;

/** Returns a FIT file of a ride at 8 m/s with one record per second. It is small enough to send in a ping. */
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
