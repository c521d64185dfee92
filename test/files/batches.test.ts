import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { sweepBatches } from "../../src/files/batches/sweep.ts";
import { base64, ping, read, SOURCE } from "../flows/partnerActs.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, settle } from "../support/world.ts";
import { databaseOf } from "../support/databases.ts";

const HOUR_MS = 60 * 60_000;

test("out-of-date batches are deleted once an hour, and lists do not change", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const batches = async () =>
    databaseOf(who)
      .prepare("SELECT count(*) count FROM file_batches WHERE partner_id = ?")
      .bind(who.partnerId)
      .first<{ count: number }>();
  for (let overwrite = 0; overwrite < 5; overwrite += 1) {
    for (const summary_id of ["one", "two"]) {
      await ping(who, {
        summary_id,
        callback_url: base64(rideFile({ seconds: 10 + overwrite })),
        overwrite_mode: true,
      });
      await settle(collector);
    }
  }
  const lists = ["files/", "files/?updated_since=2026-01-01T00:00:00Z", "files/?user_id=user-1"];
  const listed = async () => Promise.all(lists.map(async (list) => read(who, `/api/${list}`)));
  // Feeds omit rows of the current millisecond.
  const written = Date.now();
  while (Date.now() <= written) await databaseOf(who).prepare("SELECT 1").run();
  const before = await listed();
  const now = Date.now();
  let deleted = 0;
  for (let run = 0; run < 20; run += 1) deleted += await sweepBatches(env, now + HOUR_MS);
  expect(deleted).toBeGreaterThan(0);
  const left = await batches();
  expect(left?.count).toBeLessThanOrEqual(4);
  expect(await listed()).toEqual(before);
  // The next round begins an hour later.
  expect(await sweepBatches(env, now + HOUR_MS)).toBe(0);
});
