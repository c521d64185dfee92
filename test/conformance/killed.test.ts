import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { eventually } from "../support/eventually.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type PartnerClient } from "./partnerClient.ts";

/** A short import that is killed twice, unless `npm run test:kill` asks for more. */
const FILES = Number(process.env["KILL_FILES"] ?? 60);
const KILLS = Number(process.env["KILL_TIMES"] ?? 2);
const SEED = Number(process.env["KILL_SEED"] ?? Date.now() % 2 ** 31);
/** A message's files are downloaded six at a time, and local queues hand out one message of a queue at a time. */
const ON_THEIR_WAY = 6;
const FILES_A_PING = 50;
/** How far a kill falls behind the moment that it waited for. */
const LATEST_MS = 150;

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

/** Mulberry32: the same moments again for the same seed, as far as two runs can be the same. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A partner that was cut off sends the same request again once the service is back. */
async function sendUntilAnswered<T>(request: () => Promise<T>): Promise<T> {
  return eventually("the request is answered", 90, async () => {
    try {
      return await request();
    } catch (fault) {
      // Cut connections only: an answer that is none of the contract's must fail the test.
      if (fault instanceof TypeError) return undefined;
      throw fault;
    }
  });
}

test(`killed ${KILLS} times at random moments of an import of ${FILES} files, the service loses none and takes none twice`, async () => {
  const random = randomFrom(SEED);
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const killAndStart = async () => {
    await wait(random() * LATEST_MS);
    await service.kill();
    await service.startAgain();
  };
  console.log(`kill seed ${SEED}`);

  const start = (day: number) => 1_500_000_000 + day * 86_400;
  const urls = Array.from({ length: FILES }, (_, day) =>
    host.serve(rideFile({ startInSeconds: start(day) }), { delayInMs: 100 + random() * 200 }),
  );
  const pings = urls.map((callback_url, day) => ({
    summary_id: `ride-${day}`,
    callback_url,
    priority: 0 as const,
    user_id: "rider",
    start_time_in_seconds: String(start(day)),
  }));
  const sendPings = async () => {
    for (let first = 0; first < FILES; first += FILES_A_PING) {
      const accepted = await sendUntilAnswered(async () =>
        partner.ping(...pings.slice(first, first + FILES_A_PING)),
      );
      expect(new Set(accepted.files.map(({ status }) => status))).toEqual(new Set(["held"]));
    }
  };
  await Promise.all([sendPings(), killAndStart()]);

  const task = () => partner.task({ user_id: "rider", is_initial_import: true, event_id: "connect" });
  const [{ import_id }] = await Promise.all([
    sendUntilAnswered(task),
    // Of three or more kills one falls on the task itself; otherwise all fall into the import.
    KILLS > 2 ? killAndStart() : undefined,
  ]);
  const during = KILLS - (KILLS > 2 ? 2 : 1);
  for (let kill = 0; kill < during; kill += 1) {
    const handedOut = Math.floor(((kill + random()) / during) * FILES);
    await eventually(`${handedOut} files are handed out, or the import is complete`, 300, async () => {
      if (host.handedOut() >= handedOut) return true;
      return (await partner.readImport(import_id)).completed_at === null ? undefined : true;
    });
    await killAndStart();
  }

  const completed = await partner.completedImport(import_id, 600);
  expect((await task()).import_id).toBe(import_id);
  const files = await partner.listFiles("user_id=rider");
  expect(files.map(({ summary_id }) => summary_id).sort()).toEqual(
    pings.map(({ summary_id }) => summary_id).sort(),
  );
  const lost = files.filter(({ status }) => status === "failed");
  const imported = files.filter(({ status }) => status === "imported");
  expect(completed.files).toEqual({
    total: FILES,
    pending: 0,
    imported: imported.length,
    skipped: 0,
    failed: lost.length,
  });
  expect(imported.length + lost.length).toBe(FILES);

  // A URL works once: what was on its way at a kill is gone, and says so; what was stored is not asked for again.
  for (const { summary_id, status, error } of files) {
    const asked = host.asked(urls[Number(summary_id.replace("ride-", ""))] ?? "");
    if (status === "imported") expect({ summary_id, asked }).toEqual({ summary_id, asked: 1 });
    else
      expect({ summary_id, code: error?.code, askedAgain: asked > 1 }).toEqual({
        summary_id,
        code: "callback_gone",
        askedAgain: true,
      });
  }
  expect(lost.length).toBeLessThanOrEqual(ON_THEIR_WAY * KILLS);

  const activities = await partner.listActivities("user_id=rider");
  expect(activities.map(({ summary_id }) => summary_id).sort()).toEqual(
    imported.map(({ summary_id }) => summary_id).sort(),
  );
  await eventually("the event arrives", 60, () => (receiver.received.length > 0 ? true : undefined));
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
  expect(await partner.listEvents()).toHaveLength(1);
  console.log(
    `${FILES} files, ${KILLS} kills: ${imported.length} imported, ${lost.length} cut off between download and storing, 0 lost, 0 doubled`,
  );
}, 1_800_000);
