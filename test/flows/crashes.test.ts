import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { fileId, newImportId } from "../../src/identifiers.ts";
import { runScheduled } from "../../src/scheduled.ts";
import { eraseUser } from "../../src/erasure/eraseUser.ts";
import { send } from "../support/http.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { submissionOf } from "../support/pings.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverDispatch, project, settle, type CollectorUnderTest } from "../support/world.ts";
import { base64, HOST, ping, read, SOURCE, task } from "./partnerActs.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";

const HOUR = 60 * 60_000;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Replaces the clock, so that time passes only when a test moves it. */
function freeze(): void {
  const now = Date.now();
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] });
  vi.setSystemTime(now);
}

function pass(milliseconds: number): void {
  vi.setSystemTime(Date.now() + milliseconds);
}

/** Ends the timers of an invocation, and so its reservations. */
function endInvocations(): void {
  const now = Date.now();
  vi.clearAllTimers();
  vi.setSystemTime(now);
}

async function watch(): Promise<{ who: TestPartner; collector: CollectorUnderTest }> {
  const who = await newPartner();
  return { who, collector: collectorOf(who.partnerId, "user-1", SOURCE) };
}

/** Accepts a ping in the collector. The request ends before its response. */
async function pingAndDie(who: TestPartner, source: string, priority: 0 | 1): Promise<void> {
  const names = { ...ownerOf(who), user_id: "user-1", source };
  const submission = submissionOf({ priority, callback_url: `${HOST}/1` });
  const file_id = fileId({ partnerId: who.partnerId, userId: "user-1", source, summaryId: "1" });
  await collectorOf(who.partnerId, "user-1", source).stub.accept(names, [
    { file_id, summary_id: "1", submission },
  ]);
}

/** Erases the user while R2 is down, so that the scheduled sweep completes the erasure. */
async function eraseUserLater(who: TestPartner): Promise<void> {
  vi.spyOn(env.FILES, "list").mockRejectedValueOnce(new Error("internal"));
  expect(await eraseUser(env, who.partner, "user-1", Date.now())).toBe(true);
  vi.restoreAllMocks();
}

const keysOf = async (who: TestPartner) => {
  const inline = await env.FILES.list({ prefix: "inline/" });
  const versions = await env.FILES.list({ prefix: `${who.partnerId}/` });
  return [...inline.objects, ...versions.objects]
    .map(({ key }) => key)
    .filter((key) => key.includes(who.partnerId));
};

const discardedOf = async (who: TestPartner) => {
  const { results } = await databaseOf(who).prepare("SELECT object_key FROM discarded_objects").all<{
    object_key: string;
  }>();
  return results.map((row) => row.object_key).filter((key) => key.includes(who.partnerId));
};

describe("a ping with a request that ended before its response", () => {
  test("belongs to a user that can be read and erased after its file is imported", async () => {
    const { who, collector } = await watch();
    playOutside({ [`${HOST}/1`]: once(rideFile()) });
    await pingAndDie(who, SOURCE, 1);
    for (const { dispatch_id } of await collector.sent()) await deliverDispatch(collector, dispatch_id);
    expect(await read(who, "/api/users/user-1/")).toMatchObject({ user_id: "user-1" });
    expect(await eraseUser(env, who.partner, "user-1", Date.now())).toBe(true);
  });

  test.each([0, 1] as const)(
    "is found by an erasure, also as the first ping of its source: priority %i",
    async (priority) => {
      freeze();
      const { who } = await watch();
      await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
      await pingAndDie(who, "phone", priority);
      const phone = collectorOf(who.partnerId, "user-1", "phone");
      pass(6_000);
      await phone.alarm();
      await eraseUser(env, who.partner, "user-1", Date.now());
      const left = await runInDurableObject(phone.stub, (_instance, state) =>
        state.storage.sql.exec("SELECT file_id FROM files UNION ALL SELECT user_id FROM identity").toArray(),
      );
      expect(left).toEqual([]);
    },
  );
});

describe("a newer version", () => {
  test("released while the older one is being imported becomes the readable version", async () => {
    freeze();
    const { who, collector } = await watch();
    const newer = rideFile({ seconds: 20 });
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    playOutside({
      [`${HOST}/1`]: async () => {
        await released;
        return new Response(rideFile());
      },
      [`${HOST}/2`]: once(newer),
    });
    await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    const [sent] = await collector.sent();
    await ping(who, { summary_id: "1", callback_url: `${HOST}/2`, priority: 0, overwrite_mode: true });
    const older = deliverDispatch(collector, sent?.dispatch_id ?? "");
    await vi.waitFor(() => expect(vi.mocked(fetch)).toHaveBeenCalled());
    await task(who);
    release();
    await older;
    await settle(collector);
    const { data } = await read(who, "/api/files/").then((page) => page as { data: { file_id: string }[] });
    expect(await read(who, `/api/files/${data[0]?.file_id}/`)).toMatchObject({
      status: "imported",
      size_in_bytes: newer.byteLength,
    });
    expect(await read(who, `/api/activities/${data[0]?.file_id}.0/`)).toMatchObject({
      elapsed_time_in_seconds: 20,
    });
  });

  test("leaves no bytes of the version that it replaced", async () => {
    const { who, collector } = await watch();
    playOutside({ [`${HOST}/1`]: once(rideFile()), [`${HOST}/2`]: once(rideFile({ seconds: 20 })) });
    await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    const [sent] = await collector.sent();
    vi.spyOn(databaseOf(who), "batch").mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
    await deliverDispatch(collector, sent?.dispatch_id ?? "");
    const [stored] = await keysOf(who);
    await ping(who, { summary_id: "1", callback_url: `${HOST}/2`, priority: 0, overwrite_mode: true });
    await task(who);
    await settle(collector);
    expect(await discardedOf(who)).toEqual([stored]);
  });

  test("held while the older one failed leaves no bytes of that", async () => {
    const { who, collector } = await watch();
    playOutside({ [`${HOST}/page`]: () => new Response("<!doctype html>") });
    await ping(who, { summary_id: "1", callback_url: `${HOST}/page` });
    await ping(who, { summary_id: "1", callback_url: base64(rideFile()), priority: 0, overwrite_mode: true });
    const [inline] = await keysOf(who);
    await settle(collector);
    await task(who);
    await settle(collector);
    const discarded = await discardedOf(who);
    expect((await keysOf(who)).filter((key) => !discarded.includes(key))).toEqual([inline]);
  });
});

describe("a held version", () => {
  test("can be read as held although an older version was imported before its projection", async () => {
    freeze();
    const { who, collector } = await watch();
    playOutside({ [`${HOST}/1`]: once(rideFile()) });
    const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    await ping(who, { summary_id: "1", callback_url: `${HOST}/2`, priority: 0, overwrite_mode: true });
    const [sent] = await collector.sent();
    await deliverDispatch(collector, sent?.dispatch_id ?? "");
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "held",
      activity_ids: [`${file?.file_id}.0`],
    });
  });
});

describe("an outage of our stores", () => {
  test("uses no attempts of a host: a host that is busy afterwards gets all its retries", async () => {
    freeze();
    const { who, collector } = await watch();
    let requests = 0;
    playOutside({
      [`${HOST}/1`]: () => {
        requests += 1;
        return requests === 1 ? new Response(null, { status: 503 }) : new Response(rideFile());
      },
    });
    const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    vi.spyOn(env.PARTNERS, "get").mockRejectedValueOnce(new Error("KV is away"));
    await settle(collector);
    pass(7 * HOUR);
    await settle(collector);
    expect(requests).toBe(1);
    pass(HOUR);
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported" });
  });

  test("of more than a day keeps the downloaded bytes for a retry", async () => {
    freeze();
    const { who, collector } = await watch();
    const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
    const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    const [sent] = await collector.sent();
    const down = vi.spyOn(databaseOf(who), "batch").mockRejectedValue(new Error("D1_ERROR: overloaded"));
    await deliverDispatch(collector, sent?.dispatch_id ?? "");
    pass(25 * HOUR);
    await collector.alarm();
    for (const { dispatch_id } of await collector.sent()) await deliverDispatch(collector, dispatch_id);
    down.mockRestore();
    pass(61_000);
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "failed",
      error: { code: "internal", retryable: true },
      size_in_bytes: rideFile().byteLength,
    });
    await send(who, "POST", `/api/files/${file?.file_id}/retry/`);
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported" });
    expect(outside.to(`${HOST}/1`)).toHaveLength(1);
  });

  test("an importer that crashed three times after storing the bytes keeps them for a retry", async () => {
    freeze();
    const { who, collector } = await watch();
    const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
    const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    for (let death = 0; death < 3; death += 1) {
      const [sent] = await collector.sent();
      const batch = vi.spyOn(databaseOf(who), "batch").mockImplementation(() => new Promise(() => undefined));
      void deliverDispatch(collector, sent?.dispatch_id ?? "");
      await vi.waitFor(() => expect(batch).toHaveBeenCalled());
      batch.mockRestore();
      endInvocations();
      pass(61_000);
      await collector.alarm();
      // After the second crash it waits for its exclusive attempt.
      pass(10_000);
      await collector.alarm();
    }
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "failed",
      error: { code: "internal" },
    });
    await send(who, "POST", `/api/files/${file?.file_id}/retry/`);
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported" });
    expect(outside.to(`${HOST}/1`)).toHaveLength(1);
  });
});

describe("an erasure", () => {
  test("covers data with times of a clock that is ahead", async () => {
    freeze();
    const { who } = await watch();
    await ping(who, { summary_id: "1", callback_url: base64(rideFile()), priority: 0 });
    pass(-5_000);
    await eraseUser(env, who.partner, "user-1", Date.now());
    expect((await send(who, "GET", "/api/users/user-1/")).status).toBe(404);
    expect(await read(who, "/api/files/")).toMatchObject({ data: [] });
    expect(await keysOf(who)).toEqual([]);
  });

  test("does not cover a later ping with the time of a clock that is behind", async () => {
    freeze();
    const { who } = await watch();
    await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
    await eraseUser(env, who.partner, "user-1", Date.now());
    pass(-5_000);
    const inline = base64(rideFile());
    const phone = { summary_id: "1", callback_url: inline, priority: 0, source: "phone" } as const;
    const again = await ping(who, phone);
    await project(who, again);
    expect(await read(who, "/api/files/")).toMatchObject({ data: [{ status: "held", source: "phone" }] });
    expect(await read(who, "/api/users/user-1/")).toMatchObject({ held: 1 });
    expect(await keysOf(who)).toHaveLength(1);
  });

  test("that continues later does not cover a repeated ping", async () => {
    freeze();
    const { who, collector } = await watch();
    await ping(who, { summary_id: "1", callback_url: base64(rideFile()) });
    await settle(collector);
    pass(1_000);
    await eraseUserLater(who);
    pass(1_000);
    expect(await ping(who, { summary_id: "1", callback_url: base64(rideFile()) })).toMatchObject([
      { status: "queued" },
    ]);
    await settle(collector);
    pass(2 * 60_000);
    await runScheduled(env, Date.now());
    expect(await read(who, "/api/files/")).toMatchObject({ data: [{ status: "imported" }] });
  });

  test("keeps the newer ping of a file, and nothing of the older one that was being imported", async () => {
    freeze();
    const { who, collector } = await watch();
    const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    const bound = Date.now();
    pass(1_000);
    await ping(who, { summary_id: "1", callback_url: `${HOST}/2`, priority: 0, overwrite_mode: true });
    await collector.stub.erase(bound);
    expect(await collector.sent()).toEqual([]);
    const left = await runInDurableObject(collector.stub, (_instance, state) =>
      state.storage.sql.exec("SELECT current, held ->> 'callback_url' held FROM files").toArray(),
    );
    expect(left).toEqual([{ current: null, held: `${HOST}/2` }]);
    playOutside({ [`${HOST}/2`]: once(rideFile()) });
    await task(who);
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported" });
  });

  test("lets an import complete with files that were erased after its task", async () => {
    freeze();
    const { who, collector } = await watch();
    await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
    const bound = Date.now();
    pass(1_000);
    const started = await task(who, { event_id: "e" });
    await collector.stub.erase(bound);
    await settle(collector);
    expect(await read(who, `/api/imports/${started.import_id}/`)).toMatchObject({
      status: "completed",
      files: { total: 1, skipped: 1, pending: 0 },
    });
  });

  test("older than a file does not stop its import, even when the clock of its task was behind", async () => {
    freeze();
    const { who, collector } = await watch();
    const bound = Date.now();
    pass(1_000);
    const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
    playOutside({ [`${HOST}/1`]: once(rideFile()) });
    pass(-2_000);
    await task(who);
    await collector.stub.erase(bound);
    pass(10_000);
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "imported" });
  });

  test("that continues later announces no import that completes meanwhile", async () => {
    freeze();
    const { who, collector } = await watch();
    await ping(who, { summary_id: "1", callback_url: base64(rideFile()), priority: 0 });
    const started = await task(who, { event_id: "e" });
    await collector.alarm();
    for (const { dispatch_id } of await collector.sent()) await deliverDispatch(collector, dispatch_id);
    pass(1_000);
    await eraseUserLater(who);
    await collector.alarm();
    const announced = await databaseOf(who)
      .prepare("SELECT delivery_id FROM deliveries WHERE import_id = ?")
      .bind(started.import_id)
      .all();
    expect(announced.results).toEqual([]);
  });

  test("in the middle of an alarm does not suppress the event of a later import", async () => {
    freeze();
    const { who, collector } = await watch();
    await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
    pass(6_000);
    const import_id = newImportId(who.partnerId, "user-1", SOURCE);
    vi.spyOn(databaseOf(who), "batch").mockImplementationOnce(async () => {
      const stub = env.COLLECTOR.getByName(collector.name);
      await stub.erase(Date.now());
      pass(1_000);
      const names = { ...ownerOf(who), user_id: "user-1", source: SOURCE };
      const entry = { import_id, event_id: "e", is_initial_import: false, expected: null };
      await stub.startImport(names, entry);
      return [];
    });
    await collector.alarm();
    await settle(collector);
    expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({ event: { attempts: 0 } });
  });

  test("that a collector finds by itself also covers inline bytes", async () => {
    const { who } = await watch();
    await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
    vi.spyOn(databaseOf(who), "batch").mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
    await ping(who, { summary_id: "1", callback_url: base64(rideFile()), priority: 0, source: "phone" });
    await eraseUser(env, who.partner, "user-1", Date.now());
    expect(await keysOf(who)).toHaveLength(1);
    await collectorOf(who.partnerId, "user-1", "phone").alarm();
    expect(await keysOf(who)).toEqual([]);
  });
});
