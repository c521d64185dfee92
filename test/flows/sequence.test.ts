import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { acceptedPingsSchema } from "../../src/pings/acceptedPings.ts";
import { faultsOf, problemOf, send } from "../support/http.ts";
import { playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { RIDE, rideFile } from "../support/rideFile.ts";
import { collectorOf, settle } from "../support/world.ts";
import { base64, HOST, pingOf, read, SOURCE, task } from "./partnerActs.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const PATH = "/api/fit_partner_ping/";

/** A ping of the file `ride` with this number. Its URL and its name tell which ping it is. */
function numbered(sequence_number: number | null | undefined, changes: Record<string, unknown> = {}) {
  return {
    ...pingOf({ summary_id: "ride", callback_url: `${HOST}/${sequence_number}`, overwrite_mode: true }),
    activity_name: `Ride ${sequence_number}`,
    ...(sequence_number === undefined ? {} : { sequence_number }),
    ...changes,
  };
}

async function statuses(who: TestPartner, items: object[], query = "", headers = {}): Promise<string[]> {
  const response = await send(who, "POST", PATH + query, { body: { activity_files: items }, headers });
  expect(response.status).toBe(202);
  return acceptedPingsSchema.parse(await response.json()).files.map((file) => file.status);
}

const hosts = () =>
  playOutside(Object.fromEntries([1, 2, 3, 7].map((n) => [`${HOST}/${n}`, () => new Response(rideFile())])));

const fileOf = async (who: TestPartner) =>
  z
    .object({ data: z.array(z.looseObject({ file_id: z.string(), activity_ids: z.array(z.string()) })) })
    .parse(await read(who, "/api/files/")).data[0];

test("the highest number wins in whatever order the pings arrive, also within one request", async () => {
  for (const order of [
    [1, 2, 3],
    [3, 2, 1],
    [2, 3, 1],
    [3, 1, 2],
  ]) {
    const who = await newPartner();
    hosts();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    let most = 0;
    for (const number of order) {
      expect(await statuses(who, [numbered(number)])).toEqual([number > most ? "queued" : "superseded"]);
      most = Math.max(most, number);
      await settle(collector);
    }
    expect(await fileOf(who)).toMatchObject({
      status: "imported",
      activity_name: "Ride 3",
      sequence_number: 3,
    });
    const together = order.map((number) => numbered(number + 10));
    expect(await statuses(who, together)).toContain("queued");
    await settle(collector);
    expect(await fileOf(who)).toMatchObject({ activity_name: "Ride 13", sequence_number: 13 });
  }
});

test("a superseded ping changes nothing, in a dry run, when it is repeated and when its response is lost", async () => {
  const who = await newPartner();
  hosts();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await statuses(who, [numbered(7)]);
  await settle(collector);
  const before = await fileOf(who);
  expect(await statuses(who, [numbered(3)], "?dry_run=true")).toEqual(["superseded"]);
  const key = { "Idempotency-Key": "three" };
  expect(await statuses(who, [numbered(3)], "", key)).toEqual(["superseded"]);
  expect(await statuses(who, [numbered(3)], "", key)).toEqual(["superseded"]);
  expect(await statuses(who, [numbered(7)])).toEqual(["duplicate"]);
  await settle(collector);
  expect(await fileOf(who)).toEqual(before);
});

test("pings without a number win by their arrival, and do not lower the number of the file", async () => {
  const who = await newPartner();
  hosts();
  expect(await statuses(who, [numbered(2), numbered(undefined), numbered(1)])).toEqual([
    "queued",
    "queued",
    "superseded",
  ]);
  expect(await statuses(who, [numbered(null, { callback_url: `${HOST}/other` })])).toEqual(["queued"]);
  expect(await statuses(who, [numbered(1), numbered(3)])).toEqual(["superseded", "queued"]);
});

test("the bytes of a superseded ping are deleted", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const inline = (number: number, seconds: number) =>
    numbered(number, { callback_url: base64(rideFile({ startInSeconds: RIDE.startInSeconds + seconds })) });
  await statuses(who, [inline(5, 0)]);
  await settle(collector);
  const keys = async () => (await env.FILES.list()).objects.filter(({ key }) => key.includes(who.partnerId));
  const before = await keys();
  expect(await statuses(who, [inline(4, 60), inline(3, 120)])).toEqual(["superseded", "superseded"]);
  expect((await keys()).map(({ key }) => key)).toEqual(before.map(({ key }) => key));
});

test("held pings keep their order through the task, and a superseded one counts as skipped after the import", async () => {
  const who = await newPartner();
  hosts();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const held = (number: number) => numbered(number, { priority: 0 });
  expect(await statuses(who, [held(3), held(2)])).toEqual(["held", "superseded"]);
  await task(who);
  expect(await statuses(who, [held(2), numbered(1)])).toEqual(["superseded", "superseded"]);
  await settle(collector);
  expect(await fileOf(who)).toMatchObject({ status: "imported", activity_name: "Ride 3" });
  expect(await statuses(who, [held(2)])).toEqual(["superseded"]);
  expect(await task(who, { event_id: "second" })).toMatchObject({ files: { total: 1, skipped: 1 } });
});

test("after the deletion of the user the numbers start afresh", async () => {
  const who = await newPartner();
  hosts();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await statuses(who, [numbered(7), numbered(7, { priority: 0, callback_url: `${HOST}/held` })]);
  await settle(collector);
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
  expect(await statuses(who, [numbered(1)])).toEqual(["queued"]);
  await settle(collector);
  expect(await fileOf(who)).toMatchObject({ status: "imported", sequence_number: 1 });
});

test("a number is an integer from 0 to the largest that JSON carries exactly", async () => {
  const who = await newPartner();
  const most = Number.MAX_SAFE_INTEGER;
  expect(await statuses(who, [numbered(0), numbered(most, { callback_url: `${HOST}/most` })])).toEqual([
    "queued",
    "queued",
  ]);
  for (const [bad, code] of [
    [-1, "too_small"],
    [1.5, "invalid_type"],
    ["1", "invalid_type"],
    [most + 1, "too_big"],
    [true, "invalid_type"],
  ] as const) {
    const items = [numbered(0, { sequence_number: bad })];
    const response = await send(who, "POST", PATH, { body: { activity_files: items } });
    const problem = await problemOf(response, 400, "validation_failed");
    expect(faultsOf(problem)).toEqual([["/activity_files/0/sequence_number", code]]);
  }
});
