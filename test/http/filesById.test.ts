import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { beginErasure } from "../../src/erasure/write.ts";
import { fileSchema, type File } from "../../src/files/file.ts";
import { timelineSchema } from "../../src/files/timeline.ts";
import { collectorNameOfId, fileId, userHash } from "../../src/identifiers.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { RIDE, rideFile } from "../support/rideFile.ts";
import { seedFile, UNKNOWN_ID } from "../support/rows.ts";
import { collectorOf, project, settle } from "../support/world.ts";
import { base64, HOST, ping, read, SOURCE, task, type PingFields } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Pings one file. */
async function pingOne(who: TestPartner, fields: PingFields): Promise<string> {
  const [file] = await ping(who, fields);
  return file?.file_id ?? "";
}

/** Removes a partner's rows from the read model, as before the collector's first projection. */
async function forget(who: TestPartner, ...tables: ("files" | "imports")[]): Promise<void> {
  await databaseOf(who).batch(
    tables.map((table) =>
      databaseOf(who).prepare(`DELETE FROM ${table} WHERE partner_id = ?`).bind(who.partnerId),
    ),
  );
}

const get = async (who: TestPartner, id: string): Promise<File> =>
  answerOf(await send(who, "GET", `/api/files/${id}/`), 200, fileSchema);

/** All requests for one file that call its collector. */
const BY_ID = [
  ["GET", ""],
  ["GET", "timeline/"],
  ["POST", "retry/"],
] as const;

describe("a file that is not in the read model yet", () => {
  test("can be read with its timeline as soon as its ping was accepted, before lists contain it", async () => {
    const who = await newPartner();
    for (const [priority, status] of [
      [1, "queued"],
      [0, "held"],
    ] as const) {
      const fields = { summary_id: status, callback_url: `${HOST}/${status}`, priority };
      const id = await pingOne(who, fields);
      await forget(who, "files");
      const file = await get(who, id);
      expect(file).toEqual({
        file_id: id,
        user_id: "user-1",
        source: SOURCE,
        summary_id: status,
        activity_name: "Morning ride",
        priority,
        overwrite_mode: false,
        start_time_in_seconds: String(RIDE.startInSeconds),
        sequence_number: null,
        status,
        attempts: 0,
        import_id: null,
        error: null,
        last_error: null,
        next_attempt_at: null,
        sha256: null,
        size_in_bytes: null,
        warnings: [],
        activity_ids: [],
        edited: [],
        received_at: file.received_at,
        updated_at: file.updated_at,
      });
      expect(Date.now() - Date.parse(file.received_at)).toBeLessThan(60_000);
      expect(Date.parse(file.updated_at)).toBeGreaterThanOrEqual(Date.parse(file.received_at));
      const { data } = await answerOf(
        await send(who, "GET", `/api/files/${id}/timeline/`),
        200,
        timelineSchema,
      );
      expect(data.map((step) => step.what)).toEqual(["pinged", priority === 0 ? "held" : "dispatched"]);
    }
  });

  test("is shown as queued in its import after a task has released it", async () => {
    const who = await newPartner();
    const id = await pingOne(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 });
    const { import_id } = await task(who);
    await forget(who, "files", "imports");
    expect(await get(who, id)).toMatchObject({ status: "queued", import_id });
  });

  test("can be retried after it has failed", async () => {
    const who = await newPartner();
    let found = false;
    playOutside({
      [`${HOST}/1`]: () => (found ? new Response(rideFile()) : new Response(null, { status: 404 })),
    });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const id = await pingOne(who, { summary_id: "1", callback_url: `${HOST}/1` });
    await settle(collector);
    await forget(who, "files");
    expect(await get(who, id)).toMatchObject({ status: "failed", error: { code: "callback_gone" } });
    found = true;
    const queued = await answerOf(await send(who, "POST", `/api/files/${id}/retry/`), 202, fileSchema);
    expect(queued).toMatchObject({ file_id: id, status: "queued", error: null });
    await settle(collector);
    expect(await get(who, id)).toMatchObject({ status: "imported", activity_ids: [`${id}.0`] });
  });

  test("shows the digest and size of bytes that could not be imported, and returns them", async () => {
    const who = await newPartner();
    const bytes = new Uint8Array(Buffer.from("<gpx></gpx>"));
    playOutside({ [`${HOST}/1`]: once(bytes) });
    const id = await pingOne(who, { summary_id: "1", callback_url: `${HOST}/1` });
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    const known = await get(who, id);
    expect(known).toMatchObject({ error: { code: "not_fit" }, size_in_bytes: bytes.length });
    await forget(who, "files");
    expect(await get(who, id)).toEqual({ ...known, updated_at: known.received_at });
    const original = await send(who, "GET", `/api/files/${id}/original/`);
    await problemOf(original, 409, "original_not_fit");
  });

  test("is unknown to other partners, and their requests change nothing", async () => {
    const owner = await newPartner();
    const other = await newPartner();
    playOutside({ [`${HOST}/1`]: () => new Response(null, { status: 404 }) });
    const id = await pingOne(owner, { summary_id: "1", callback_url: `${HOST}/1` });
    await settle(collectorOf(owner.partnerId, "user-1", SOURCE));
    await forget(owner, "files");
    const before = await get(owner, id);
    for (const [method, path] of BY_ID) {
      const ask = async (value: string) => {
        const response = await send(other, method, `/api/files/${value}/${path}`);
        const { request_id: _, ...problem } = await problemOf(response, 404, "not_found");
        return problem;
      };
      expect(await ask(id)).toEqual(await ask(UNKNOWN_ID));
    }
    expect(await get(owner, id)).toEqual(before);
  });
});

describe("a file with an older version in the read model", () => {
  test("shows the fields of its newest ping and the activities of its readable version", async () => {
    const who = await newPartner();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const id = await pingOne(who, { summary_id: "1", callback_url: base64(rideFile()) });
    await settle(collector);
    const imported = await get(who, id);
    const row = await databaseOf(who)
      .prepare("SELECT * FROM files WHERE file_id = ?")
      .bind(id)
      .first<Record<string, string>>();
    await pingOne(who, { summary_id: "1", callback_url: `${HOST}/1`, overwrite_mode: true });
    const columns = Object.keys(row ?? {});
    await databaseOf(who)
      .prepare(
        `INSERT OR REPLACE INTO files (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
      )
      .bind(...Object.values(row ?? {}))
      .run();
    const pinged = await get(who, id);
    expect(pinged).toEqual({
      ...imported,
      overwrite_mode: true,
      status: "queued",
      attempts: 0,
      received_at: pinged.received_at,
      updated_at: pinged.updated_at,
    });
    expect(Date.parse(pinged.received_at)).toBeGreaterThan(Date.parse(imported.received_at));
    expect(Date.parse(pinged.updated_at)).toBeGreaterThanOrEqual(Date.parse(pinged.received_at));
  });
});

test("a file that is read during its import is never shown as imported without its activities", async () => {
  const who = await newPartner();
  const id = await pingOne(who, { summary_id: "1", callback_url: base64(rideFile()) });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  const imported = await get(who, id);
  const nothing = await databaseOf(who).batch([
    databaseOf(who).prepare("SELECT * FROM files WHERE false"),
    databaseOf(who).prepare("SELECT * FROM erased WHERE false"),
  ]);
  vi.spyOn(databaseOf(who), "batch").mockResolvedValueOnce(nothing);
  expect(await get(who, id)).toEqual(imported);
});

describe("a collector that cannot be reached", () => {
  const down = () =>
    vi.spyOn(env.COLLECTOR, "getByName").mockImplementation(() => {
      throw new Error("Durable Object is overloaded.");
    });

  test("does not change the files in the read model", async () => {
    const who = await newPartner();
    const id = await pingOne(who, { summary_id: "1", callback_url: base64(rideFile()) });
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    const file = await get(who, id);
    down();
    expect(await get(who, id)).toEqual(file);
  });

  test("makes every other request for one file return 503, never 404", async () => {
    const who = await newPartner();
    const id = await pingOne(who, { summary_id: "1", callback_url: `${HOST}/1` });
    await forget(who, "files");
    down();
    for (const [method, path] of BY_ID) {
      const response = await send(who, method, `/api/files/${id}/${path}`);
      await problemOf(response, 503, "store_unavailable");
    }
  });
});

describe("after the erasure of a user", () => {
  test("files are unknown by id, even before their collector has been erased", async () => {
    const who = await newPartner();
    const id = await pingOne(who, { summary_id: "1", callback_url: `${HOST}/1` });
    await project(who, [{ user_id: "user-1", source: SOURCE }]);
    const user = { user_id: "user-1", user_hash: userHash(who.partnerId, "user-1") };
    expect(await beginErasure(databaseOf(who), who.partnerId, user, Date.now())).not.toBeNull();
    await forget(who, "files");
    await problemOf(await send(who, "GET", `/api/files/${id}/`), 404, "not_found");
  });

  test("files are unknown by id, even before their rows have been deleted", async () => {
    const who = await newPartner();
    await pingOne(who, { summary_id: "1", callback_url: `${HOST}/1` });
    expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
    const names = { partnerId: who.partnerId, userId: "user-1", source: SOURCE, summaryId: "1" };
    const id = await seedFile(names);
    await problemOf(await send(who, "GET", `/api/files/${id}/`), 404, "not_found");
    await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
    expect(await get(who, id)).toMatchObject({ status: "queued", activity_ids: [] });
  });
});

describe("an id", () => {
  test("of another form is unknown, without a read of any store", async () => {
    const who = await newPartner();
    const id = fileId({ partnerId: who.partnerId, userId: "user-1", source: SOURCE, summaryId: "1" });
    const prepare = vi.spyOn(databaseOf(who), "prepare");
    const collector = vi.spyOn(env.COLLECTOR, "getByName");
    for (const other of [
      id.slice(1),
      `${id}0`,
      id.toUpperCase(),
      `u${id.slice(1)}`,
      "a",
      `..${id.slice(2)}`,
    ]) {
      for (const [method, path] of [
        ...BY_ID.map(([asked, rest]) => [asked, `/api/files/${other}/${rest}`] as const),
        ["GET", `/api/files/${other}/original/`],
        ["GET", `/api/imports/${other}/`],
        ["POST", `/api/imports/${other}/retry/`],
        ["GET", `/api/activities/${other}.0/`],
        ["GET", `/api/activities/${other}.0/streams/`],
        ["GET", `/api/activities/${other}.0/rr/`],
      ] as const) {
        await problemOf(await send(who, method, path), 404, "not_found");
      }
      expect(await read(who, `/api/files/?import_id=${other}`)).toMatchObject({ data: [] });
    }
    expect(prepare).not.toHaveBeenCalled();
    expect(collector).not.toHaveBeenCalled();
  });

  test("of an unknown file leaves no data in the collector that it names", async () => {
    const who = await newPartner();
    for (const [method, path] of BY_ID) {
      await problemOf(await send(who, method, `/api/files/${UNKNOWN_ID}/${path}`), 404, "not_found");
    }
    await problemOf(await send(who, "POST", `/api/imports/${UNKNOWN_ID}/retry/`), 404, "not_found");
    const stub = env.COLLECTOR.getByName(collectorNameOfId(who.partnerId, UNKNOWN_ID));
    const stored = await runInDurableObject(stub, async (_instance, { storage }) => ({
      tables: storage.sql
        .exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'")
        .toArray(),
      alarm: await storage.getAlarm(),
    }));
    expect(stored).toEqual({ tables: [], alarm: null });
  });
});
