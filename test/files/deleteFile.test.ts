import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { ERASURE_KEPT_FOR_MS } from "../../src/contract/limits.ts";
import { sweepBatches } from "../../src/files/batches/sweep.ts";
import { sweepExpiredDeletions } from "../../src/files/removals/expire.ts";
import { sweepDiscardedObjects } from "../../src/files/sweep.ts";
import { base64, HOST, ping, read, SOURCE, task } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";
import { problemOf, send } from "../support/http.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverDispatch, settle } from "../support/world.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const MINUTE_MS = 60_000;
const SINCE = "updated_since=2026-01-01T00:00:00Z&include_deleted=true";

const idOf = (files: { file_id: string }[], index = 0) => files[index]?.file_id ?? "";

async function remove(who: TestPartner, id: string): Promise<Response> {
  return send(who, "DELETE", `/api/files/${id}/`);
}

/** Feeds omit rows of the database's current millisecond. */
async function nextMillisecond(who: TestPartner): Promise<void> {
  const written = Date.now();
  while (Date.now() <= written) await databaseOf(who).prepare("SELECT 1").run();
}

const page = z.object({
  data: z.array(z.record(z.string(), z.unknown())),
  next_cursor: z.string().nullable(),
});

/** Follows a list of changes, one row a page. Returns each row's id, with `-` before a removed one. */
async function follow(who: TestPartner, list: "files" | "activities", query = ""): Promise<string[]> {
  await nextMillisecond(who);
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? "" : `&cursor=${cursor}`;
    const { data, next_cursor } = page.parse(
      await read(who, `/api/${list}/?${SINCE}&limit=1${query}${next}`),
    );
    ids.push(
      ...data.map(
        (row) =>
          `${"deleted_at" in row ? "-" : ""}${String(row[list === "files" ? "file_id" : "activity_id"])}`,
      ),
    );
    cursor = next_cursor;
  } while (cursor !== null);
  return ids;
}

test("a deleted file is gone from every read, the usage falls, and its bytes are deleted", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const bytes = rideFile();
  const files = await ping(
    who,
    { summary_id: "ride", callback_url: base64(bytes) },
    { summary_id: "other", callback_url: base64(rideFile({ seconds: 20 })) },
  );
  await settle(collector);
  const usage = async () =>
    databaseOf(who)
      .prepare("SELECT files, stored_bytes FROM partner_usage WHERE partner_id = ?")
      .bind(who.partnerId)
      .first<{ files: number; stored_bytes: number }>();
  const before = await usage();
  const id = idOf(files);
  const deleted = await remove(who, id);
  expect(deleted.status).toBe(202);
  expect(await deleted.json()).toEqual({ file_id: id, status: "deleting" });
  for (const path of [
    `/api/files/${id}/`,
    `/api/files/${id}/original/`,
    `/api/files/${id}/timeline/`,
    `/api/activities/${id}.0/`,
    `/api/activities/${id}.0/streams/`,
  ]) {
    await problemOf(await send(who, "GET", path), 404, "not_found");
  }
  await problemOf(await send(who, "POST", `/api/files/${id}/retry/`), 404, "not_found");
  await problemOf(await remove(who, id), 404, "not_found");
  expect((await read(who, "/api/files/"))["data"]).toMatchObject([{ file_id: idOf(files, 1) }]);
  expect((await read(who, "/api/activities/"))["data"]).toMatchObject([{ file_id: idOf(files, 1) }]);
  expect(await usage()).toEqual({
    files: (before?.files ?? 0) - 1,
    stored_bytes: (before?.stored_bytes ?? 0) - bytes.length,
  });
  await settle(collector);
  await sweepDiscardedObjects(env, Date.now() + 21 * MINUTE_MS);
  const { objects } = await env.FILES.list({ prefix: "inline/" });
  expect(objects.filter(({ key }) => key.includes(id))).toEqual([]);
});

test("readers of changes get each removal once, in order, page by page, and readers that did not ask get none", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const files = await ping(
    who,
    { summary_id: "first", callback_url: base64(rideFile({ sessions: 2 })) },
    { summary_id: "second", callback_url: base64(rideFile({ seconds: 20 })) },
  );
  await settle(collector);
  const [first, second] = [idOf(files), idOf(files, 1)];
  await nextMillisecond(who);
  await remove(who, first);
  expect(await follow(who, "files")).toEqual([second, `-${first}`]);
  expect(await follow(who, "activities")).toEqual([`${second}.0`, `-${first}.0`, `-${first}.1`]);
  expect(await follow(who, "activities", "&user_id=user-1&source=watch")).toHaveLength(3);
  expect(await follow(who, "activities", "&user_id=user-1&source=phone")).toEqual([]);
  expect(await follow(who, "files", "&user_id=user-2")).toEqual([]);
  for (const list of ["files", "activities"]) {
    const unasked = await read(who, `/api/${list}/?updated_since=2026-01-01T00:00:00Z`);
    expect(unasked["data"]).toMatchObject([{ file_id: second }]);
  }
  // It comes back after its removal.
  await ping(who, { summary_id: "first", callback_url: base64(rideFile({ seconds: 30 })) });
  await settle(collector);
  expect(await follow(who, "files")).toEqual([second, first]);
  expect(await follow(who, "activities")).toEqual([`${second}.0`, `-${first}.1`, `${first}.0`]);
});

test("activities that an overwrite leaves out, and an erased user's rows, are listed as removals", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const files = await ping(who, { summary_id: "ride", callback_url: base64(rideFile({ sessions: 3 })) });
  await settle(collector);
  await ping(who, { summary_id: "ride", callback_url: base64(rideFile()), overwrite_mode: true });
  await settle(collector);
  const id = idOf(files);
  expect((await follow(who, "activities")).toSorted()).toEqual([`-${id}.1`, `-${id}.2`, `${id}.0`]);
  await send(who, "DELETE", "/api/users/user-1/");
  expect(new Set(await follow(who, "activities"))).toEqual(new Set([`-${id}.0`, `-${id}.1`, `-${id}.2`]));
  expect(await follow(who, "files")).toEqual([`-${id}`]);
});

test("include_deleted without updated_since, or with summary_id, is rejected", async () => {
  const who = await newPartner();
  const without = await problemOf(
    await send(who, "GET", "/api/activities/?include_deleted=true"),
    400,
    "validation_failed",
  );
  expect(without.errors).toMatchObject([{ pointer: "/updated_since", code: "required" }]);
  const one = await problemOf(
    await send(who, "GET", `/api/files/?${SINCE}&user_id=user-1&source=watch&summary_id=ride`),
    400,
    "validation_failed",
  );
  expect(one.errors).toMatchObject([{ pointer: "/include_deleted" }]);
});

test("a file that is deleted before the read model has it is not imported, and later pings start afresh", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const [held, live] = await ping(
    who,
    { summary_id: "held", callback_url: base64(rideFile()), priority: 0 },
    { summary_id: "live", callback_url: base64(rideFile()) },
  );
  expect((await remove(who, held?.file_id ?? "")).status).toBe(202);
  expect((await remove(who, live?.file_id ?? "")).status).toBe(202);
  await settle(collector);
  expect((await read(who, "/api/files/"))["data"]).toEqual([]);
  expect(await task(who)).toMatchObject({ files: { total: 0 } });
  const again = await ping(who, { summary_id: "live", callback_url: base64(rideFile()) });
  expect(again).toMatchObject([{ status: "queued", file_id: live?.file_id }]);
  await settle(collector);
  expect(await read(who, `/api/files/${live?.file_id}/`)).toMatchObject({ status: "imported" });
});

test("a running import counts deleted files as skipped, and completes", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  playOutside({ [`${HOST}/2`]: () => new Response(null, { status: 404 }) });
  const files = await ping(
    who,
    { summary_id: "1", callback_url: base64(rideFile()), priority: 0 },
    { summary_id: "2", callback_url: `${HOST}/2`, priority: 0 },
  );
  const { import_id } = await task(who);
  await remove(who, idOf(files));
  const counts = async () => read(who, `/api/imports/${import_id}/`);
  expect(await counts()).toMatchObject({
    status: "running",
    files: { total: 2, pending: 1, skipped: 1, failed: 0 },
  });
  await settle(collector);
  expect(await counts()).toMatchObject({
    status: "completed_with_failures",
    files: { skipped: 1, failed: 1, imported: 0, pending: 0 },
  });
  // The count of failures agrees with the list of failed files.
  await remove(who, idOf(files, 1));
  await settle(collector);
  expect(await counts()).toMatchObject({ status: "completed", files: { skipped: 2, failed: 0 } });
});

test("an importer in flight writes a deleted file not back, also after the file was pinged again", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  let id = "";
  playOutside({
    [`${HOST}/1`]: async () => {
      expect((await remove(who, id)).status).toBe(202);
      await ping(who, { summary_id: "1", callback_url: `${HOST}/2`, priority: 0 });
      return new Response(rideFile());
    },
    [`${HOST}/2`]: once(rideFile({ seconds: 77 })),
  });
  id = idOf(await ping(who, { summary_id: "1", callback_url: `${HOST}/1` }));
  for (const { dispatch_id } of await collector.sent()) await deliverDispatch(collector, dispatch_id);
  await settle(collector);
  expect(await read(who, `/api/files/${id}/`)).toMatchObject({ status: "held", activity_ids: [] });
  await task(who);
  await settle(collector);
  expect(await read(who, `/api/activities/${id}.0/`)).toMatchObject({ elapsed_time_in_seconds: 77 });
  await sweepDiscardedObjects(env, Date.now() + 21 * MINUTE_MS);
  const { objects } = await env.FILES.list({ prefix: `${who.partnerId}/` });
  expect(objects).toHaveLength(1);
});

test("a read that is under way when its file is deleted writes nothing back", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const id = idOf(await ping(who, { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 }));
  const database = databaseOf(who);
  const batch = database.batch.bind(database);
  // The alarm has read the file from its storage. Before its batch arrives, the file is deleted.
  const spy = vi.spyOn(database, "batch").mockImplementationOnce(async (statements) => {
    expect((await remove(who, id)).status).toBe(202);
    return batch(statements);
  });
  await collector.alarm();
  expect(spy).toHaveBeenCalled();
  await settle(collector);
  expect((await read(who, "/api/files/"))["data"]).toEqual([]);
});

test("while the collector cannot be reached, a deletion gets 503 and begins nothing", async () => {
  const who = await newPartner();
  const id = idOf(await ping(who, { summary_id: "1", callback_url: base64(rideFile()), priority: 0 }));
  await collectorOf(who.partnerId, "user-1", SOURCE).alarm();
  vi.spyOn(env.COLLECTOR, "getByName").mockImplementation(() => {
    throw new Error("unreachable");
  });
  await problemOf(await remove(who, id), 503, "store_unavailable");
  vi.restoreAllMocks();
  expect(await read(who, `/api/files/${id}/`)).toMatchObject({ status: "held" });
});

test("while the database is down, a deletion gets 503, and completes by itself when the database is back", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const id = idOf(await ping(who, { summary_id: "1", callback_url: base64(rideFile()) }));
  await settle(collector);
  const down = vi.spyOn(databaseOf(who), "batch").mockRejectedValue(new Error("down"));
  await problemOf(await remove(who, id), 503, "store_unavailable");
  await problemOf(await remove(who, id), 503, "store_unavailable");
  down.mockRestore();
  await settle(collector);
  await problemOf(await send(who, "GET", `/api/files/${id}/`), 404, "not_found");
  expect((await read(who, "/api/activities/"))["data"]).toEqual([]);
  await problemOf(await remove(who, id), 404, "not_found");
});

test("a file that only a restored database has can be deleted", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const id = idOf(await ping(who, { summary_id: "1", callback_url: base64(rideFile()) }));
  await settle(collector);
  const row = await databaseOf(who).prepare("SELECT * FROM files WHERE file_id = ?").bind(id).first();
  await remove(who, id);
  const columns = Object.keys(row ?? {});
  await databaseOf(who)
    .prepare(`INSERT INTO files (${columns.join()}) VALUES (${columns.map(() => "?").join()})`)
    .bind(...Object.values(row ?? {}))
    .run();
  expect((await send(who, "GET", `/api/files/${id}/`)).status).toBe(200);
  expect((await remove(who, id)).status).toBe(202);
  await problemOf(await send(who, "GET", `/api/files/${id}/`), 404, "not_found");
});

test("removals and bounds of deleted files are kept for 90 days", async () => {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const id = idOf(await ping(who, { summary_id: "1", callback_url: base64(rideFile()) }));
  await settle(collector);
  await remove(who, id);
  const count = async (table: string) =>
    (
      await databaseOf(who)
        .prepare(`SELECT count(*) AS count FROM ${table} WHERE partner_id = ?`)
        .bind(who.partnerId)
        .first<{ count: number }>()
    )?.count;
  const age = async (ms: number) =>
    databaseOf(who)
      .prepare("UPDATE file_batches SET updated_at = updated_at - ? WHERE partner_id = ?")
      .bind(ms, who.partnerId)
      .run();
  const sweep = async (hour: number) => {
    for (let run = 0; run < 20; run += 1) await sweepBatches(env, Date.now() + hour * 60 * MINUTE_MS);
  };
  await age(ERASURE_KEPT_FOR_MS - MINUTE_MS);
  await sweep(1);
  expect(await count("file_batches")).toBe(1);
  await age(2 * MINUTE_MS);
  await sweep(3);
  expect(await count("file_batches")).toBe(0);
  await sweepExpiredDeletions(env, Date.now() + ERASURE_KEPT_FOR_MS - MINUTE_MS);
  expect(await count("deleted_files")).toBe(1);
  await sweepExpiredDeletions(env, Date.now() + ERASURE_KEPT_FOR_MS + MINUTE_MS);
  expect(await count("deleted_files")).toBe(0);
});
