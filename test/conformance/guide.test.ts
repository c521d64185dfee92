import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { SMALL_RIDE } from "../../src/docs/smallRide.ts";
import { eventually } from "../support/eventually.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { ListingRunner, RUNNABLE } from "./listingRunner.ts";

const listSchema = z.object({ data: z.array(z.looseObject({ activity_id: z.string().optional() })) });
const usageSchema = z.object({
  data: z.array(z.looseObject({ requests: z.object({ status_2xx: z.number(), status_5xx: z.number() }) })),
});

/** Listings of the guide that this test runs in order, in each language. */
const TESTED = [
  "first-ping",
  "first-read",
  "own-ride",
  "activities",
  "streams",
  "rr",
  "canonical",
  "training",
  "rename",
  "sport",
  "idempotency",
  "history-ping",
  "task",
  "imports",
  "failed-files",
  "poll",
  "delete",
  "create-key",
  "settings",
  "delete-key",
  "usage",
  "create-endpoint",
  "challenge",
  "endpoint",
];

const stateSchema = z.object({ state: z.string() });
const createdSchema = stateSchema.extend({ endpoint_id: z.string(), webhook_secret: z.string() });
const testEventSchema = z.object({ id: z.string(), attempts: z.array(z.unknown()) });

let service: ServiceProcess;
let runner: ListingRunner;

beforeAll(async () => {
  service = await ServiceProcess.start();
  runner = await ListingRunner.of(service.url);
  await writeFile(path.join(runner.folder, "ride.fit"), Buffer.from(SMALL_RIDE, "base64"));
});
afterAll(async () => {
  await runner.close();
  await service.stop();
});

describe.for(RUNNABLE)("the guide's listings, run in order in %s,", (language) => {
  const run = async (name: string) => runner.json(name, language);
  const list = async (name: string) => listSchema.parse(await run(name)).data;

  beforeAll(async () => {
    const { partner_id, auth_key } = await service.createPartner(`reader-${language}`);
    Object.assign(runner.settings, { PARTNER_ID: partner_id, AUTH_KEY: auth_key });
  });

  test("import a first ride and read it", async () => {
    expect(await run("first-ping")).toMatchObject({ accepted: 1, files: [{ status: "queued" }] });
    const activity = await eventually("the ride is readable", 60, async () => (await list("first-read"))[0]);
    expect(await list("activities")).toEqual([activity]);
    runner.settings["ACTIVITY_ID"] = z.string().parse(activity.activity_id);
    expect(await run("streams")).toMatchObject({ time_in_seconds: [0, 1800] });
    expect(await list("canonical")).toMatchObject([
      { activity_id: activity["activity_id"], is_canonical: true },
    ]);
    expect(await run("training")).toMatchObject({ user_id: "rider-1", activities: 1 });
    expect(await run("rr")).toMatchObject({ source: null, intervals_in_seconds: [] });
  });

  test("import a ride of the reader, and print its activity", async () => {
    const { printed } = await runner.run("own-ride", language, false);
    const activity: unknown = JSON.parse(language === "curl" ? (printed.split("\n").at(-1) ?? "") : printed);
    expect(activity).toMatchObject({ sport: "cycling", activity_name: "My ride", distance_in_meters: 12500 });
  });

  test("print the problem of a ride that cannot be imported, and stop", async () => {
    const ride = path.join(runner.folder, "ride.fit");
    await writeFile(ride, "not a ride");
    const failure = await runner.run("own-ride", language, false).catch(String);
    await writeFile(ride, Buffer.from(SMALL_RIDE, "base64"));
    expect(failure).toMatch(/"code":"\w*fit\w*"/);
  });

  test("rename the ride and correct its sport", async () => {
    runner.settings["FILE_ID"] = runner.settings["ACTIVITY_ID"]?.split(".")[0] ?? "";
    expect(await run("rename")).toMatchObject({ activity_name: "Sunday ride", edited: ["activity_name"] });
    expect(await run("sport")).toMatchObject({ sport: "running", sub_sport: "trail" });
  });

  test("repeat a request with an Idempotency-Key without a second effect", async () => {
    const first = await run("idempotency");
    expect(first).toMatchObject({ accepted: 1 });
    expect(await run("idempotency")).toEqual(first);
  });

  test("import a history", async () => {
    const held = { status: "held" };
    expect(await run("history-ping")).toMatchObject({ accepted: 2, files: [held, held] });
    expect(await run("task")).toMatchObject({
      status: "running",
      files: { total: 2 },
      missing_summary_ids: [],
    });
    const done = await eventually("the import completes", 60, async () =>
      (await list("imports")).find((row) => row["status"] !== "running"),
    );
    expect(done).toMatchObject({ status: "completed", files: { imported: 2 } });
    expect(await list("failed-files")).toEqual([]);
    const event = await eventually("the event is in the feed", 60, async () => (await list("poll"))[0]);
    expect(event).toMatchObject({ type: "bulk_fit_import.completed", user_id: "rider-1" });
  });

  test("delete the user", async () => {
    expect(await run("delete")).toMatchObject({ user_id: "rider-1" });
    expect(await list("first-read")).toEqual([]);
  });

  test("create a key, change the settings, and delete the key", async () => {
    const { key_id } = z.looseObject({ key_id: z.string() }).parse(await run("create-key"));
    runner.settings["KEY_ID"] = key_id;
    expect(await run("settings")).toMatchObject({ source_order: ["head-unit", "watch"] });
    expect(await run("delete-key")).toMatchObject({ key_id, status: "deleted" });
  });

  test("read the usage of the day", async () => {
    const usage = await eventually("the requests are counted", 60, async () =>
      usageSchema.parse(await run("usage")).data.find(({ requests }) => requests.status_2xx > 0),
    );
    expect(usage).toMatchObject({ requests: { status_5xx: 0 } });
  });
});

describe.for(RUNNABLE)("an endpoint, made with the guide's listings in %s,", (language) => {
  test("is verified by the guide's receiver, which rejects forgeries and prints each event once", async () => {
    const { partner_id, auth_key } = await service.createPartner(`receiver-${language}`, "--local");
    Object.assign(runner.settings, { PARTNER_ID: partner_id, AUTH_KEY: auth_key });
    const call = async (method: string, to: string, body?: object) => {
      const headers = { Authorization: `Bearer ${auth_key}`, "Partner-Id": partner_id };
      const json = body === undefined ? {} : { body: JSON.stringify(body) };
      const type = { "Content-Type": "application/json" };
      const response = await fetch(service.url + to, { method, headers: { ...headers, ...type }, ...json });
      expect(response.ok).toBe(true);
      return response.json();
    };
    const created = createdSchema.parse(await runner.json("create-endpoint", language));
    expect(created.state).toBe("unverified");
    runner.settings["ENDPOINT_ID"] = created.endpoint_id;
    const receiver = await runner.startReceiver(
      language === "python" ? "python" : "typescript",
      created.webhook_secret,
    );
    try {
      await call("PATCH", `/api/endpoints/${created.endpoint_id}/`, { url: receiver.url });
      const challenge = testEventSchema.parse(await runner.json("challenge", language));
      await eventually("the endpoint is verified", 60, async () =>
        stateSchema.parse(await runner.json("endpoint", language)).state === "active" ? true : undefined,
      );
      expect((await fetch(receiver.url, { method: "POST", body: "{}" })).status).toBe(401);

      const linesOf = () =>
        receiver
          .printed()
          .split("\n")
          .filter((line) => line.includes(challenge.id));
      const attempts = async () =>
        testEventSchema.parse(await call("GET", `/api/events/${challenge.id}/`)).attempts.length;
      await eventually("the test event is delivered", 60, async () => (await attempts()) > 0 || undefined);
      const before = await attempts();
      await call("POST", `/api/events/${challenge.id}/resend/`);
      await eventually("it is sent again", 60, async () => (await attempts()) > before || undefined);
      expect(linesOf()).toHaveLength(1);
    } finally {
      await receiver.stop();
    }
  });
});

test("every listing of the guide and of the reference is run by a test", async () => {
  const { paths } = z
    .object({ paths: z.record(z.string(), z.record(z.string(), z.object({ operationId: z.string() }))) })
    .parse(await (await fetch(`${service.url}/openapi.json`)).json());
  const operations = Object.values(paths).flatMap((item) =>
    Object.values(item).map((each) => each.operationId),
  );
  const inTabs = [...TESTED, "verify", ...operations].flatMap((name) =>
    ["curl", "typescript", "python"].map((language) => `${name}.${language}`),
  );
  const others = ["ids", "receiver.typescript", "receiver.python"];
  expect([...runner.listings.keys()].toSorted()).toEqual([...inTabs, ...others].toSorted());
});
