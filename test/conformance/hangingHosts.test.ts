import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { listenOnLoopback, type LoopbackServer } from "../support/loopback.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type PartnerClient, type PingFields } from "./partnerClient.ts";

const PINGS = 500;
const USERS = 10;
const EVENTS = 100;
/** A local queue delivers one message at a time, so a request that hangs blocks its queue for 30 s, once. */
const WITHIN_SECONDS = 35;

let service: ServiceProcess;
let hanging: LoopbackServer;
let host: FileHost;
let receiver: EventReceiver;

beforeAll(async () => {
  service = await ServiceProcess.start();
  hanging = await listenOnLoopback(() => undefined);
  host = await startFileHost();
  receiver = await startEventReceiver();
}, 180_000);

afterAll(async () => {
  await Promise.all([hanging.close(), host.close(), receiver.close()]);
  await service.stop();
}, 60_000);

const ride = (index: number, callback_url: string): PingFields => ({
  summary_id: `ride-${index}`,
  callback_url,
  priority: 1,
  user_id: `rider-${index % USERS}`,
  start_time_in_seconds: "1760000000",
});

async function sendTestEvent(partner: PartnerClient): Promise<void> {
  expect((await partner.send("POST", "/api/events/test/")).status).toBe(202);
}

test(
  `while a partner's hosts hang for ${PINGS} live pings and ${EVENTS} events, another partner's ride and event need at most ${WITHIN_SECONDS} s`,
  { timeout: 180_000 },
  async () => {
    const stuck = partnerClient(
      service.url,
      await service.createPartner("stuck", "--event-url", `${hanging.url}/events`),
    );
    const credentials = await service.createPartner("honest", "--event-url", receiver.url);
    receiver.expect(credentials.webhook_secret);
    const honest = partnerClient(service.url, credentials);

    for (let event = 0; event < EVENTS; event += 1) await sendTestEvent(stuck);
    await stuck.ping(...Array.from({ length: PINGS }, (_, index) => ride(index, `${hanging.url}/${index}`)));

    const startedAt = Date.now();
    const { files } = await honest.ping(ride(0, host.serve(rideFile())));
    await sendTestEvent(honest);
    const secondsUntil = async (what: string, read: () => Promise<true | undefined> | true | undefined) => {
      await eventually(what, 120, read);
      return (Date.now() - startedAt) / 1000;
    };
    const [readable, delivered] = await Promise.all([
      secondsUntil("the ride is readable", async () => {
        const file = await honest.readFile(files[0]?.file_id ?? "");
        return file.status === "imported" ? true : undefined;
      }),
      secondsUntil("the event is delivered", () => (receiver.received.length > 0 ? true : undefined)),
    ]);
    expect(readable).toBeLessThan(WITHIN_SECONDS);
    expect(delivered).toBeLessThan(WITHIN_SECONDS);
  },
);
