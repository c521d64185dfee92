import { expect, test } from "vitest";
import { startEventReceiver } from "../support/eventReceiver.ts";
import { eventually } from "../support/eventually.ts";
import { startFileHost } from "../support/fileHost.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type Import } from "./partnerClient.ts";

const FILES = 60;
const START = 1_750_000_000;
const USER = "rider";
/** A claim of a killed importer expires after a minute. */
const SECONDS = 180;

test(`a service that is killed while an import of ${FILES} files is cancelled completes it as cancelled, and counts each file once`, async () => {
  const [service, host, receiver] = await Promise.all([
    ServiceProcess.start(),
    startFileHost(),
    startEventReceiver(),
  ]);
  try {
    const credentials = await service.createPartner("acme", "--event-url", receiver.url);
    receiver.expect(credentials.webhook_secret);
    const partner = partnerClient(service.url, credentials);
    const items = Array.from({ length: FILES }, (_, index) => ({
      summary_id: `ride-${index}`,
      callback_url: host.serve(rideFile({ startInSeconds: START + index * 86_400 }), { delayInMs: 300 }),
      priority: 0 as const,
      user_id: USER,
      start_time_in_seconds: String(START + index * 86_400),
    }));
    await partner.ping(...items);
    const { import_id } = await partner.task({ user_id: USER, is_initial_import: true, event_id: "connect" });
    const asked = () => items.filter((item) => host.asked(item.callback_url) > 0).length;
    await eventually("the import is under way", 60, () => (asked() >= 8 ? true : undefined));
    const path = `/api/imports/${import_id}/cancel/`;
    const sent = partner.send("POST", path).then(
      (response) => response.status,
      // The kill interrupts the response.
      () => null,
    );
    const moment = Math.random() * 40;
    await new Promise((resolve) => {
      setTimeout(resolve, moment);
    });
    await service.kill();
    const answer = await sent;
    console.log(
      `killed ${Math.round(moment)} ms after the request: ${answer ?? "no response"}, ${asked()} files requested`,
    );
    await service.startAgain();
    // A partner without a response repeats its request. An accepted cancellation needs no repetition.
    if (answer === null) expect((await partner.send("POST", path)).status).toBe(202);
    else expect(answer).toBe(202);
    const { files } = await partner.completedImport(import_id, SECONDS);
    const after = await eventually(
      "the event is delivered",
      SECONDS,
      async (): Promise<Import | undefined> => {
        const found = await partner.readImport(import_id);
        return found.event?.status === "delivered" ? found : undefined;
      },
    );
    expect(after).toMatchObject({ status: "cancelled", training_plan: null, files });
    expect(files).toMatchObject({ total: FILES, pending: 0 });
    expect(files.imported + files.skipped + files.failed).toBe(FILES);
    expect(files.skipped).toBeGreaterThan(0);

    const listed = await partner.listFiles(`user_id=${USER}`);
    const withStatus = (status: string) => listed.filter((file) => file.status === status);
    expect({ ...files, total: listed.length }).toEqual({
      total: FILES,
      pending: 0,
      imported: withStatus("imported").length,
      skipped: withStatus("skipped").length,
      failed: withStatus("failed").length,
    });
    const activities = await partner.listActivities(`user_id=${USER}`);
    expect(activities.map((activity) => activity.file_id).toSorted()).toEqual(
      withStatus("imported")
        .map((file) => file.file_id)
        .toSorted(),
    );
    for (const file of withStatus("skipped")) expect(file.error?.code).toBe("import_cancelled");
    // A kill may interrupt the only attempt of a single-use URL.
    for (const file of withStatus("failed")) expect(file.error?.code).toBe("callback_gone");

    const events = await partner.listEvents();
    expect([...new Set(receiver.received.map(({ id }) => id))]).toEqual(events.map(({ id }) => id));
    const { pending: _, ...announced } = files;
    for (const { body } of receiver.received) {
      expect(body).toMatchObject({ data: { status: "cancelled", files: announced } });
    }

    // Nothing is in flight: the next task finds nothing, and no later request reaches the host.
    const requested = asked();
    expect(await partner.task({ user_id: USER, is_initial_import: false })).toMatchObject({
      status: "completed",
      files: { total: 0 },
    });
    expect(asked()).toBe(requested);
  } finally {
    await Promise.all([service.stop(), host.close(), receiver.close()]);
  }
}, 600_000);
