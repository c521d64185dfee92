import { expect, test } from "vitest";
import { decodeActivities } from "../../src/fit/index.ts";
import { tinyRide } from "../../src/verify/tinyRide.ts";

test("The ride of the integration check is a valid FIT file with the requested duration", () => {
  const decoded = decodeActivities(tinyRide(1_760_000_000, 30), { fallbackStartInSeconds: null });
  expect(decoded).toMatchObject({
    ok: true,
    warnings: [],
    activities: [
      {
        sport: "cycling",
        start_time_in_seconds: 1_760_000_000,
        elapsed_time_in_seconds: 30,
        distance_in_meters: 240,
        average_heart_rate_in_beats_per_minute: expect.closeTo(137.8, 1),
      },
    ],
  });
});
