import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { SMALL_RIDE } from "../../src/docs/smallRide.ts";
import type { Language } from "../../src/docs/requests.ts";
import { eventually } from "../support/eventually.ts";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { ListingRunner, RUNNABLE } from "./listingRunner.ts";
import { partnerClient, type PartnerClient } from "./partnerClient.ts";

let service: ServiceProcess;
let host: FileHost;
let receiver: EventReceiver;
let runner: ListingRunner;
/** Success statuses of each operation, as the document lists them. */
let promised: Map<string, number[]>;

const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.object({ operationId: z.string(), responses: z.record(z.string(), z.unknown()) })),
  ),
});

beforeAll(async () => {
  [service, host, receiver] = await Promise.all([
    ServiceProcess.start(),
    startFileHost(),
    startEventReceiver(),
  ]);
  runner = await ListingRunner.of(service.url);
  const { paths } = documentSchema.parse(await (await fetch(`${service.url}/openapi.json`)).json());
  promised = new Map(
    Object.values(paths).flatMap((item) =>
      Object.values(item).map(({ operationId, responses }): [string, number[]] => [
        operationId,
        Object.keys(responses)
          .map(Number)
          .filter((status) => status < 300),
      ]),
    ),
  );
}, 180_000);
afterAll(async () => {
  await Promise.all([runner.close(), service.stop(), host.close(), receiver.close()]);
});

interface World {
  language: Language;
  partner: PartnerClient;
  /** A file that has failed and can be retried. */
  lostFileId: string;
}

/** Sets the ids of the newest objects, as the page's commands do. */
async function setNewestIds(): Promise<void> {
  const names = ["FILE_ID", "ACTIVITY_ID", "IMPORT_ID", "EVENT_ID", "ENDPOINT_ID"];
  const printed = await runner.shell(
    `${runner.listings.get("ids")}\nprintf '%s\\n' ${names.map((name) => `"$${name}"`).join(" ")}`,
  );
  const ids = printed.split("\n");
  for (const [index, name] of names.entries()) runner.settings[name] = ids[index] ?? "";
}

const ping = (summary_id: string, callback_url: string, priority: 0 | 1) => ({
  summary_id,
  callback_url,
  priority,
  user_id: "rider-9",
  start_time_in_seconds: "1631065600",
});

/** Pings a file of another user that fails. Returns its id. */
async function failedFile({ partner }: Pick<World, "partner">): Promise<string> {
  const lost = () => host.serve(new Uint8Array(), { status: 404 });
  const { files } = await partner.ping(ping("lost", lost(), 1));
  const lostFileId = files[0]?.file_id ?? "";
  await eventually("the file fails", 60, async () =>
    (await partner.readFile(lostFileId)).status === "failed" ? true : undefined,
  );
  return lostFileId;
}

/** Starts an import of one file of another user. Returns its id. */
async function importOf(
  { partner }: Pick<World, "partner">,
  summaryId: string,
  url: string,
): Promise<string> {
  await partner.ping(ping(summaryId, url, 0));
  const { import_id } = await partner.task({ user_id: "rider-9", is_initial_import: false });
  return import_id;
}

/** Operations in the order in which their listings run, with what must happen before. */
const STEPS: readonly [operationId: string, prepare?: (world: World) => Promise<void>][] = [
  ["getHealth"],
  ["getPartner"],
  ["inspectFile"],
  ["postPings"],
  [
    "postTask",
    async ({ partner }) => {
      await eventually("the ride is imported", 60, async () =>
        (await partner.listActivities("user_id=rider-1")).length > 0 ? true : undefined,
      );
    },
  ],
  [
    "listFiles",
    async ({ partner }) => {
      await eventually("the event is delivered", 60, async () =>
        (await partner.listEvents()).some(({ status }) => status === "delivered") ? true : undefined,
      );
      await setNewestIds();
    },
  ],
  ["getFile"],
  ["patchFile"],
  ["getOriginal"],
  ["getTimeline"],
  ["listActivities"],
  ["getActivity"],
  ["patchActivity"],
  ["getStreams"],
  ["getRrIntervals"],
  ["listImports"],
  ["getImport"],
  ["getReport"],
  ["listEvents"],
  ["getEvent"],
  ["resendEvent"],
  ["sendTestEvent"],
  ["listEndpoints"],
  ["getEndpoint"],
  ["recoverEndpoint"],
  ["changeEndpoint"],
  ["listUsers"],
  ["getUser"],
  ["getTraining"],
  ["getOverview"],
  ["getUsage"],
  [
    "retryFile",
    async ({ lostFileId }) => {
      runner.settings["FILE_ID"] = lostFileId;
    },
  ],
  [
    "retryImport",
    async (world) => {
      const url = host.serve(new Uint8Array(), { status: 404 });
      const importId = await importOf(world, "lost-too", url);
      await eventually("the import ends", 60, async () =>
        (await world.partner.readImport(importId)).status === "running" ? undefined : true,
      );
      runner.settings["IMPORT_ID"] = importId;
    },
  ],
  [
    "cancelImport",
    async (world) => {
      const url = host.serve(Buffer.from(SMALL_RIDE, "base64"), { delayInMs: 20_000 });
      runner.settings["IMPORT_ID"] = await importOf(world, "slow", url);
    },
  ],
  ["createEndpoint"],
  ["rotateEndpointSecret", setNewestIds],
  ["deleteEndpoint"],
  ["createKey"],
  ["deleteKey"],
  ["patchPartner"],
  ["deleteFile", async ({ lostFileId }) => void (runner.settings["FILE_ID"] = lostFileId)],
  ["deleteUser"],
];

test.for(RUNNABLE)(
  "every operation's listing for %s runs as it stands",
  { timeout: 300_000 },
  async (language) => {
    const credentials = await service.createPartner(
      `reader-${language}`,
      "--local",
      "--event-url",
      receiver.url,
    );
    receiver.expect(credentials.webhook_secret);
    Object.assign(runner.settings, { PARTNER_ID: credentials.partner_id, AUTH_KEY: credentials.auth_key });
    const partner = partnerClient(service.url, credentials);
    const world = { language, partner, lostFileId: await failedFile({ partner }) };
    const wrong: unknown[] = [];
    for (const [operationId, prepare] of STEPS) {
      await prepare?.(world);
      const { status, printed } = await runner.run(operationId, language);
      if (operationId === "createKey")
        runner.settings["KEY_ID"] = /"key_id":"([^"]+)/.exec(printed)?.[1] ?? "";
      const expected = promised.get(operationId) ?? [];
      // The listings that save a file print no status.
      if (status === null ? operationId !== "getOriginal" : !expected.includes(status)) {
        wrong.push([operationId, status, printed]);
      }
    }
    expect(wrong).toEqual([]);
    const original = await readFile(path.join(runner.folder, "original.fit"));
    expect(original.toString("base64")).toBe(SMALL_RIDE);
  },
);

test("a listing exists for every operation, and each is run", () => {
  expect([...promised.keys()].toSorted()).toEqual(STEPS.map(([operationId]) => operationId).toSorted());
});
