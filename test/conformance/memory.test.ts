import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rideFile } from "../support/rideFile.ts";
import { listenOnLoopback, type LoopbackServer } from "../support/loopback.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type PartnerClient } from "./partnerClient.ts";

const MB = 1_000_000;
/** More than a download reserves before its GET, so it must reserve more before the body ends. */
const FIRST_PART = 1_150_000;

interface Hosted {
  bytes: Uint8Array<ArrayBuffer>;
  /** Whether the response has a Content-Length. */
  declared: boolean;
  /** Pause between the first part of the body and the rest. */
  pauseInMs: number;
  requests: number;
}

let service: ServiceProcess;
let host: LoopbackServer;
let clients: PartnerClient[];
const hosted = new Map<string, Hosted>();

beforeAll(async () => {
  [service, host] = await Promise.all([ServiceProcess.start(), listenOnLoopback(respond)]);
  clients = [
    partnerClient(service.url, await service.createPartner("acme")),
    partnerClient(service.url, await service.createPartner("other")),
  ];
}, 180_000);

afterAll(async () => {
  await Promise.all([service.stop(), host.close()]);
}, 60_000);

/** Every URL works once. */
function respond(request: IncomingMessage, response: ServerResponse): void {
  const file = hosted.get(new URL(request.url ?? "/", "http://host").pathname);
  if (file === undefined) return void response.writeHead(404).end();
  file.requests += 1;
  if (file.requests > 1) return void response.writeHead(410).end();
  response.writeHead(200, file.declared ? { "content-length": file.bytes.length } : {});
  response.write(file.bytes.subarray(0, FIRST_PART));
  setTimeout(() => response.end(file.bytes.subarray(FIRST_PART)), file.pauseInMs);
}

/** Serves a ride of about this number of bytes, which starts on this day. */
function hostRide(day: number, bytes: number, delivery: Pick<Hosted, "declared" | "pauseInMs">) {
  const startInSeconds = 1_750_000_000 + day * 86_400;
  const file = rideFile({ startInSeconds, seconds: Math.ceil(bytes / 250), paddingBytes: 235 });
  const pathname = `/${randomUUID()}.fit`;
  const entry = { bytes: file, requests: 0, ...delivery };
  hosted.set(pathname, entry);
  const fields = { callback_url: host.url + pathname, start_time_in_seconds: String(startInSeconds) };
  return { entry, fields };
}

async function expectImported(client: PartnerClient, fileId: string | undefined, entry: Hosted) {
  const file = await client.settledFile(fileId ?? "", 90);
  expect(file).toMatchObject({ status: "imported", error: null });
  expect(file.sha256).toBe(createHash("sha256").update(entry.bytes).digest("hex"));
  expect(entry.requests).toBe(1);
}

async function inspect(client: PartnerClient, bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  return (await client.sendFile("/api/fit/inspect/", bytes)).status;
}

test("a live ride and a released file that need the same memory are both imported, with one GET each", async () => {
  const [partner] = clients;
  if (partner === undefined) throw new Error("No partner was created.");
  const delivery = { declared: false, pauseInMs: 3_000 };
  const history = hostRide(1, 1.3 * MB, delivery);
  const live = hostRide(2, 1.3 * MB, delivery);
  const user = { user_id: "rider" };
  const held = await partner.ping({ ...history.fields, ...user, summary_id: "history", priority: 0 });
  await partner.task({ ...user, is_initial_import: true });
  const sent = await partner.ping({ ...live.fields, ...user, summary_id: "live", priority: 1 });
  await expectImported(partner, held.files[0]?.file_id, history.entry);
  await expectImported(partner, sent.files[0]?.file_id, live.entry);

  // No memory has leaked: the largest file and an inspect request still get theirs.
  const large = hostRide(3, 30 * MB, { declared: true, pauseInMs: 0 });
  const alone = await partner.ping({ ...large.fields, ...user, summary_id: "large", priority: 1 });
  await expectImported(partner, alone.files[0]?.file_id, large.entry);
  expect(await inspect(partner, large.entry.bytes)).toBe(200);
}, 180_000);

test("six concurrent files of 2 to 20 MB from two partners are imported, with one GET each", async () => {
  const rides = [2, 5, 8, 12, 16, 20].map((megabytes, index) => ({
    ...hostRide(10 + index, megabytes * MB, { declared: index % 3 === 0, pauseInMs: 1_000 }),
    partner: clients[index % 2],
    summary_id: `ride-${index}`,
  }));
  const fileIds = await Promise.all(
    rides.map(async ({ partner, fields, summary_id }) => {
      const sent = await partner?.ping({ ...fields, user_id: summary_id, summary_id, priority: 1 });
      return sent?.files[0]?.file_id;
    }),
  );
  for (const [index, { partner, entry }] of rides.entries()) {
    if (partner !== undefined) await expectImported(partner, fileIds[index], entry);
  }
}, 180_000);
