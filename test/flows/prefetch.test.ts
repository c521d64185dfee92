import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { PREFETCH_WINDOW } from "../../src/collector/dispatches/dispatch.pure.ts";
import { versionKey } from "../../src/files/objectKeys.ts";
import { eraseUser } from "../../src/erasure/eraseUser.ts";
import { randomId } from "../../src/identifiers.ts";
import { partnerKey, type Partner } from "../../src/partners/partner.ts";
import { databaseOf } from "../support/databases.ts";
import { send } from "../support/http.ts";
import { once, playOutside, type Answer } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverDispatch, settle, type CollectorUnderTest } from "../support/world.ts";
import { base64, HOST, ping, read, SOURCE, task, type PingFields } from "./partnerActs.ts";

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Replaces the clock, so that time passes only when a test moves it. It is ahead, so that no alarm runs by itself. */
function freeze(): void {
  const now = Date.now() + 100 * DAY_MS;
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now);
}

function pass(milliseconds: number): void {
  vi.setSystemTime(Date.now() + milliseconds);
}

/** Returns a partner whose held files are downloaded before their task. */
async function prefetching(): Promise<{ who: TestPartner; collector: CollectorUnderTest }> {
  freeze();
  const who = await newPartner({ prefetch_held: true });
  return { who, collector: collectorOf(who.partnerId, "user-1", SOURCE) };
}

/** Changes the partner's settings. */
async function change({ partner, partnerId }: TestPartner, settings: Partial<Partner>): Promise<void> {
  await env.PARTNERS.put(partnerKey(partnerId), JSON.stringify({ ...partner, ...settings }));
}

async function hold(who: TestPartner, name = "1", changes: Partial<PingFields> = {}): Promise<string> {
  const [file] = await ping(who, {
    summary_id: "ride",
    callback_url: `${HOST}/${name}`,
    priority: 0,
    ...changes,
  });
  expect(file?.status).toBe("held");
  return `/api/files/${file?.file_id}/`;
}

const keysOf = async ({ partnerId }: TestPartner) =>
  (await env.FILES.list({ prefix: `${partnerId}/` })).objects.map(({ key }) => key);

const discardedOf = async (who: TestPartner) => {
  const { results } = await databaseOf(who).prepare("SELECT object_key FROM discarded_objects").all<{
    object_key: string;
  }>();
  return results.map((row) => row.object_key).filter((key) => key.includes(who.partnerId));
};

/** Returns a host that sends the file after `release` is called. */
function slowHost(): { answer: Answer; release: () => void } {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const answer = async () => {
    await released;
    return new Response(rideFile());
  };
  return { answer, release: () => release() };
}

/** Runs the alarm that dispatches held files, and delivers their message. */
async function prefetch(collector: CollectorUnderTest): Promise<void> {
  await collector.alarm();
  const [sent] = await collector.sent();
  await deliverDispatch(collector, sent?.dispatch_id ?? "", "partner-api-bulk");
}

test("held files with URLs that expire after an hour are all imported by a task a day later, from one GET each", async () => {
  const { who, collector } = await prefetching();
  const names = Array.from({ length: 60 }, (_, index) => `file-${index}`);
  const expiresAt = Date.now() + HOUR_MS;
  const outside = playOutside(
    Object.fromEntries(
      names.map((name, index) => {
        const give = once(rideFile({ heartRate: 60 + index }));
        const expiring: Answer = (request) =>
          Date.now() < expiresAt ? give(request) : new Response("expired", { status: 403 });
        return [`${HOST}/${name}`, expiring];
      }),
    ),
  );
  await ping(
    who,
    ...names.map((name) => ({ summary_id: name, callback_url: `${HOST}/${name}`, priority: 0 as const })),
  );
  await settle(collector);
  pass(DAY_MS);
  const { import_id } = await task(who);
  await settle(collector);
  expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
    status: "completed",
    files: { total: names.length, imported: names.length, failed: 0 },
  });
  expect(names.map((name) => outside.to(`${HOST}/${name}`).length)).toEqual(names.map(() => 1));
});

test("without the setting, a held file is not downloaded before its task", async () => {
  freeze();
  const who = await newPartner();
  const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
  await hold(who);
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await settle(collector);
  expect(outside.sent).toEqual([]);
  await task(who);
  await settle(collector);
  expect(outside.sent).toHaveLength(1);
});

test("a held file that was downloaded stays held, and is decoded by the task", async () => {
  const { who, collector } = await prefetching();
  playOutside({ [`${HOST}/1`]: once(rideFile()) });
  const path = await hold(who);
  await settle(collector);
  expect(await read(who, path)).toMatchObject({ status: "held", last_error: null, activity_ids: [] });
  expect(await keysOf(who)).toHaveLength(1);
  pass(1_000);
  await task(who);
  await settle(collector);
  expect(await read(who, path)).toMatchObject({ status: "imported", attempts: 1 });
  const { data } = await read(who, `${path}timeline/`);
  expect(data).toMatchObject(
    ["pinged", "held", "downloaded", "released", "imported"].map((what) => ({ what })),
  );
});

describe("a held file that cannot be downloaded", () => {
  test("shows why before its task, and a new ping replaces it", async () => {
    const { who, collector } = await prefetching();
    playOutside({
      [`${HOST}/1`]: () => new Response("gone", { status: 410 }),
      [`${HOST}/2`]: once(rideFile()),
    });
    const path = await hold(who);
    await settle(collector);
    const state = { status: "held", attempts: 1, error: null, next_attempt_at: null };
    expect(await read(who, path)).toMatchObject({ ...state, last_error: { code: "callback_gone" } });
    expect(await read(who, "/api/files/?status=held")).toMatchObject({
      data: [{ ...state, last_error: { code: "callback_gone", http_status: 410 } }],
    });
    await hold(who, "2");
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "held", attempts: 0, last_error: null });
    const { import_id } = await task(who);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "imported", import_id });
  });

  test("is downloaded again after a ping with the same URL", async () => {
    const { who, collector } = await prefetching();
    const answers = [new Response("gone", { status: 404 }), new Response(rideFile())];
    const outside = playOutside({ [`${HOST}/1`]: () => answers.shift() ?? new Response(null) });
    const path = await hold(who);
    await settle(collector);
    await hold(who);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "held", last_error: null });
    expect(outside.sent).toHaveLength(2);
  });

  test("is tried once more by its task, and counts as failed in that import", async () => {
    const { who, collector } = await prefetching();
    const outside = playOutside({ [`${HOST}/1`]: () => new Response("gone", { status: 410 }) });
    const path = await hold(who);
    await settle(collector);
    pass(DAY_MS);
    const { import_id } = await task(who);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({
      status: "failed",
      attempts: 2,
      error: { code: "callback_gone" },
      import_id,
    });
    expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
      status: "completed_with_failures",
      files: { total: 1, failed: 1 },
    });
    expect(outside.sent).toHaveLength(2);
  });

  test("is retried by the schedule while its host fails for a time, and the error disappears", async () => {
    const { who, collector } = await prefetching();
    const answers = [new Response("busy", { status: 503 }), new Response(rideFile())];
    playOutside({ [`${HOST}/1`]: () => answers.shift() ?? new Response("used", { status: 410 }) });
    const path = await hold(who);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({
      status: "held",
      attempts: 1,
      last_error: { code: "callback_http_error", http_status: 503 },
      next_attempt_at: new Date(Date.now() + 10_000).toISOString(),
    });
    pass(11_000);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "held", last_error: null, next_attempt_at: null });
    expect(await keysOf(who)).toHaveLength(1);
  });

  test("is released by a task that comes between two attempts, and tried at once", async () => {
    const { who, collector } = await prefetching();
    const answers = [new Response("busy", { status: 503, headers: { "Retry-After": "3600" } })];
    playOutside({ [`${HOST}/1`]: () => answers.shift() ?? new Response(rideFile()) });
    const path = await hold(who);
    await settle(collector);
    await task(who);
    expect(await read(who, path)).toMatchObject({ status: "queued", next_attempt_at: null });
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "imported", attempts: 2 });
  });
});

describe("while a held file is being downloaded", () => {
  test("a task uses that download", async () => {
    const { who, collector } = await prefetching();
    const { answer, release } = slowHost();
    const outside = playOutside({ [`${HOST}/1`]: answer });
    const path = await hold(who);
    const delivery = prefetch(collector);
    await vi.waitFor(() => expect(outside.sent).toHaveLength(1));
    const { import_id } = await task(who);
    await settle(collector);
    release();
    await delivery;
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "imported", import_id });
    expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
      status: "completed",
      files: { total: 1, imported: 1 },
    });
    expect(outside.sent).toHaveLength(1);
  });

  test("a crash of its importer loses no file that a task has released", async () => {
    const { who, collector } = await prefetching();
    const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
    const path = await hold(who);
    await collector.alarm();
    const [sent] = await collector.sent();
    const claim = { claim: randomId(), message_id: randomId(), attempt: 1, prefetches: true };
    expect(await collector.stub.claim(sent?.dispatch_id ?? "", claim)).toMatchObject({
      items: [{ prefetch: true }],
    });
    const { import_id } = await task(who);
    await settle(collector);
    expect(outside.sent).toEqual([]);
    pass(61_000);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "imported", import_id });
    expect(outside.sent).toHaveLength(1);
  });

  test.each([
    ["before its task", false],
    ["while its task comes", true],
  ])(
    "a crash of its importer after it stored the bytes, %s, costs no second GET",
    async (_when, tasksFirst) => {
      const { who, collector } = await prefetching();
      const outside = playOutside({ [`${HOST}/1`]: () => new Response("used", { status: 403 }) });
      const path = await hold(who);
      await collector.alarm();
      const [sent] = await collector.sent();
      const claimed = await collector.stub.claim(sent?.dispatch_id ?? "", {
        claim: randomId(),
        message_id: randomId(),
        attempt: 1,
        prefetches: true,
      });
      const item = claimed?.items[0];
      await env.FILES.put(
        versionKey(who.partnerId, "user-1", item?.file_id ?? "", item?.version ?? 0),
        rideFile(),
      );
      if (tasksFirst) await task(who);
      pass(61_000);
      await settle(collector);
      if (!tasksFirst) {
        expect(await read(who, path)).toMatchObject({ status: "held", last_error: null });
        await task(who);
        await settle(collector);
      }
      expect(await read(who, path)).toMatchObject({ status: "imported" });
      expect(outside.sent).toEqual([]);
      expect(await keysOf(who)).toHaveLength(1);
    },
  );

  test("a cancelled import skips it after the download", async () => {
    const { who, collector } = await prefetching();
    const { answer, release } = slowHost();
    const outside = playOutside({ [`${HOST}/1`]: answer });
    const path = await hold(who);
    const delivery = prefetch(collector);
    await vi.waitFor(() => expect(outside.sent).toHaveLength(1));
    const { import_id } = await task(who);
    expect((await send(who, "POST", `/api/imports/${import_id}/cancel/`)).status).toBeLessThan(300);
    release();
    await delivery;
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "skipped" });
    expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
      status: "cancelled",
      files: { total: 1, skipped: 1 },
    });
  });

  test("a newer ping replaces it, and the stored bytes are discarded", async () => {
    const { who, collector } = await prefetching();
    const { answer, release } = slowHost();
    const outside = playOutside({ [`${HOST}/1`]: answer, [`${HOST}/2`]: once(rideFile({ seconds: 20 })) });
    const path = await hold(who);
    const delivery = prefetch(collector);
    await vi.waitFor(() => expect(outside.sent).toHaveLength(1));
    pass(1_000);
    await hold(who, "2");
    release();
    await delivery;
    const [older] = await keysOf(who);
    await settle(collector);
    expect(await discardedOf(who)).toEqual([older]);
    expect(await keysOf(who)).toHaveLength(2);
    await task(who);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({
      status: "imported",
      size_in_bytes: rideFile({ seconds: 20 }).length,
    });
  });
});

describe("the stored bytes of a held file", () => {
  async function stored() {
    const { who, collector } = await prefetching();
    const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
    const path = await hold(who);
    await settle(collector);
    const [key = ""] = await keysOf(who);
    return { who, collector, outside, path, key };
  }

  test("are discarded when a newer ping replaces it", async () => {
    const { who, collector, key } = await stored();
    await hold(who, "1", { callback_url: base64(rideFile({ seconds: 20 })) });
    await settle(collector);
    expect(await discardedOf(who)).toEqual([key]);
  });

  test("are discarded when it is deleted", async () => {
    const { who, collector, path, key } = await stored();
    expect((await send(who, "DELETE", path)).status).toBe(202);
    await settle(collector);
    expect(await discardedOf(who)).toEqual([key]);
  });

  test("are deleted when its user is erased", async () => {
    const { who } = await stored();
    expect(await eraseUser(env, who.partner, "user-1", Date.now())).toBe(true);
    expect(await keysOf(who)).toEqual([]);
  });

  test("are imported after the database was down during the download", async () => {
    const { who, collector } = await prefetching();
    const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
    const path = await hold(who);
    const down = vi.spyOn(databaseOf(who), "batch").mockRejectedValue(new Error("D1_ERROR"));
    await prefetch(collector);
    down.mockRestore();
    expect(await keysOf(who)).toHaveLength(1);
    await task(who);
    pass(60_000);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "imported" });
    expect(outside.sent).toHaveLength(1);
  });

  test("are not downloaded again for a repeated ping", async () => {
    const { who, collector, outside } = await stored();
    await hold(who);
    await settle(collector);
    expect(outside.sent).toHaveLength(1);
  });
});

describe("held files that are not downloaded", () => {
  test("are those of a partner that has switched the setting off", async () => {
    const { who, collector } = await prefetching();
    const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
    const path = await hold(who);
    await change(who, { prefetch_held: false });
    await settle(collector);
    expect(outside.sent).toEqual([]);
    expect(await read(who, path)).toMatchObject({ status: "held", last_error: null });
    await task(who);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "imported" });
  });

  test("are those of a suspended partner, until it is resumed", async () => {
    const { who, collector } = await prefetching();
    const outside = playOutside({ [`${HOST}/1`]: once(rideFile()) });
    await hold(who);
    await change(who, { status: "suspended" });
    await prefetch(collector);
    expect(outside.sent).toEqual([]);
    await change(who, { status: "active" });
    await prefetch(collector);
    expect(outside.sent).toHaveLength(1);
  });

  test("wait behind the open dispatches of their user and source", async () => {
    const { who, collector } = await prefetching();
    await ping(
      who,
      ...Array.from({ length: 200 }, (_, index) => ({
        summary_id: `ride-${index}`,
        callback_url: `${HOST}/${index}`,
        priority: 0 as const,
      })),
    );
    await collector.alarm();
    expect(await collector.sent()).toHaveLength(PREFETCH_WINDOW);
  });

  test("are those of importers that run an older release", async () => {
    const { who, collector } = await prefetching();
    await hold(who);
    await collector.alarm();
    const [sent] = await collector.sent();
    expect(await collector.claim(sent?.dispatch_id ?? "")).toBeNull();
  });
});

test("an erased user leaves no list of files to download", async () => {
  const { who, collector } = await prefetching();
  await hold(who);
  expect(await eraseUser(env, who.partner, "user-1", Date.now())).toBe(true);
  const left = await runInDurableObject(collector.stub, (_instance, { storage }) =>
    storage.sql.exec("SELECT file_ids FROM prefetches").toArray(),
  );
  expect(left).toEqual([]);
});
