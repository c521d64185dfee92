import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { clockFor } from "../../src/collector/clock.pure.ts";
import { partnerKey, type Partner } from "../../src/partners/partner.ts";
import { HOST, ping, read, SOURCE, task } from "../flows/partnerActs.ts";
import { playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverDispatch, settle, type CollectorUnderTest } from "../support/world.ts";

const LEASE_SECONDS = clockFor(env.ENVIRONMENT).leaseMs / 1000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);

const set = async ({ partner, partnerId }: TestPartner, changed: Partial<Partner>) =>
  env.PARTNERS.put(partnerKey(partnerId), JSON.stringify({ ...partner, ...changed }));
const suspend = async (who: TestPartner) => set(who, { status: "suspended" });
const resume = async (who: TestPartner) => set(who, { status: "active" });

/** Delivers each waiting message once, and runs the alarm. */
async function deliverOnce(collector: CollectorUnderTest): Promise<void> {
  for (const { dispatch_id, queue } of await collector.sent()) {
    await deliverDispatch(collector, dispatch_id, `partner-api-${queue.toLowerCase()}`);
  }
  await collector.alarm();
}

const ride = () => new Response(rideFile());

async function liveRide(settings: Partial<Partner> = {}, answer = ride) {
  const who = await newPartner(settings);
  const outside = playOutside({ [`${HOST}/1`]: answer });
  const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
  return {
    who,
    collector: collectorOf(who.partnerId, "user-1", SOURCE),
    requests: () => outside.sent.length,
    file: () => read(who, `/api/files/${file?.file_id}/`),
  };
}

describe("Files of a suspended partner", () => {
  test("are not downloaded, and continue after it is resumed, with no attempt counted meanwhile", async () => {
    const { who, collector, requests, file } = await liveRide();
    await suspend(who);
    for (let lease = 0; lease < 5; lease += 1) {
      await deliverOnce(collector);
      pass(LEASE_SECONDS);
    }
    expect(requests()).toBe(0);
    await resume(who);
    expect(await file()).toMatchObject({ status: "queued", attempts: 0 });
    await settle(collector);
    expect(await file()).toMatchObject({ status: "imported", attempts: 1 });
    expect(requests()).toBe(1);
  });

  test("wait for a lease between two messages", async () => {
    const { who, collector } = await liveRide();
    await suspend(who);
    const messages = vi.spyOn(env.PRIORITY, "sendBatch");
    await deliverOnce(collector);
    pass(LEASE_SECONDS - 1);
    await deliverOnce(collector);
    expect(messages).not.toHaveBeenCalled();
    pass(1);
    await collector.alarm();
    expect(messages).toHaveBeenCalledOnce();
  });

  test("of a running dispatch are not started any more, and none is lost", async () => {
    const who = await newPartner();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const urls = Array.from({ length: 25 }, (_, index) => `${HOST}/${index}`);
    const outside = playOutside(
      Object.fromEntries(
        urls.map((url) => [
          url,
          async () => {
            await suspend(who);
            pass(1);
            return ride();
          },
        ]),
      ),
    );
    await ping(who, ...urls.map((url) => ({ summary_id: url, callback_url: url, priority: 0 as const })));
    const { import_id } = await task(who);
    await collector.alarm();
    const [sent] = await collector.sent();
    await deliverDispatch(collector, sent?.dispatch_id ?? "", "partner-api-bulk");
    const requests = outside.sent.length;
    expect(requests).toBeLessThan(15);
    await deliverOnce(collector);
    expect(outside.sent).toHaveLength(requests);

    await resume(who);
    playOutside(Object.fromEntries(urls.map((url) => [url, ride])));
    pass(LEASE_SECONDS);
    await settle(collector);
    expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
      status: "completed",
      files: { total: 25, imported: 25 },
    });
    const { data } = await read(who, "/api/files/?limit=200");
    expect(data).toEqual(Array.from({ length: 25 }, () => expect.objectContaining({ attempts: 1 })));
  });
});

describe("While the registry", () => {
  test.each<[string, (who: TestPartner) => Promise<() => void>]>([
    [
      "does not respond",
      async () => {
        const get = vi.spyOn(env.PARTNERS, "get").mockRejectedValue(new Error("KV GET failed: 500"));
        return () => get.mockRestore();
      },
    ],
    [
      "has no entry for the partner",
      async (who) => {
        await env.PARTNERS.delete(partnerKey(who.partnerId));
        return () => undefined;
      },
    ],
  ])("%s, nothing is downloaded from any host, and the file is retried", async (_what, silence) => {
    const { who, collector, requests, file } = await liveRide({ callback_hosts: ["files.example.com"] });
    const speakAgain = await silence(who);
    await settle(collector);
    speakAgain();
    await resume(who);
    expect(requests()).toBe(0);
    expect(await file()).toMatchObject({ status: "queued" });
    pass(60);
    await settle(collector);
    expect(await file()).toMatchObject({ status: "imported" });
    expect(requests()).toBe(1);
  });

  test("fails during a dispatch, redirects still cannot leave the partner's hosts", async () => {
    let speakAgain = () => {};
    const { collector, requests, file } = await liveRide({ callback_hosts: ["files.example.com"] }, () => {
      const get = vi.spyOn(env.PARTNERS, "get").mockRejectedValue(new Error("KV GET failed: 500"));
      speakAgain = () => get.mockRestore();
      pass(10);
      return new Response(null, { status: 302, headers: { Location: "https://elsewhere.example.com/1" } });
    });
    await settle(collector);
    speakAgain();
    expect(await file()).toMatchObject({ status: "failed", error: { code: "callback_refused" } });
    expect(requests()).toBe(1);
  });
});
