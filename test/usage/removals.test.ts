import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { ERASURE_KEPT_FOR_MS, REMOVAL_BYTES_OF_FILE } from "../../src/contract/limits.ts";
import { sweepExpiredErasures } from "../../src/erasure/expire.ts";
import { sweepErasures } from "../../src/erasure/sweep.ts";
import { sweepExpiredDeletions } from "../../src/files/removals/expire.ts";
import { sweepUsage } from "../../src/usage/sweep.ts";
import { usageKey } from "../../src/usage/usage.ts";
import { base64, ping, pingOf, read, SOURCE } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";
import { problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, settle } from "../support/world.ts";

const HOUR_MS = 60 * 60_000;

const removalBytes = async (who: TestPartner) =>
  Number(
    await databaseOf(who)
      .prepare("SELECT removal_bytes FROM partner_usage WHERE partner_id = ?")
      .bind(who.partnerId)
      .first("removal_bytes"),
  );

/** Pings a file and deletes it. `settled`: whether it is imported in between. */
async function pingAndDelete(who: TestPartner, summary_id: string, settled: boolean): Promise<void> {
  const [file] = await ping(who, { summary_id, callback_url: base64(rideFile()) });
  if (settled) await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  expect((await send(who, "DELETE", `/api/files/${file?.file_id}/`)).status).toBe(202);
}

/** Deletes the records of removals, as if they were old. */
async function expireRemovals(who: TestPartner): Promise<void> {
  await databaseOf(who)
    .prepare("DELETE FROM file_batches WHERE partner_id = ? AND removed IS NOT NULL")
    .bind(who.partnerId)
    .run();
  const later = Date.now() + ERASURE_KEPT_FOR_MS + HOUR_MS;
  await sweepExpiredDeletions(env, later);
  await sweepExpiredErasures(env, later);
}

test("the record of a deleted file counts until it expires, also of a file that was deleted before its import", async () => {
  const who = await newPartner();
  await pingAndDelete(who, "imported", true);
  const first = await removalBytes(who);
  expect(first).toBeGreaterThan(REMOVAL_BYTES_OF_FILE / 2);
  expect(first).toBeLessThanOrEqual(REMOVAL_BYTES_OF_FILE);
  await pingAndDelete(who, "at-once", false);
  expect(await removalBytes(who)).toBeGreaterThan(first);
  await sweepUsage(env);
  expect(await env.PARTNERS.get(usageKey(who.partnerId), "json")).toMatchObject({
    removal_bytes: await removalBytes(who),
  });
  await expireRemovals(who);
  expect(await removalBytes(who)).toBe(0);
  await sweepUsage(env);
  expect(await env.PARTNERS.get(usageKey(who.partnerId), "json")).toMatchObject({ removal_bytes: 0 });
});

test("the record of a deleted user counts until it expires", async () => {
  const who = await newPartner();
  await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
  await sweepErasures(env, Date.now() + HOUR_MS);
  await sweepErasures(env, Date.now() + HOUR_MS);
  expect(await removalBytes(who)).toBeGreaterThan(REMOVAL_BYTES_OF_FILE);
  await expireRemovals(who);
  expect(await removalBytes(who)).toBe(0);
});

test("the record of an overwrite that removes activities counts", async () => {
  const who = await newPartner();
  const overwrite = async (sessions: number) => {
    await ping(who, {
      summary_id: "ride",
      callback_url: base64(rideFile({ sessions })),
      overwrite_mode: true,
    });
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  };
  await overwrite(2);
  expect(await removalBytes(who)).toBe(0);
  await overwrite(1);
  expect(await removalBytes(who)).toBeGreaterThan(0);
});

test("when records of deletions take as much as the quota of files allows, pings get quota_exceeded, and reads and deletions work", async () => {
  const who = await newPartner({ quotas: { files: 3, stored_bytes: null } });
  await env.PARTNERS.put(
    usageKey(who.partnerId),
    JSON.stringify({ files: 0, stored_bytes: 0, removal_bytes: 3 * REMOVAL_BYTES_OF_FILE }),
  );
  const body = { activity_files: [pingOf({ summary_id: "next", callback_url: base64(rideFile()) })] };
  const refused = await problemOf(
    await send(who, "POST", "/api/fit_partner_ping/", { body }),
    403,
    "quota_exceeded",
  );
  expect(refused.detail).toMatch(/deletions.*90 days/);
  expect(await read(who, "/api/files/")).toMatchObject({ data: [] });
  expect((await send(who, "DELETE", "/api/users/nobody/")).status).toBe(404);
});

test("usage that an older release published counts as having no records of deletions", async () => {
  const who = await newPartner({ quotas: { files: 3, stored_bytes: null } });
  await env.PARTNERS.put(usageKey(who.partnerId), JSON.stringify({ files: 0, stored_bytes: 0 }));
  const [file] = await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
  expect(file?.status).toBe("queued");
});
