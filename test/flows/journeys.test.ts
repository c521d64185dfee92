import { gzipSync } from "node:zlib";
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { randomId } from "../../src/identifiers.ts";
import { NO_EVENT_URL } from "../../src/imports/warnings.pure.ts";
import { collectorOf, deliverEvent, settle } from "../support/world.ts";
import { problemOf, send } from "../support/http.ts";
import { once, playOutside, type Answer } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { RIDE, rideFile } from "../support/rideFile.ts";
import { zipOf } from "../support/zip.ts";
import { base64, HOST, ping, pingOf, read, RECEIVER, SOURCE, task } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a live ride", () => {
  test("sent inline is readable as an activity, and as its original bytes", async () => {
    const who = await newPartner();
    const bytes = rideFile();
    const [file] = await ping(who, { summary_id: "ride", callback_url: base64(bytes) });
    expect(file?.status).toBe("queued");
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "queued", attempts: 0 });

    await settle(collectorOf(who.partnerId, "user-1", SOURCE));

    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "imported",
      attempts: 1,
      size_in_bytes: bytes.byteLength,
      error: null,
      activity_ids: [`${file?.file_id}.0`],
    });
    expect(await read(who, `/api/activities/${file?.file_id}.0/`)).toMatchObject({
      sport: "cycling",
      start_time_in_seconds: RIDE.startInSeconds,
      elapsed_time_in_seconds: RIDE.seconds,
      average_heart_rate_in_beats_per_minute: RIDE.heartRate,
      activity_name: "Morning ride",
    });
    const original = await send(who, "GET", `/api/files/${file?.file_id}/original/`);
    expect(new Uint8Array(await original.arrayBuffer())).toEqual(bytes);
    const streams = await read(
      who,
      `/api/activities/${file?.file_id}.0/streams/?keys=heart_rate_in_beats_per_minute`,
    );
    expect(JSON.stringify(streams)).toContain(`[${Array(RIDE.seconds).fill(RIDE.heartRate).join(",")}]`);
  });

  test("with a URL is downloaded once, even when its message is delivered twice", async () => {
    const who = await newPartner();
    const outside = playOutside({ [`${HOST}/ride`]: once(rideFile()) });
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    await Promise.all([settle(collector), settle(collector)]);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported" });
    expect(outside.to(`${HOST}/ride`)).toHaveLength(1);
  });

  test("overwritten stays readable in its old version until the new version has replaced it completely", async () => {
    const who = await newPartner();
    const longer = rideFile({ seconds: 20 });
    playOutside({ [`${HOST}/1`]: once(rideFile()), [`${HOST}/2`]: once(longer) });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/1` });
    await settle(collector);
    await ping(who, { summary_id: "ride", callback_url: `${HOST}/2`, overwrite_mode: true });
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "queued",
      activity_ids: [`${file?.file_id}.0`],
    });
    expect(await read(who, `/api/activities/${file?.file_id}.0/`)).toMatchObject({
      elapsed_time_in_seconds: 10,
    });
    await settle(collector);
    expect(await read(who, `/api/activities/${file?.file_id}.0/`)).toMatchObject({
      elapsed_time_in_seconds: 20,
    });
    const original = await send(who, "GET", `/api/files/${file?.file_id}/original/`);
    expect(new Uint8Array(await original.arrayBuffer())).toEqual(longer);
    const kept = await databaseOf(who)
      .prepare("SELECT count(*) count FROM discarded_objects WHERE object_key LIKE ?")
      .bind(`${who.partnerId}/%`)
      .first();
    expect(kept).toEqual({ count: 1 });
  });

  test("pinged again for the next task during its import is readable first in its old version, then in its new one", async () => {
    const who = await newPartner();
    playOutside({ [`${HOST}/1`]: once(rideFile()), [`${HOST}/2`]: once(rideFile({ seconds: 20 })) });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    await ping(who, { summary_id: "ride", callback_url: `${HOST}/1`, priority: 0 });
    const first = await task(who, { event_id: "first" });
    const [file] = await ping(who, {
      summary_id: "ride",
      callback_url: `${HOST}/2`,
      priority: 0,
      overwrite_mode: true,
    });
    await settle(collector);
    expect(await read(who, `/api/imports/${first.import_id}/`)).toMatchObject({ files: { imported: 1 } });
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "held" });
    expect(await read(who, `/api/activities/${file?.file_id}.0/`)).toMatchObject({
      elapsed_time_in_seconds: 10,
    });
    await task(who, { event_id: "second" });
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported" });
    expect(await read(who, `/api/activities/${file?.file_id}.0/`)).toMatchObject({
      elapsed_time_in_seconds: 20,
    });
  });

  test("that its host no longer has fails with a reason, and is imported after the next ping", async () => {
    const who = await newPartner();
    let answer: Answer = () => new Response("gone", { status: 404 });
    playOutside({ [`${HOST}/ride`]: (request) => answer(request) });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "failed",
      error: { code: "callback_gone", http_status: 404, retryable: true },
    });
    answer = once(rideFile());
    const [again] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    expect(again?.status).toBe("queued");
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "imported",
      error: null,
    });
  });

  const page = "<!doctype html><title>Log in</title>";
  test.each<[string, Record<string, () => Response>, string, string]>([
    ["a page", { "/ride": () => new Response(page) }, "not_fit", "HTML"],
    [
      "a redirect to a page",
      {
        "/ride": () => new Response(null, { status: 302, headers: { Location: `${HOST}/login` } }),
        "/login": () => new Response(page),
      },
      "not_fit",
      "HTML",
    ],
    ["a page in a gzip", { "/ride": () => new Response(gzipSync(page)) }, "not_fit", "Inside the gzip"],
    [
      "a page in a zip",
      { "/ride": () => new Response(zipOf([{ name: "index.html", content: Buffer.from(page) }])) },
      "archive_invalid",
      "contains no FIT file",
    ],
  ])(
    "that is %s fails, and the page cannot be read through this service",
    async (_what, answers, code, says) => {
      const who = await newPartner();
      playOutside(Object.fromEntries(Object.entries(answers).map(([path, answer]) => [HOST + path, answer])));
      const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
      await settle(collectorOf(who.partnerId, "user-1", SOURCE));
      const address = `/api/files/${file?.file_id}/`;
      expect(await read(who, address)).toMatchObject({
        status: "failed",
        error: { code, detail: expect.stringContaining(says) },
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
      const texts: string[] = [];
      for (const path of [
        address,
        `${address}original/`,
        `${address}timeline/`,
        "/api/files/",
        "/api/activities/",
      ]) {
        texts.push(await (await send(who, "GET", path)).text());
      }
      const original = await send(who, "GET", `${address}original/`);
      await problemOf(original, 409, "original_not_fit");
      const streams = await send(who, "GET", `/api/activities/${file?.file_id}.0/streams/`);
      await problemOf(streams.clone(), 404, "not_found");
      texts.push(await streams.text());
      expect(texts.join()).not.toContain("Log in");
    },
  );
});

describe("a first import", () => {
  test("imports all held files, requests a plan, and notifies the partner once, with the failures", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const received: Answer = () => new Response(null, { status: 204 });
    const outside = playOutside({
      ...Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`${HOST}/${index}`, once(rideFile())])),
      [`${HOST}/0`]: () => new Response(null, { status: 404 }),
      [`${HOST}/1`]: () => new Response("<gpx></gpx>"),
      [RECEIVER]: received,
    });
    const files = await ping(
      who,
      ...Array.from({ length: 30 }, (_, index) => ({
        summary_id: `ride-${index}`,
        callback_url: `${HOST}/${index}`,
        priority: 0 as const,
      })),
    );
    expect(new Set(files.map((file) => file.status))).toEqual(new Set(["held"]));
    expect(outside.sent).toHaveLength(0);

    const eventId = randomId();
    const started = await task(who, { is_initial_import: true, event_id: eventId });
    expect(started).toMatchObject({ status: "running", repeated: false, files: { total: 30, pending: 30 } });
    expect(await read(who, `/api/files/${files[5]?.file_id}/`)).toMatchObject({
      status: "queued",
      import_id: started.import_id,
    });
    const repeated = await task(who, { is_initial_import: true, event_id: eventId });
    expect(repeated).toMatchObject({ import_id: started.import_id, repeated: true });

    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    await deliverEvent(who.partnerId, `evt_${started.import_id}`);
    await deliverEvent(who.partnerId, `evt_${started.import_id}`);

    expect(await read(who, `/api/imports/${started.import_id}/`)).toMatchObject({
      status: "completed_with_failures",
      files: { total: 30, pending: 0, imported: 28, skipped: 0, failed: 2 },
      training_plan: { status: "requested" },
      event: { status: "delivered", attempts: 1 },
    });
    const events = outside.to(RECEIVER);
    expect(events).toHaveLength(1);
    const [event] = events;
    const secret = who.partner.webhook_secrets[0]?.secret ?? "";
    const verified = new Webhook(secret).verify(event?.body ?? "", Object.fromEntries(event?.headers ?? []));
    expect(verified).toMatchObject({
      type: "bulk_fit_import.completed",
      data: {
        event_id: eventId,
        import_id: started.import_id,
        files: { total: 30, imported: 28, skipped: 0, failed: 2 },
        more_failures: false,
      },
    });
    const { data } = z
      .object({ data: z.object({ failures: z.array(z.object({ code: z.string() })) }) })
      .parse(verified);
    expect(new Set(data.failures.map((failure) => failure.code))).toEqual(
      new Set(["callback_gone", "not_fit"]),
    );
    for (let index = 0; index < 30; index += 1) expect(outside.to(`${HOST}/${index}`)).toHaveLength(1);
  });

  test("without files completes immediately and still notifies the partner", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const outside = playOutside({ [RECEIVER]: () => new Response("ok") });
    const started = await task(who, { event_id: "e1" });
    expect(started).toMatchObject({ status: "completed", files: { total: 0 } });
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    await deliverEvent(who.partnerId, `evt_${started.import_id}`);
    expect(outside.to(RECEIVER)).toHaveLength(1);
    expect(await read(who, `/api/imports/${started.import_id}/`)).toMatchObject({
      event: { status: "delivered" },
    });
  });

  test("accepts the task without an event URL, and says so", async () => {
    const who = await newPartner();
    const started = await task(who, { event_id: "e1" });
    expect(started["warnings"]).toEqual(["nothing_held", NO_EVENT_URL]);
  });
});

describe("another partner", () => {
  test("cannot read a file, an activity, an import or a user, and can use the same names", async () => {
    const who = await newPartner();
    const other = await newPartner();
    const [file] = await ping(who, { summary_id: "ride", callback_url: base64(rideFile()) });
    const started = await task(who);
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    for (const path of [
      `/api/files/${file?.file_id}/`,
      `/api/files/${file?.file_id}/original/`,
      `/api/activities/${file?.file_id}.0/`,
      `/api/activities/${file?.file_id}.0/streams/`,
      `/api/imports/${started.import_id}/`,
      "/api/users/user-1/",
    ]) {
      expect((await send(other, "GET", path)).status, path).toBe(404);
      expect((await send(who, "GET", path)).status, path).toBe(200);
    }
    for (const path of ["/api/files/", "/api/activities/", "/api/imports/", "/api/users/"]) {
      expect(await read(other, path), path).toEqual({ data: [], next_cursor: null });
    }
    const [own] = await ping(other, { summary_id: "ride", callback_url: base64(rideFile()) });
    expect(own?.file_id).not.toBe(file?.file_id);
  });
});

describe("stores that are down", () => {
  test("D1 down during pings: they are accepted, readable by id once D1 is back, and in the lists soon after", async () => {
    const who = await newPartner();
    vi.spyOn(databaseOf(who), "batch").mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
    const [file] = await ping(who, { summary_id: "ride", callback_url: base64(rideFile()), priority: 0 });
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "held" });
    expect(await read(who, "/api/files/")).toMatchObject({ data: [] });
    await collectorOf(who.partnerId, "user-1", SOURCE).alarm();
    expect(await read(who, "/api/files/")).toMatchObject({ data: [{ status: "held" }] });
    expect(await read(who, "/api/users/user-1/")).toMatchObject({ user_id: "user-1" });
  });

  test("R2 down during an inline file: 503, nothing is accepted, and the same request works later", async () => {
    const who = await newPartner();
    const body = { activity_files: [pingOf({ summary_id: "ride", callback_url: base64(rideFile()) })] };
    vi.spyOn(env.FILES, "put").mockRejectedValueOnce(new Error("internal"));
    const refused = await send(who, "POST", "/api/fit_partner_ping/", { body });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
    expect((await send(who, "POST", "/api/fit_partner_ping/", { body })).status).toBe(202);
  });

  test("D1 down while a file is made readable: it waits without a failed attempt, then its stored bytes are used", async () => {
    const who = await newPartner();
    const outside = playOutside({ [`${HOST}/ride`]: once(rideFile()) });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    vi.spyOn(databaseOf(who), "batch").mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "queued",
      attempts: 0,
      error: null,
    });
    const now = Date.now();
    vi.useFakeTimers({ toFake: ["Date"] });
    vi.setSystemTime(now + 10_000);
    await collector.alarm();
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "imported",
      attempts: 1,
    });
    expect(outside.to(`${HOST}/ride`)).toHaveLength(1);
  });
});
