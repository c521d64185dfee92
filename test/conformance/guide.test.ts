import { execFile, spawnSync } from "node:child_process";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { listingsOf } from "../docs/listings.ts";
import { eventually } from "../support/eventually.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";

const RUNS = spawnSync("sh", ["-c", "command -v curl"]).status === 0;
const listings = listingsOf();

const listSchema = z.object({ data: z.array(z.looseObject({ activity_id: z.string().optional() })) });

let service: ServiceProcess;
let settings: Record<string, string>;

beforeAll(async () => {
  if (!RUNS) return;
  service = await ServiceProcess.start();
  const { partner_id, auth_key } = await service.createPartner("reader");
  settings = { API: service.url, PARTNER_ID: partner_id, AUTH_KEY: auth_key };
});
afterAll(async () => {
  if (RUNS) await service.stop();
});

/** Runs a listing of the guide in a shell, unchanged. Returns its JSON output. */
async function runListing(name: string): Promise<unknown> {
  const listing = listings.get(name);
  if (listing === undefined) throw new Error(`The guide has no listing ${name}.`);
  return new Promise((resolve, reject) => {
    execFile("sh", ["-c", listing], { env: { ...process.env, ...settings } }, (fault, stdout) => {
      if (fault === null) resolve(JSON.parse(stdout));
      else reject(new Error(`The listing ${name} failed.`));
    });
  });
}

const list = async (name: string) => listSchema.parse(await runListing(name)).data;

describe.runIf(RUNS)("the guide's commands, run in order,", () => {
  test("import a first ride and read it", async () => {
    expect(await runListing("first-ping")).toMatchObject({ accepted: 1, files: [{ status: "queued" }] });
    const activity = await eventually("the ride is readable", 60, async () => (await list("first-read"))[0]);
    expect(await list("activities")).toEqual([activity]);
    settings["ACTIVITY_ID"] = z.string().parse(activity.activity_id);
    expect(await runListing("streams")).toMatchObject({ time_in_seconds: [0, 1800] });
    expect(await list("canonical")).toMatchObject([
      { activity_id: activity["activity_id"], is_canonical: true },
    ]);
    expect(await runListing("training")).toMatchObject({ user_id: "rider-1", activities: 1 });
    expect(await runListing("rr")).toMatchObject({ source: null, intervals_in_seconds: [] });
  });

  test("rename the ride and correct its sport", async () => {
    settings["FILE_ID"] = settings["ACTIVITY_ID"]?.split(".")[0] ?? "";
    expect(await runListing("rename")).toMatchObject({
      activity_name: "Sunday ride",
      edited: ["activity_name"],
    });
    expect(await runListing("sport")).toMatchObject({ sport: "running", sub_sport: "trail" });
  });

  test("repeat a request with an Idempotency-Key without a second effect", async () => {
    const first = await runListing("idempotency");
    expect(first).toMatchObject({ accepted: 1 });
    expect(await runListing("idempotency")).toEqual(first);
  });

  test("import a history", async () => {
    const held = { status: "held" };
    expect(await runListing("history-ping")).toMatchObject({ accepted: 2, files: [held, held] });
    expect(await runListing("task")).toMatchObject({
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
    expect(await runListing("delete")).toMatchObject({ user_id: "rider-1" });
    expect(await list("first-read")).toEqual([]);
  });

  test("create a key, change the settings, and delete the key", async () => {
    const { key_id } = z.looseObject({ key_id: z.string() }).parse(await runListing("create-key"));
    settings["KEY_ID"] = key_id;
    expect(await runListing("settings")).toMatchObject({ source_order: ["head-unit", "watch"] });
    expect(await runListing("delete-key")).toMatchObject({ key_id, status: "deleted" });
  });

  test("are all tested here or in another test", () => {
    const tested = [
      "first-ping",
      "first-read",
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
    ];
    tested.push("create-key", "settings", "delete-key");
    tested.push("imports", "failed-files", "poll", "delete", "verify-node", "verify-python", "verify-shell");
    expect([...listings.keys()].toSorted()).toEqual(tested.toSorted());
  });
});
