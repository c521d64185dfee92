import { runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { importSchema } from "../../src/imports/import.ts";
import { reportLineSchema } from "../../src/imports/report/lines.ts";
import { HOST, ping, read, RECEIVER, SOURCE, task } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";
import { answerOf, send } from "../support/http.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverDispatch, settle } from "../support/world.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const cancelled = async (who: TestPartner, importId: string) =>
  answerOf(await send(who, "POST", `/api/imports/${importId}/cancel/`), 202, importSchema);

/** Holds files under these names. */
async function hold(who: TestPartner, names: readonly string[]) {
  const outside = playOutside({
    ...Object.fromEntries(names.map((name) => [`${HOST}/${name}`, once(rideFile())])),
    [RECEIVER]: () => new Response("ok"),
  });
  await ping(
    who,
    ...names.map((name) => ({ summary_id: name, callback_url: `${HOST}/${name}`, priority: 0 as const })),
  );
  return { outside, collector: collectorOf(who.partnerId, "user-1", SOURCE) };
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `ride-${index}`);

describe("a cancellation", () => {
  test("that is sent twice at once cancels once: both answers agree, and one event is sent", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const { collector } = await hold(who, ["a", "b"]);
    const { import_id } = await task(who, { event_id: "e" });
    const both = await Promise.all([cancelled(who, import_id), cancelled(who, import_id)]);
    for (const answer of both) expect(answer).toMatchObject({ status: "cancelled", files: { skipped: 2 } });
    await settle(collector);
    expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({ files: { total: 2, skipped: 2 } });
    expect((await read(who, "/api/events/"))["data"]).toMatchObject([{ id: `evt_${import_id}` }]);
  });

  test("before the task's alarm has run downloads nothing and sends nothing to an importer", async () => {
    const who = await newPartner();
    const { outside, collector } = await hold(who, ["a", "b"]);
    const { import_id } = await task(who);
    await cancelled(who, import_id);
    expect(await collector.unsent()).toEqual([]);
    await settle(collector);
    expect(await collector.sent()).toEqual([]);
    expect(outside.to(`${HOST}/a`)).toEqual([]);
    expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
      status: "cancelled",
      files: { pending: 0, skipped: 2 },
    });
  });

  test("of an import whose files are all being imported lets them finish, and skips none", async () => {
    const who = await newPartner();
    const { collector } = await hold(who, ["a", "b"]);
    const { import_id } = await task(who);
    await collector.alarm();
    const [sent] = await collector.sent();
    // The importer has claimed both files when the partner cancels.
    playOutside({
      [`${HOST}/a`]: async () => {
        const answer = await cancelled(who, import_id);
        expect(answer).toMatchObject({ status: "cancelled", completed_at: null, files: { skipped: 0 } });
        return new Response(rideFile());
      },
      [`${HOST}/b`]: once(rideFile()),
    });
    await deliverDispatch(collector, sent?.dispatch_id ?? "", "partner-api-bulk");
    await settle(collector);
    expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
      status: "cancelled",
      completed_at: expect.any(String),
      files: { total: 2, pending: 0, imported: 2, skipped: 0 },
    });
  });

  test("and a task at once: each file belongs to one import, and both imports complete", async () => {
    const who = await newPartner();
    const { collector } = await hold(who, ["a", "b"]);
    const { import_id } = await task(who);
    await hold(
      who,
      ["b", "c"].map((name) => name),
    );
    await ping(who, { summary_id: "a", callback_url: `${HOST}/a?new`, priority: 0, overwrite_mode: true });
    const [, next] = await Promise.all([cancelled(who, import_id), task(who, { event_id: "next" })]);
    playOutside({
      [`${HOST}/a?new`]: once(rideFile()),
      [`${HOST}/b`]: once(rideFile()),
      [`${HOST}/c`]: once(rideFile()),
    });
    await settle(collector);
    const [first, second] = await Promise.all(
      [import_id, next.import_id].map(async (id) =>
        importSchema.parse(await read(who, `/api/imports/${id}/`)),
      ),
    );
    expect(first).toMatchObject({ status: "cancelled", files: { total: 2, pending: 0, skipped: 2 } });
    expect(second).toMatchObject({ status: "completed", files: { pending: 0, failed: 0 } });
    expect(second?.files.imported).toBe(2);
    const { data } = await read(who, "/api/files/");
    const statuses = (data as { summary_id: string; status: string }[]).map((file) => [
      file.summary_id,
      file.status,
    ]);
    expect(Object.fromEntries(statuses)).toEqual({ a: "imported", b: "skipped", c: "imported" });
  });

  test("during an outage of the database completes afterwards, with its event", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const { collector } = await hold(who, numbered(60));
    const { import_id } = await task(who, { event_id: "e", is_initial_import: true });
    await collector.alarm();
    const broken = vi.spyOn(databaseOf(who), "batch").mockImplementation(async () => {
      throw new Error("D1_ERROR: overloaded");
    });
    expect(await cancelled(who, import_id)).toMatchObject({ status: "cancelled", files: { skipped: 60 } });
    await collector.alarm();
    await collector.alarm();
    // The object ends without warning, as after kill -9 or an eviction.
    await runInDurableObject(collector.stub, (_instance, state) => {
      state.abort("killed");
    }).catch(() => undefined);
    broken.mockRestore();
    const again = collectorOf(who.partnerId, "user-1", SOURCE);
    await again.alarm();
    await settle(again);
    expect(await read(who, `/api/imports/${import_id}/`)).toMatchObject({
      status: "cancelled",
      completed_at: expect.any(String),
      training_plan: null,
      files: { total: 60, pending: 0, skipped: 60 },
    });
    expect(await read(who, `/api/events/evt_${import_id}/`)).toMatchObject({
      data: { status: "cancelled", files: { total: 60, skipped: 60 } },
    });
  });
});

describe("a report", () => {
  const linesOf = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => reportLineSchema.parse(JSON.parse(line)));

  test("of a running import has its files so far, and says that it is running", async () => {
    const who = await newPartner();
    const { collector } = await hold(who, ["a", "b"]);
    const { import_id } = await task(who);
    await collector.alarm();
    const response = await send(who, "GET", `/api/imports/${import_id}/report/`);
    const lines = linesOf(await response.text());
    expect(lines).toMatchObject([
      { type: "file", status: "queued", start_time_in_seconds: null },
      { type: "file", status: "queued", sport: null },
      { type: "end", status: "running", files: { total: 2, pending: 2 }, longest_gap: null },
    ]);
  });

  test("whose user is erased while it streams ends with an error", async () => {
    const who = await newPartner();
    const { collector } = await hold(who, ["a"]);
    const { import_id } = await task(who);
    await settle(collector);
    const response = await send(who, "GET", `/api/imports/${import_id}/report/`);
    expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
    const last = linesOf(await response.text()).at(-1);
    expect(last).toMatchObject({ type: "error", code: "not_found" });
    expect((await send(who, "GET", `/api/imports/${import_id}/report/`)).status).toBe(404);
  });
});
