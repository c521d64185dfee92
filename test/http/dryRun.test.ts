import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { acceptedPingsSchema } from "../../src/pings/acceptedPings.ts";
import { taskResponseSchema } from "../../src/imports/import.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, settle } from "../support/world.ts";
import { base64, HOST, ping, pingOf, SOURCE, task } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const PINGS = "/api/fit_partner_ping/";
const TASKS = "/api/task_partner/";

const post = async (who: TestPartner, query: string, items: unknown[], headers = {}) => {
  const response = await send(who, "POST", PINGS + query, { body: { activity_files: items }, headers });
  expect(response.status).toBe(202);
  return acceptedPingsSchema.parse(await response.json());
};

const TABLES = [
  "files",
  "activities",
  "imports",
  "import_missing",
  "users",
  "deliveries",
  "idempotent_requests",
];

/** Returns all rows that are stored for a partner, including those in its user's collector. */
async function stored(who: TestPartner): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (const table of TABLES) {
    const found = await databaseOf(who)
      .prepare(`SELECT * FROM ${table} WHERE partner_id = ?`)
      .bind(who.partnerId)
      .all();
    rows.push(...found.results);
  }
  for (const prefix of [`${who.partnerId}/`, "inline/"]) {
    const objects = await env.FILES.list({ prefix });
    rows.push(...objects.objects.map((object) => object.key).filter((key) => key.includes(who.partnerId)));
  }
  const collector = await runInDurableObject(
    collectorOf(who.partnerId, "user-1", SOURCE).stub,
    async (_instance, { storage }) => {
      // A collector has no tables before its first write.
      const exists = (table: string) =>
        storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", table).toArray().length > 0;
      return [
        await storage.getAlarm(),
        ...["identity", "files", "imports", "dispatches", "outbox", "remembered_duplicates"].map((table) =>
          exists(table) ? storage.sql.exec(`SELECT * FROM ${table}`).toArray() : [],
        ),
      ];
    },
  );
  return [...rows, ...collector];
}

const NOTHING = [null, [], [], [], [], [], []];

describe("a dry run of pings", () => {
  test("returns what the same request returns afterwards, for files in every state", async () => {
    const who = await newPartner();
    const inline = base64(rideFile());
    await ping(who, { summary_id: "imported", callback_url: inline });
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    await ping(
      who,
      { summary_id: "held", callback_url: `${HOST}/held`, priority: 0 },
      { summary_id: "queued", callback_url: `${HOST}/queued` },
    );
    const items = [
      { summary_id: "new", callback_url: inline },
      { summary_id: "new", callback_url: inline },
      { summary_id: "new-held", callback_url: `${HOST}/1`, priority: 0 as const },
      { summary_id: "imported", callback_url: `${HOST}/2` },
      { summary_id: "imported", callback_url: `${HOST}/2`, overwrite_mode: true },
      { summary_id: "held", callback_url: `${HOST}/3` },
      { summary_id: "queued", callback_url: `${HOST}/4` },
      { summary_id: "other-user", user_id: "user-2", callback_url: `${HOST}/5` },
    ].map(pingOf);
    const before = await stored(who);
    const dry = await post(who, "?dry_run=true", items);
    expect(await stored(who)).toEqual(before);
    expect(dry.files.map((file) => file.status)).toEqual([
      "queued",
      "duplicate",
      "held",
      "duplicate",
      "queued",
      "queued",
      "duplicate",
      "queued",
    ]);
    expect(await post(who, "", items)).toEqual(dry);
  });

  test("stores and sends nothing, even with an idempotency key or a file in base64", async () => {
    const who = await newPartner();
    const sent = vi.spyOn(env.PRIORITY, "sendBatch");
    const item = pingOf({ summary_id: "ride", callback_url: base64(rideFile()) });
    await post(who, "?dry_run=true", [item], { "Idempotency-Key": "key", Prefer: "handling=lenient" });
    expect(await stored(who)).toEqual(NOTHING);
    expect(sent).not.toHaveBeenCalled();
    expect((await post(who, "?dry_run=false", [item])).files[0]?.status).toBe("queued");
    expect(await stored(who)).not.toEqual(NOTHING);
  });

  test("rejects what the real request would reject", async () => {
    const who = await newPartner();
    const before = (await listDurableObjectIds(env.COLLECTOR)).length;
    for (const query of ["?dry_run=true", ""]) {
      await problemOf(
        await send(who, "POST", PINGS + query, { body: { activity_files: [{}] } }),
        400,
        "validation_failed",
      );
    }
    for (const query of ["?dry_run=1", "?dry_run=", "?dry_run=TRUE"]) {
      const refused = await send(who, "POST", PINGS + query, { body: { activity_files: [{}] } });
      expect((await problemOf(refused, 400, "validation_failed")).errors?.[0]?.pointer).toBe("/dry_run");
    }
    expect(await listDurableObjectIds(env.COLLECTOR)).toHaveLength(before);
  });
});

describe("a dry run of a task", () => {
  const body = {
    bulk_fit_transfer_complete: true,
    source: SOURCE,
    is_initial_import: true,
    user_id: "user-1",
    event_id: "e",
    expected_summary_ids: ["a", "b", "never-came"],
  };
  const dryRun = async (who: TestPartner) =>
    answerOf(await send(who, "POST", `${TASKS}?dry_run=true`, { body }), 202, taskResponseSchema);

  test("returns the task's response and releases nothing", async () => {
    const who = await newPartner();
    await ping(
      who,
      { summary_id: "a", callback_url: `${HOST}/a`, priority: 0 },
      { summary_id: "b", callback_url: `${HOST}/b` },
    );
    await ping(who, { summary_id: "b", callback_url: `${HOST}/b`, priority: 0 });
    const before = await stored(who);
    const { import_id: of_nothing, ...dry } = await dryRun(who);
    expect(await stored(who)).toEqual(before);
    expect((await send(who, "GET", `/api/imports/${of_nothing}/`)).status).toBe(404);
    const { import_id, ...real } = await answerOf(
      await send(who, "POST", TASKS, { body }),
      202,
      taskResponseSchema,
    );
    expect(dry).toEqual(real);
    expect(dry).toMatchObject({
      status: "running",
      files: { total: 2, pending: 1, skipped: 1 },
      missing_summary_ids: ["never-came"],
      warnings: [expect.any(String)],
    });
    expect(await dryRun(who)).toEqual({ ...real, import_id, repeated: true });
  });

  test("returns a completed import if no file is held, and sends no event", async () => {
    const who = await newPartner();
    expect(await dryRun(who)).toMatchObject({ status: "completed", files: { total: 0 } });
    expect(await stored(who)).toEqual(NOTHING);
    expect(await task(who, { event_id: "e", is_initial_import: true })).toMatchObject({ repeated: false });
  });
});
