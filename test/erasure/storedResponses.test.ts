import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { eraseUser } from "../../src/erasure/eraseUser.ts";
import { sweepErasures } from "../../src/erasure/sweep.ts";
import { claimRequest, storeAnswer } from "../../src/idempotency/write.ts";
import { userHash } from "../../src/identifiers.ts";
import { base64, pingOf, read, type PingFields } from "../flows/partnerActs.ts";
import { send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { seedUser } from "../support/rows.ts";
import { rideFile } from "../support/rideFile.ts";
import { project } from "../support/world.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";

afterEach(() => vi.restoreAllMocks());

/** Longer than the pause before an erasure's second sweep. */
const SECOND_SWEEP_MS = 21 * 60_000;
const RIDE = base64(rideFile());
const rideOf = (user_id: string): PingFields => ({ user_id, summary_id: "ride", callback_url: RIDE });

const acceptedSchema = z.object({ files: z.array(z.object({ file_id: z.string(), status: z.string() })) });

/** Sends pings with an idempotency key. */
async function ping(who: TestPartner, key: string, ...files: PingFields[]) {
  const response = await send(who, "POST", "/api/fit_partner_ping/", {
    body: { activity_files: files.map(pingOf) },
    headers: { "Idempotency-Key": key },
  });
  expect(response.status).toBe(202);
  return acceptedSchema.parse(await response.json()).files;
}

async function task(who: TestPartner, key: string, user_id: string) {
  const response = await send(who, "POST", "/api/task_partner/", {
    body: { bulk_fit_transfer_complete: true, source: "watch", is_initial_import: false, user_id },
    headers: { "Idempotency-Key": key },
  });
  expect(response.status).toBe(202);
  return z.looseObject({ import_id: z.string() }).parse(await response.json());
}

const erase = async (who: TestPartner, userId: string) =>
  expect((await send(who, "DELETE", `/api/users/${userId}/`)).status).toBe(202);

const users = async (who: TestPartner) =>
  z
    .object({ data: z.array(z.object({ user_id: z.string() })) })
    .parse(await read(who, "/api/users/"))
    .data.map((user) => user.user_id);

test("repeated requests of an erased user run again; those of another user get their stored responses", async () => {
  const who = await newPartner();
  const keys = ["leaver", "stayer"] as const;
  for (const user of keys) await ping(who, user, rideOf(user));
  const leaverTask = await task(who, "task-leaver", "leaver");
  const stayerTask = await task(who, "task-stayer", "stayer");

  await erase(who, "leaver");

  expect(await ping(who, "stayer", rideOf("stayer"))).toMatchObject([{ status: "queued" }]);
  expect(await task(who, "task-stayer", "stayer")).toEqual(stayerTask);
  await project(who, [{ user_id: "stayer", source: "watch" }]);
  expect(await users(who)).toEqual(["stayer"]);
  // The repeated request queued the file again, so its status is the same as before the erasure.
  const [file] = await ping(who, "leaver", rideOf("leaver"));
  expect(file).toMatchObject({ status: "queued" });
  expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "queued" });
  expect((await task(who, "task-leaver", "leaver")).import_id).not.toBe(leaverTask.import_id);
});

test("the stored response to a request of 5,000 users becomes invalid when one of them is erased, not before", async () => {
  const { partnerId } = await newPartner();
  const user_hashes = Array.from({ length: 5_000 }, (_, user) => userHash(partnerId, `user-${user}`));
  const name = { partner_id: partnerId, key_hash: "key" };
  const content = { request_hash: "request", user_hashes };
  const claim = async () => claimRequest(databaseOf(partnerId), name, content, Date.now());
  const erasureOf = async (user_id: string) => {
    await seedUser(partnerId, user_id);
    expect(await eraseUser(env, ownerOf(partnerId), user_id, Date.now())).toBe(true);
  };
  const claimed = await claim();
  if (claimed.state !== "claimed") throw new Error(claimed.state);
  await storeAnswer(databaseOf(partnerId), name, claimed.until, "q", Date.now());
  await erasureOf("another user");
  expect(await claim()).toEqual({ state: "answered", answer: "q" });
  await erasureOf("user-4999");
  expect(await claim()).toMatchObject({ state: "claimed" });
});

test("a request stores no response if its user is erased while it runs", async () => {
  const who = await newPartner();
  const batch = databaseOf(who).batch.bind(databaseOf(who));
  let batches = 0;
  vi.spyOn(databaseOf(who), "batch").mockImplementation(async <T>(statements: D1PreparedStatement[]) => {
    const results = await batch<T>(statements);
    batches += 1;
    // The key is claimed and the ping is readable. The response is not stored yet.
    if (batches === 2) await eraseUser(env, who.partner, "leaver", Date.now());
    return results;
  });
  await ping(who, "key", rideOf("leaver"));
  vi.restoreAllMocks();
  expect(await users(who)).toEqual([]);
  const [file] = await ping(who, "key", rideOf("leaver"));
  expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "queued" });
});

test("a response stored after the erasure stays valid after the erasure's second sweep", async () => {
  const who = await newPartner();
  await ping(who, "before", rideOf("leaver"));
  await erase(who, "leaver");
  await ping(who, "after", rideOf("leaver"));
  await sweepErasures(env, Date.now() + SECOND_SWEEP_MS);
  const sweeps = await databaseOf(who)
    .prepare("SELECT sweeps_left FROM erased WHERE partner_id = ?")
    .bind(who.partnerId)
    .first("sweeps_left");
  expect(sweeps).toBe(0);
  const collectors = vi.spyOn(env.COLLECTOR, "getByName");
  expect(await ping(who, "after", rideOf("leaver"))).toMatchObject([{ status: "queued" }]);
  expect(collectors).not.toHaveBeenCalled();
});
