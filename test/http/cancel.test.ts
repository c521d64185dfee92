import { runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { importSchema } from "../../src/imports/import.ts";
import { HOST, ping, read, RECEIVER, SOURCE, task } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { seedImport, UNKNOWN_ID } from "../support/rows.ts";
import { collectorOf, deliverDispatch, settle } from "../support/world.ts";
import { guardsItself } from "./strangers.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

guardsItself("cancelling an import", {
  method: "POST",
  paths: async (owner) => {
    const id = await seedImport({ partnerId: owner.partnerId, userId: "u", source: "s" });
    return { path: `/api/imports/${id}/cancel/`, unknown: `/api/imports/${UNKNOWN_ID}/cancel/` };
  },
});

const cancel = (who: TestPartner, importId: string) => send(who, "POST", `/api/imports/${importId}/cancel/`);
const cancelled = async (who: TestPartner, importId: string) =>
  answerOf(await cancel(who, importId), 202, importSchema);

/** Starts an import of these files, of which nothing is dispatched yet. */
async function started(who: TestPartner, names: readonly string[]) {
  const outside = playOutside({
    ...Object.fromEntries(names.map((name) => [`${HOST}/${name}`, once(rideFile())])),
    [RECEIVER]: () => new Response("ok"),
  });
  const held = names.map((name) => ({
    summary_id: name,
    callback_url: `${HOST}/${name}`,
    priority: 0 as const,
  }));
  const files = await ping(who, ...held);
  const { import_id } = await task(who, { event_id: "e", is_initial_import: true });
  const ids = files.map((file) => file.file_id);
  return {
    outside,
    import_id,
    ids,
    path: `/api/imports/${import_id}/`,
    collector: collectorOf(who.partnerId, "user-1", SOURCE),
  };
}

describe("a cancelled import", () => {
  test("skips files that are not imported yet, downloads none, requests no plan and says so in its event", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const { outside, import_id, ids, path, collector } = await started(who, ["a", "b", "c"]);
    const answer = await cancelled(who, import_id);
    expect(answer).toMatchObject({ status: "cancelled", files: { total: 3, pending: 0, skipped: 3 } });
    await settle(collector);
    expect(await read(who, path)).toMatchObject({
      status: "cancelled",
      completed_at: expect.any(String),
      training_plan: null,
      files: { total: 3, pending: 0, imported: 0, skipped: 3, failed: 0 },
    });
    expect(await read(who, `/api/events/evt_${import_id}/`)).toMatchObject({
      data: { status: "cancelled", failures: [], more_failures: false },
    });
    expect(outside.to(`${HOST}/a`)).toEqual([]);
    expect(await read(who, `/api/files/${ids[0]}/`)).toMatchObject({
      status: "skipped",
      error: { code: "import_cancelled", retryable: true },
    });
    expect(await read(who, `/api/files/${ids[0]}/timeline/`)).toMatchObject({
      data: [{ what: "pinged" }, { what: "held" }, { what: "released" }, { what: "skipped" }],
    });
    const lists = await read(who, `/api/files/?import_id=${import_id}&status=skipped`);
    expect(lists["data"]).toHaveLength(3);
    expect(await read(who, "/api/imports/?status=cancelled")).toMatchObject({ data: [{ import_id }] });
    expect(await read(who, "/api/users/user-1/")).toMatchObject({
      running_import_ids: [],
      sources: [{ files: { total: 3, skipped: 3, held: 0, failed: 0 } }],
    });
  });

  test("imports the files that an importer was working on, and skips those that it would try again", async () => {
    const who = await newPartner();
    const { import_id, ids, path, collector } = await started(who, ["a", "b", "c"]);
    await collector.alarm();
    const [sent] = await collector.sent();
    const claim = await collector.claim(sent?.dispatch_id ?? "");
    expect(claim?.items).toHaveLength(3);
    expect(await cancelled(who, import_id)).toMatchObject({
      status: "cancelled",
      completed_at: null,
      files: { pending: 3, skipped: 0 },
    });
    const item = (index: number) => claim?.items.find(({ file_id }) => file_id === ids[index]);
    const outcome = (index: number) => ({ file_id: ids[index] ?? "", version: item(index)?.version ?? 0 });
    const fault = { code: "callback_timeout" as const, detail: "slow", http_status: null, retryable: true };
    await collector.stub.report(sent?.dispatch_id ?? "", claim?.claim ?? "", [
      { result: "imported", ...outcome(0), revision: (item(0)?.revision ?? 0) + 1 },
      { result: "try_again", ...outcome(1), fault, stored: null, origin: "host", retry_after_seconds: null },
      { result: "failed", ...outcome(2), fault: { ...fault, code: "callback_gone" }, stored: null },
    ]);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({
      status: "cancelled",
      completed_at: expect.any(String),
      files: { total: 3, pending: 0, imported: 1, skipped: 1, failed: 1 },
    });
  });

  test("skips the files of an importer that has died", async () => {
    const who = await newPartner();
    const { import_id, path, collector } = await started(who, ["a", "b"]);
    await collector.alarm();
    const [sent] = await collector.sent();
    await collector.claim(sent?.dispatch_id ?? "");
    await cancelled(who, import_id);
    await runInDurableObject(collector.stub, (_instance, { storage }) => {
      storage.sql.exec("UPDATE dispatches SET due_at = 1");
    });
    await deliverDispatch(collector, sent?.dispatch_id ?? "", "partner-api-bulk");
    await settle(collector);
    expect(await read(who, path)).toMatchObject({
      status: "cancelled",
      files: { pending: 0, imported: 0, skipped: 2 },
    });
  });

  test("keeps its skipped files from the next task; a retry or a ping imports them, and counts them there", async () => {
    const who = await newPartner();
    const { import_id, ids, path, collector } = await started(who, ["a", "b", "c"]);
    await cancelled(who, import_id);
    await settle(collector);
    expect(await task(who, { event_id: "f" })).toMatchObject({ files: { total: 0 } });
    expect((await send(who, "POST", `/api/files/${ids[0]}/retry/`)).status).toBe(202);
    await ping(who, { summary_id: "b", callback_url: `${HOST}/b`, priority: 1 });
    await settle(collector);
    expect(await read(who, path)).toMatchObject({
      status: "cancelled",
      files: { total: 3, pending: 0, imported: 2, skipped: 1, failed: 0 },
    });
    expect((await send(who, "POST", `${path}retry/`)).status).toBe(202);
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "cancelled", files: { imported: 3, skipped: 0 } });
  });

  test("still imports a live ride that replaced one of its files", async () => {
    const who = await newPartner();
    const { import_id, ids, path, collector } = await started(who, ["a", "b"]);
    await ping(who, { summary_id: "a", callback_url: `${HOST}/a`, priority: 1, overwrite_mode: true });
    await cancelled(who, import_id);
    await settle(collector);
    expect(await read(who, `/api/files/${ids[0]}/`)).toMatchObject({ status: "imported" });
    expect(await read(who, path)).toMatchObject({
      status: "cancelled",
      files: { total: 2, pending: 0, imported: 1, skipped: 1 },
    });
  });

  test("can be cancelled again; a completed one cannot", async () => {
    const who = await newPartner();
    const { import_id, collector } = await started(who, ["a"]);
    await cancelled(who, import_id);
    expect(await cancelled(who, import_id)).toMatchObject({ status: "cancelled" });
    await settle(collector);
    const again = await cancelled(who, import_id);
    expect(again).toMatchObject({ status: "cancelled", files: { skipped: 1 } });
    const other = await started(who, ["b"]);
    await settle(collector);
    await problemOf(await cancel(who, other.import_id), 409, "import_completed");
    expect(await read(who, other.path)).toMatchObject({ status: "completed", files: { imported: 1 } });
    const names = { partnerId: who.partnerId, userId: "forgotten", source: "s" };
    await problemOf(await cancel(who, await seedImport(names)), 409, "import_completed");
    const old = await seedImport(names, { status: "cancelled" });
    expect(await cancelled(who, old)).toMatchObject({ import_id: old });
  });

  test("takes effect while the database is down, and can be read later", async () => {
    const who = await newPartner();
    const { import_id, path, collector } = await started(who, ["a"]);
    const broken = vi.spyOn(databaseOf(who), "prepare").mockImplementation(() => {
      throw new Error("D1_ERROR: overloaded");
    });
    expect(await cancelled(who, import_id)).toMatchObject({ status: "cancelled", files: { skipped: 1 } });
    broken.mockRestore();
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "cancelled", files: { skipped: 1 } });
  });

  test("of thousands of files skips them in limited steps", async () => {
    const who = await newPartner();
    const FILES = 2_500;
    const names = Array.from({ length: FILES }, (_, index) => `ride-${index}`);
    const { import_id, path, collector } = await started(who, names);
    const answer = await cancelled(who, import_id);
    expect(answer).toMatchObject({ completed_at: null, files: { pending: 1_500, skipped: 1_000 } });
    await settle(collector);
    expect(await read(who, path)).toMatchObject({
      status: "cancelled",
      completed_at: expect.any(String),
      files: { total: FILES, pending: 0, skipped: FILES },
    });
    const left = await databaseOf(who)
      .prepare("SELECT count(*) count FROM files WHERE partner_id = ? AND status <> 'skipped'")
      .bind(who.partnerId)
      .first();
    expect(left).toEqual({ count: 0 });
  });
});
