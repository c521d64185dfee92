import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { DECODER_VERSION } from "../../src/fit/index.ts";
import { randomId } from "../../src/identifiers.ts";
import { runActs } from "../../src/operator/act/act.ts";
import { READ_RESULT, type ActParameters } from "../../src/operator/act/write.ts";
import { INSERT_ACT } from "../../src/operator/jobs/write.ts";
import { sweepFinishedJobs } from "../../src/operator/jobs/sweep.ts";
import { HOST, ping, read, SOURCE, task } from "../flows/partnerActs.ts";
import { playOutside } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverEvent, settle } from "../support/world.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Requests an action as the command does, and returns its result after one run of the clock. */
async function act(parameters: ActParameters): Promise<unknown> {
  const jobId = randomId();
  await env.DB.prepare(INSERT_ACT).bind(jobId, JSON.stringify(parameters)).run();
  await runActs(env, Date.now());
  const row = z
    .object({ result: z.string(), finished_at: z.number() })
    .parse(await env.DB.prepare(READ_RESULT.replace("?1", "?")).bind(jobId).first());
  return JSON.parse(row.result);
}

test("examine tries every store, and names the one that fails", async () => {
  const works = { milliseconds: expect.any(Number), fault: null };
  expect(await act({ action: "examine", partner_id: "", id: "" })).toEqual({
    version: { id: expect.any(String), tag: null },
    decoder_version: DECODER_VERSION,
    collector_schema: expect.any(Number),
    database_bytes: expect.any(Number),
    stores: {
      R2: { ...works, backlog: null },
      KV: { ...works, backlog: null },
      collector: { ...works, backlog: null },
      "queue PRIORITY": { ...works, backlog: 0 },
      "queue BULK": { ...works, backlog: 0 },
      "queue RETRY": { ...works, backlog: 0 },
      "queue DELIVERIES": { ...works, backlog: 0 },
      "queue JOBS": { ...works, backlog: 0 },
      "queue DISPATCHES_DEAD": { ...works, backlog: 0 },
      "queue DELIVERIES_DEAD": { ...works, backlog: 0 },
    },
  });
  vi.spyOn(env.FILES, "head").mockRejectedValue(new Error("head: Service Unavailable (10043)"));
  expect(await act({ action: "examine", partner_id: "", id: "" })).toMatchObject({
    stores: { R2: { fault: "R2:Error" }, KV: { fault: null } },
  });
});

test("inspect shows a file's state in its collector, and retry imports a failed file, without a partner's key", async () => {
  const who = await newPartner();
  let repaired = false;
  playOutside({
    [`${HOST}/ride`]: () => (repaired ? new Response(rideFile()) : new Response("", { status: 404 })),
  });
  const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride`, priority: 0 });
  const id = file?.file_id ?? "";
  const started = await task(who);
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));

  const of = { partner_id: who.partnerId, id };
  const failed = await act({ action: "inspect", ...of });
  expect(failed).toMatchObject({
    file: { status: "failed", import_id: started.import_id, summary_id: "ride" },
    retry: { files: 1 },
    import: null,
    alarm_was_missing: false,
  });
  expect(JSON.stringify(failed)).not.toContain(HOST);
  expect(await act({ action: "inspect", partner_id: who.partnerId, id: started.import_id })).toMatchObject({
    file: null,
    import: { total: 1, failed: 1 },
  });

  repaired = true;
  expect(await act({ action: "retry", ...of })).toEqual({ retried: 1 });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  expect(await read(who, `/api/files/${id}/`)).toMatchObject({ status: "imported" });
  expect(await act({ action: "retry", ...of })).toEqual({ retried: 0 });
});

test("resend delivers a failed event again", async () => {
  const receiver = "https://partner.example.com/events";
  const who = await newPartner({ event_url: receiver });
  let status = 410;
  const outside = playOutside({ [receiver]: () => new Response("", { status }) });
  const started = await task(who, { event_id: "e-1" });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  const eventId = `evt_${started.import_id}`;
  await deliverEvent(who.partnerId, eventId);
  expect(outside.to(receiver)).toHaveLength(1);

  status = 200;
  expect(await act({ action: "resend", partner_id: who.partnerId, id: eventId })).toEqual({ resent: true });
  await deliverEvent(who.partnerId, eventId);
  expect(await read(who, `/api/events/${eventId}/`)).toMatchObject({ status: "delivered" });
});

test("an action that fails ends with the name of the fault, and is not repeated", async () => {
  vi.spyOn(env.COLLECTOR, "getByName").mockImplementation(() => {
    throw new Error("Durable Object is overloaded. Too many requests queued.");
  });
  const parameters = { action: "inspect", partner_id: "acme", id: "0".repeat(42) } as const;
  expect(await act(parameters)).toEqual({ fault: "collector:overloaded" });
  vi.restoreAllMocks();
  expect(await runActs(env, Date.now() + 3_600_000)).toBe(0);
});

test("the result of an inspection, which names the user, is deleted after an hour", async () => {
  const who = await newPartner();
  playOutside({});
  const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride`, priority: 0 });
  await act({ action: "inspect", partner_id: who.partnerId, id: file?.file_id ?? "" });
  const results = async () =>
    (
      await env.DB.prepare("SELECT after_file FROM operator_jobs WHERE parameters ->> 'partner_id' = ?")
        .bind(who.partnerId)
        .all()
    ).results;
  await sweepFinishedJobs(env, Date.now() + 30 * 60_000);
  expect(JSON.stringify(await results())).toContain("user-1");

  await sweepFinishedJobs(env, Date.now() + 61 * 60_000);
  expect(await results()).toEqual([]);
});
