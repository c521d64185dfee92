import { expect, test } from "vitest";
import { base64, ping, read, SOURCE } from "../flows/partnerActs.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, settle } from "../support/world.ts";

test("the feed lists an activity although its file was pinged again since", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
  await settle(collector);
  await ping(who, {
    summary_id: "ride",
    callback_url: base64(rideFile({ seconds: 30 })),
    priority: 0,
    overwrite_mode: true,
  });
  await settle(collector);
  // Feeds omit rows of the current millisecond.
  await new Promise((resolve) => setTimeout(resolve, 5));
  const { data } = await read(who, "/api/activities/?updated_since=2026-01-01T00:00:00Z");
  const { data: files } = await read(who, "/api/files/?updated_since=2026-01-01T00:00:00Z");
  expect(data).toMatchObject([{ summary_id: "ride", elapsed_time_in_seconds: 10 }]);
  expect(files).toMatchObject([{ updated_at: (data as { updated_at: string }[])[0]?.updated_at }]);
});
