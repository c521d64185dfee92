import { afterAll, beforeAll, expect, test } from "vitest";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { eventually } from "../support/eventually.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type PartnerClient } from "./partnerClient.ts";

const FILES = 60;
/** The service is killed when its host has handed out this many. */
const KILLED_AFTER = 20;
/** A message's files are downloaded six at a time, and local queues hand out one message at a time. */
const ON_THEIR_WAY = 6;

let service: ServiceProcess;
let host: FileHost;
let receiver: EventReceiver;
let partner: PartnerClient;

beforeAll(async () => {
  [service, host, receiver] = await Promise.all([
    ServiceProcess.start(),
    startFileHost(),
    startEventReceiver(),
  ]);
  const credentials = await service.createPartner("acme", "--event-url", receiver.url);
  receiver.expect(credentials.webhook_secret);
  partner = partnerClient(service.url, credentials);
}, 180_000);

afterAll(async () => {
  await Promise.all([service.stop(), host.close(), receiver.close()]);
}, 60_000);

test("killed in the middle of an import and started again, every file is accounted for and none is taken twice", async () => {
  const start = (day: number) => 1_750_000_000 + day * 86_400;
  const urls = Array.from({ length: FILES }, (_, day) =>
    host.serve(rideFile({ startInSeconds: start(day) }), { delayInMs: 200 }),
  );
  await partner.ping(
    ...urls.map((callback_url, day) => ({
      summary_id: `ride-${day}`,
      callback_url,
      priority: 0 as const,
      user_id: "rider",
      start_time_in_seconds: String(start(day)),
    })),
  );
  const { import_id } = await partner.task({
    user_id: "rider",
    is_initial_import: true,
    event_id: "connect",
  });
  await eventually("some files are handed out", 60, () =>
    host.handedOut() >= KILLED_AFTER ? true : undefined,
  );
  await service.kill();
  expect(host.handedOut()).toBeLessThan(FILES);
  await service.startAgain();

  const completed = await partner.completedImport(import_id, 240);
  const files = await partner.listFiles(`import_id=${import_id}`);
  expect(new Set(files.map(({ summary_id }) => summary_id)).size).toBe(FILES);
  const lost = files.filter(({ status }) => status === "failed");
  expect(completed.files).toEqual({
    total: FILES,
    pending: 0,
    imported: FILES - lost.length,
    skipped: 0,
    failed: lost.length,
  });
  expect(files.filter(({ status }) => status === "imported")).toHaveLength(FILES - lost.length);

  // A URL works once: what was on its way at the kill is gone, and says so; what was stored is not asked for again.
  for (const { summary_id, status, error } of files) {
    const asked = host.asked(urls[Number(summary_id.replace("ride-", ""))] ?? "");
    expect({ summary_id, asked: status === "imported" ? asked : Math.min(asked, 2) }).toEqual({
      summary_id,
      asked: status === "imported" ? 1 : 2,
    });
    if (status === "failed")
      expect({ summary_id, code: error?.code }).toEqual({ summary_id, code: "callback_gone" });
  }
  expect(lost.length).toBeLessThanOrEqual(ON_THEIR_WAY);

  const activities = await partner.listActivities("user_id=rider");
  expect(activities.map(({ summary_id }) => summary_id).sort()).toEqual(
    files
      .filter(({ status }) => status === "imported")
      .map(({ summary_id }) => summary_id)
      .sort(),
  );
  await eventually("the event arrives", 60, () => (receiver.received.length > 0 ? true : undefined));
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
  expect(await partner.listEvents()).toHaveLength(1);
}, 400_000);
