import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { PingEntry, WorkItem } from "../../src/collector/calls.ts";
import type { FileError } from "../../src/files/file.ts";
import { fileId, randomId } from "../../src/identifiers.ts";
import { submissionOf } from "../support/pings.ts";
import { collectorOf, type CollectorUnderTest } from "../support/world.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";

const SOURCE = "watch";
const fault: FileError = {
  code: "callback_gone",
  detail: "The host responded with status 404.",
  http_status: 404,
  retryable: true,
};

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Returns a new user, so that no two tests share a collector. */
function newUser() {
  const names = { ...ownerOf(`partner-${randomId()}`), user_id: "user-1", source: SOURCE };
  const collector = collectorOf(names.partner_id, names.user_id, names.source);
  const entry = (summaryId: string, changes: Partial<PingEntry["submission"]> = {}): PingEntry => ({
    file_id: fileId({ partnerId: names.partner_id, userId: names.user_id, source: SOURCE, summaryId }),
    summary_id: summaryId,
    submission: submissionOf({
      callback_url: `https://files.example.com/${summaryId}?${randomId()}`,
      ...changes,
    }),
  });
  const hold = (count: number) =>
    collector.stub.accept(
      names,
      Array.from({ length: count }, (_, index) => entry(`ride-${index}`, { priority: 0 })),
    );
  const task = (changes: { event_id?: string | null; is_initial_import?: boolean } = {}) =>
    collector.stub.startImport(names, {
      import_id: randomId(),
      event_id: null,
      is_initial_import: false,
      expected: null,
      ...changes,
    });
  return { names, collector, entry, hold, task };
}

/** Returns the outcome of a file that its importer has made readable. */
function imported(item: WorkItem | undefined) {
  const { file_id = "", version = 0, revision = 0 } = item ?? {};
  return { result: "imported" as const, file_id, version, revision };
}

function pass(milliseconds: number): void {
  const now = Date.now();
  if (!vi.isFakeTimers()) vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now + milliseconds);
}

async function onlySent(collector: CollectorUnderTest): Promise<string> {
  const sent = await collector.sent();
  expect(sent).toHaveLength(1);
  return sent[0]?.dispatch_id ?? "";
}

describe("accepting pings", () => {
  test("a live ride is in the PRIORITY queue before the response, a held file in no queue", async () => {
    const { names, collector, entry } = newUser();
    const answers = await collector.stub.accept(names, [entry("live"), entry("held", { priority: 0 })]);
    expect(answers.statuses).toEqual(["queued", "held"]);
    expect((await collector.sent()).map((dispatch) => dispatch.queue)).toEqual(["PRIORITY"]);
  });

  test("the alarm sends a live ride that the queue did not accept", async () => {
    const { names, collector, entry } = newUser();
    vi.spyOn(env.PRIORITY, "sendBatch").mockRejectedValueOnce(new Error("the queue is away"));
    await collector.stub.accept(names, [entry("live")]);
    expect(await collector.sent()).toHaveLength(0);
    pass(6_000);
    await collector.alarm();
    expect(await collector.sent()).toHaveLength(1);
  });

  test("a send to a queue that stays down is retried after growing pauses of at most a minute", async () => {
    const { names, collector, entry } = newUser();
    const send = vi.spyOn(env.PRIORITY, "sendBatch").mockRejectedValue(new Error("the queue is away"));
    await collector.stub.accept(names, [entry("live")]);
    pass(6_000);
    const pauses: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      await collector.alarm();
      const next = await runInDurableObject(collector.stub, async (_, state) => state.storage.getAlarm());
      pauses.push((next ?? 0) - Date.now());
      pass(pauses.at(-1) ?? 0);
    }
    expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    send.mockRestore();
    await collector.alarm();
    expect(await collector.sent()).toHaveLength(1);
  });

  test("a message that no importer has claimed is sent again after its lease", async () => {
    const { names, collector, entry } = newUser();
    await collector.stub.accept(names, [entry("live")]);
    const send = vi.spyOn(env.PRIORITY, "sendBatch");
    pass(19_000);
    await collector.alarm();
    expect(send).not.toHaveBeenCalled();
    pass(2_000);
    await collector.alarm();
    expect(send).toHaveBeenCalledTimes(1);
  });

  test("a message that still waits in its queue is not sent again, however long it waits; a lost message is", async () => {
    const { names, collector, entry } = newUser();
    await collector.stub.accept(names, [entry("live")]);
    const sentAt = new Date();
    const send = vi.spyOn(env.PRIORITY, "sendBatch");
    const metrics = vi.spyOn(env.PRIORITY, "metrics");
    const backlog = { backlogCount: 9, backlogBytes: 900 };
    metrics.mockResolvedValue({ ...backlog, oldestMessageTimestamp: sentAt });
    pass(6_000);
    await collector.alarm();
    for (let lease = 0; lease < 10; lease += 1) {
      pass(21_000);
      await collector.alarm();
    }
    expect(send).not.toHaveBeenCalled();
    metrics.mockResolvedValue({ ...backlog, oldestMessageTimestamp: new Date(sentAt.getTime() + 60_000) });
    pass(21_000);
    await collector.alarm();
    expect(send).toHaveBeenCalledTimes(1);
  });

  test("a message is sent again after its lease when its queue returns no backlog", async () => {
    const { names, collector, entry } = newUser();
    await collector.stub.accept(names, [entry("live")]);
    const send = vi.spyOn(env.PRIORITY, "sendBatch");
    vi.spyOn(env.PRIORITY, "metrics").mockRejectedValue(new Error("Queue is overloaded"));
    pass(21_000);
    await collector.alarm();
    expect(send).toHaveBeenCalledTimes(1);
  });

  test("the alarm sends no live ride a second time, however many one request contains", async () => {
    const { names, collector, entry } = newUser();
    const rides = Array.from({ length: 600 }, (_, index) => entry(`live-${index}`));
    await collector.stub.accept(names, rides);
    const send = vi.spyOn(env.PRIORITY, "sendBatch");
    pass(6_000);
    await collector.alarm();
    await collector.alarm();
    expect(send).not.toHaveBeenCalled();
    expect(await collector.sent()).toHaveLength(5 + Math.ceil(595 / 25));
  });

  test("accept returns the indexes of repeated pings, because no file uses their bytes", async () => {
    const { names, collector, entry } = newUser();
    const ride = entry("live");
    const later = entry("later");
    const held = entry("held", { priority: 0 });
    await collector.stub.accept(names, [ride]);
    const answers = await collector.stub.accept(names, [ride, ride, later, later, held, held]);
    const { statuses, repeats } = answers;
    expect(statuses).toEqual(["duplicate", "duplicate", "queued", "duplicate", "held", "held"]);
    expect(repeats).toEqual([0, 1, 3, 5]);
  });

  test("a live ride is sent again within seconds after a crash", async () => {
    const { names, collector, entry } = newUser();
    await collector.stub.accept(names, [entry("live")]);
    await evictDurableObject(collector.stub);
    const send = vi.spyOn(env.PRIORITY, "sendBatch");
    pass(6_000);
    await collector.alarm();
    expect(send).toHaveBeenCalledTimes(1);
  });

  test("accepted pings are stored after the object was evicted", async () => {
    const { names, collector, entry } = newUser();
    await collector.stub.accept(names, [entry("live"), entry("held", { priority: 0 })]);
    const sent = await onlySent(collector);
    await evictDurableObject(collector.stub);
    const claim = await collector.claim(sent);
    expect(claim?.items.map((item) => item.summary_id)).toEqual(["live"]);
    expect(claim?.names).toEqual(names);
  });

  test("a failed turn changes neither storage nor memory: the next ping is stored and sets an alarm", async () => {
    const { names, collector, entry } = newUser();
    const message = await runInDurableObject(collector.stub, async (instance, state) => {
      vi.spyOn(state.storage, "setAlarm").mockImplementationOnce(() => {
        throw new Error("no alarm can be set");
      });
      return instance.accept(names, [entry("lost")]).then(
        () => "accepted",
        (fault: unknown) => String(fault),
      );
    });
    expect(message).toContain("no alarm can be set");
    await collector.stub.accept(names, [entry("live")]);
    const alarmAt = await runInDurableObject(collector.stub, (_, state) => state.storage.getAlarm());
    expect(alarmAt).not.toBeNull();
    const sent = await onlySent(collector);
    await evictDurableObject(collector.stub);
    const claim = await collector.claim(sent);
    expect(claim?.items.map((item) => item.summary_id)).toEqual(["live"]);
  });

  test("any number of files is projected in order, in outbox entries of limited size", async () => {
    const { collector, hold } = newUser();
    await hold(10_001);
    const entries = await runInDurableObject(collector.stub, (_, state) =>
      state.storage.sql
        .exec<{ ids: string }>("SELECT entry ->> 'file_ids' ids FROM outbox ORDER BY seq")
        .toArray()
        .map((row): string[] => JSON.parse(row.ids)),
    );
    expect(entries.map((entry) => entry.length)).toEqual([5_000, 5_000, 1]);
    expect(new Set(entries.flat()).size).toBe(10_001);
  });

  test("the same file twice in one request ends as its later ping", async () => {
    const { names, collector, entry } = newUser();
    const later = entry("ride", { callback_url: "https://files.example.com/later" });
    const answers = await collector.stub.accept(names, [entry("ride", { priority: 0 }), later]);
    expect(answers.statuses).toEqual(["held", "queued"]);
    const claim = await collector.claim(await onlySent(collector));
    expect(claim?.items[0]?.submission.callback_url).toBe("https://files.example.com/later");
  });
});

describe("claims", () => {
  test("two importers never work on one file", async () => {
    const { names, collector, entry } = newUser();
    await collector.stub.accept(names, [entry("live")]);
    const dispatchId = await onlySent(collector);
    const claims = await Promise.all([collector.claim(dispatchId), collector.claim(dispatchId)]);
    expect(claims.filter((claim) => claim !== null)).toHaveLength(1);
  });

  test("an outcome counts only from the current claim", async () => {
    const { names, collector, entry } = newUser();
    const live = entry("live");
    await collector.stub.accept(names, [live]);
    const dispatchId = await onlySent(collector);
    const claim = await collector.claim(dispatchId);
    const version = claim?.items[0]?.version ?? 0;
    const outcome = { result: "imported" as const, file_id: live.file_id, version, revision: 0 };
    expect(await collector.stub.report(dispatchId, "another claim", [outcome])).toBeNull();
    pass(61_000);
    expect(await collector.claim(dispatchId)).toBeNull();
    await collector.alarm();
    expect(await collector.stub.report(dispatchId, claim?.claim ?? "", [outcome])).toBeNull();
    expect(await collector.sent()).toHaveLength(1);
  });

  test("a report renews the claim for the remaining files", async () => {
    const { collector, hold, task } = newUser();
    await hold(2);
    await task();
    await collector.alarm();
    const dispatchId = await onlySent(collector);
    const claim = await collector.claim(dispatchId);
    const first = claim?.items[0];
    pass(50_000);
    const until = await collector.stub.report(dispatchId, claim?.claim ?? "", [imported(first)]);
    expect(until).toBe(Date.now() + 60_000);
    pass(50_000);
    expect(await collector.claim(dispatchId)).toBeNull();
    await collector.alarm();
    expect(await collector.unsent()).toHaveLength(0);
  });

  test("files of a crashed importer are dispatched alone, then exclusively, and fail as internal after the third crash", async () => {
    const { collector, hold, task } = newUser();
    await hold(3);
    const { import: started } = await task();
    await collector.alarm();
    await collector.claim(await onlySent(collector));
    for (const round of [1, 2]) {
      pass(61_000);
      await collector.alarm();
      if (round === 2) {
        // Due at a random time within 2 to 10 s, so that such files do not run together.
        expect(await collector.sent()).toHaveLength(0);
        pass(1_900);
        await collector.alarm();
        expect(await collector.sent()).toHaveLength(0);
        pass(8_200);
        await collector.alarm();
      }
      const sent = await collector.sent();
      expect(sent, `round ${round}`).toHaveLength(3);
      for (const { dispatch_id } of sent) {
        const claim = await collector.claim(dispatch_id);
        expect(claim?.exclusive).toBe(round === 2);
        expect(claim?.items).toHaveLength(1);
        expect(claim?.items[0]).toMatchObject({ look_first: true, attempts: round });
      }
    }
    pass(61_000);
    await collector.alarm();
    expect(await collector.sent()).toHaveLength(0);
    expect(await collector.stub.readImport(started.import_id)).toMatchObject({ total: 3, failed: 3 });
    const row = await databaseOf(collector.name.split("/")[0] ?? "")
      .prepare("SELECT status, error ->> 'code' code FROM files WHERE partner_id = ?")
      .bind(collector.name.split("/")[0] ?? "")
      .first();
    expect(row).toEqual({ status: "failed", code: "internal" });
  });

  test("a claim with a lost result is returned again to its importer, and to no other", async () => {
    const { names, collector, entry } = newUser();
    await collector.stub.accept(names, [entry("live")]);
    const dispatchId = await onlySent(collector);
    const claimant = { claim: "a", message_id: "m", attempt: 1 };
    pass(0);
    const first = await collector.stub.claim(dispatchId, claimant);
    pass(5_000);
    const repeated = await collector.stub.claim(dispatchId, claimant);
    expect(repeated).toEqual({ ...first, until: (first?.until ?? 0) + 5_000 });
    expect(await collector.stub.claim(dispatchId, { ...claimant, claim: "b" })).toBeNull();
    expect(await collector.stub.claim(dispatchId, { claim: "c", message_id: "n", attempt: 2 })).toBeNull();
  });

  test("a redelivered message ends the claim of its earlier delivery immediately", async () => {
    const { names, collector, entry } = newUser();
    await collector.stub.accept(names, [entry("live")]);
    const dispatchId = await onlySent(collector);
    const first = await collector.stub.claim(dispatchId, { claim: "a", message_id: "m", attempt: 1 });
    const again = { claim: "b", message_id: "m", attempt: 2 };
    expect(await collector.stub.claim(dispatchId, again)).toBeNull();
    await collector.alarm();
    const next = await onlySent(collector);
    expect(next).not.toBe(dispatchId);
    expect((await collector.claim(next))?.items[0]).toMatchObject({ look_first: true, attempts: 1 });
    expect(await collector.stub.report(dispatchId, "a", [imported(first?.items[0])])).toBeNull();
  });

  test("outcomes that are reported twice count once, also while other files of the claim are open", async () => {
    const { collector, hold, task } = newUser();
    await hold(2);
    const { import: started } = await task();
    await collector.alarm();
    const dispatchId = await onlySent(collector);
    const claim = await collector.claim(dispatchId);
    const [first, second] = claim?.items ?? [];
    const again = {
      result: "try_again",
      fault,
      stored: null,
      origin: "host",
      retry_after_seconds: null,
    } as const;
    const outcome = { ...again, file_id: first?.file_id ?? "", version: first?.version ?? 0 };
    for (let report = 0; report < 2; report += 1) {
      expect(await collector.stub.report(dispatchId, claim?.claim ?? "", [outcome])).not.toBeNull();
    }
    expect(await collector.stub.report(dispatchId, claim?.claim ?? "", [imported(second)])).toBeNull();
    pass(11_000);
    await collector.alarm();
    const retried = await collector.claim(await onlySent(collector));
    expect(retried?.items[0]).toMatchObject({ attempts: 1 });
    expect(await collector.stub.readImport(started.import_id)).toMatchObject({ imported: 1, failed: 0 });
  });

  test("a dispatch with a dead-lettered message is sent again immediately, and counts no claim", async () => {
    const { names, collector, entry } = newUser();
    await collector.stub.accept(names, [entry("live")]);
    const dispatchId = await onlySent(collector);
    pass(6_000);
    await collector.alarm();
    const send = vi.spyOn(env.PRIORITY, "sendBatch");
    await collector.stub.abandon(dispatchId);
    await collector.alarm();
    expect(send).toHaveBeenCalledTimes(1);
    const claim = await collector.claim(await onlySent(collector));
    expect(claim).toMatchObject({ exclusive: false, items: [{ attempts: 0 }] });
  });

  test("a newer version replaces a version that is being imported, and its outcome no longer counts", async () => {
    const { names, collector, entry, hold, task } = newUser();
    await hold(1);
    const { import: started } = await task();
    await collector.alarm();
    const dispatchId = await onlySent(collector);
    const claim = await collector.claim(dispatchId);
    const old = claim?.items[0];
    await collector.stub.accept(names, [entry("ride-0", { overwrite_mode: true })]);
    await collector.stub.report(dispatchId, claim?.claim ?? "", [imported(old)]);
    expect(await collector.stub.readImport(started.import_id)).toMatchObject({ imported: 0, total: 1 });
    const newer = await collector.claim(await onlySent(collector));
    expect(newer?.items[0]?.import_id).toBe(started.import_id);
    await collector.stub.report((await idOf(collector, newer?.claim)) ?? "", newer?.claim ?? "", [
      imported(newer?.items[0]),
    ]);
    expect(await collector.stub.readImport(started.import_id)).toMatchObject({ imported: 1, total: 1 });
  });
});

describe("tasks", () => {
  test("a large history is dispatched in limited steps, each file once", async () => {
    const { collector, hold, task } = newUser();
    await hold(430);
    const { import: started } = await task();
    const seen = new Set<string>();
    for (let round = 0; round < 20 && seen.size < 430; round += 1) {
      await collector.alarm();
      const sent = await collector.sent();
      expect(sent.length).toBeLessThanOrEqual(8);
      for (const { dispatch_id } of sent) {
        const claim = await collector.claim(dispatch_id);
        for (const item of claim?.items ?? []) {
          expect(seen.has(item.file_id)).toBe(false);
          seen.add(item.file_id);
        }
        await collector.stub.report(dispatch_id, claim?.claim ?? "", (claim?.items ?? []).map(imported));
      }
    }
    expect(seen.size).toBe(430);
    expect(await collector.stub.readImport(started.import_id)).toMatchObject({ imported: 430, total: 430 });
  });

  test("a file overwritten between its release and its dispatch is imported once, as the newer version", async () => {
    const { names, collector, entry, hold, task } = newUser();
    await hold(2);
    const { import: started } = await task();
    await collector.stub.accept(names, [entry("ride-0", { overwrite_mode: true, priority: 0 })]);
    await collector.stub.accept(names, [entry("ride-1", { overwrite_mode: true, priority: 1 })]);
    pass(6_000);
    await collector.alarm();
    const items = [];
    for (const { dispatch_id } of await collector.sent()) {
      items.push(...((await collector.claim(dispatch_id))?.items ?? []));
    }
    expect(new Set(items.map((item) => item.summary_id))).toEqual(new Set(["ride-0", "ride-1"]));
    expect(items.map((item) => item.import_id)).toEqual([started.import_id, started.import_id]);
    const next = await task();
    expect(next).toMatchObject({ repeated: false, import: { total: 1 } });
  });

  test("a newer version replaces an older one that is being imported at its release; the older counts as skipped", async () => {
    const { names, collector, entry, hold, task } = newUser();
    await hold(1);
    const first = await task({ event_id: "first" });
    await collector.alarm();
    await collector.stub.accept(names, [entry("ride-0", { overwrite_mode: true, priority: 0 })]);
    const second = await task({ event_id: "second" });
    expect(await collector.stub.readImport(first.import.import_id)).toMatchObject({ skipped: 1, total: 1 });
    expect(await collector.stub.readImport(second.import.import_id)).toMatchObject({ skipped: 0, total: 1 });
    await collector.alarm();
    const sent = await collector.sent();
    const claims = await Promise.all(sent.map(({ dispatch_id }) => collector.claim(dispatch_id)));
    const items = claims.flatMap((claim) => claim?.items ?? []);
    expect(items.map((item) => item.import_id)).toEqual([second.import.import_id]);
  });

  test("the next task counts a repeated priority-0 ping as skipped, once for each file", async () => {
    const { names, collector, entry, hold, task } = newUser();
    await hold(1);
    const { import: started } = await task();
    await collector.stub.accept(names, [
      entry("ride-0", { priority: 0 }),
      entry("ride-0", { priority: 0 }),
      entry("ride-9", { priority: 0 }),
    ]);
    const next = await task();
    expect(next).toMatchObject({ repeated: false, import: { total: 2, skipped: 1 } });
    expect(started.total).toBe(1);
  });

  test("a task that finds nothing held returns the existing import", async () => {
    const { hold, task } = newUser();
    await hold(1);
    const first = await task({ event_id: "e" });
    const again = await task({ event_id: "e" });
    expect(again).toMatchObject({ repeated: true, import: { import_id: first.import.import_id } });
    const other = await task({ event_id: "f" });
    expect(other).toMatchObject({ repeated: false, import: { total: 0, status: "completed" } });
  });

  test("a held file without a task fails after 30 days", async () => {
    const { names, collector, hold } = newUser();
    await hold(1);
    pass(30 * 24 * 60 * 60_000 + 1_000);
    await collector.alarm();
    const row = await databaseOf(names)
      .prepare("SELECT status, error ->> 'code' code FROM files WHERE partner_id = ?")
      .bind(names.partner_id)
      .first();
    expect(row).toEqual({ status: "failed", code: "held_expired" });
  });

  test("of announced imports only the newest 500 stay stored, however many empty tasks arrive; the others all stay", async () => {
    const { collector, task } = newUser();
    const first = await task({ event_id: "event-0" });
    for (let index = 1; index < 510; index += 1) await task({ event_id: `event-${index}` });
    const count = async () =>
      runInDurableObject(collector.stub, (_instance, { storage }) =>
        storage.sql.exec<{ found: number }>("SELECT count(*) found FROM imports").one(),
      );
    expect(await count()).toEqual({ found: 510 });
    await runInDurableObject(collector.stub, (_instance, { storage }) => {
      storage.sql.exec("UPDATE imports SET import = json_set(import, '$.announced', json('true'))");
    });
    await task({ event_id: "event-510" });
    expect(await count()).toEqual({ found: 500 });
    expect(await collector.stub.readImport(first.import.import_id)).toBeNull();
  });
});

describe("outcomes", () => {
  test("a file with a failed attempt is dispatched on RETRY after its delay, and completes its import", async () => {
    const { collector, hold, task } = newUser();
    await hold(1);
    const { import: started } = await task();
    await collector.alarm();
    const dispatchId = await onlySent(collector);
    const claim = await collector.claim(dispatchId);
    const item = claim?.items[0];
    await collector.stub.report(dispatchId, claim?.claim ?? "", [
      {
        result: "try_again",
        file_id: item?.file_id ?? "",
        version: item?.version ?? 0,
        fault: { ...fault, code: "callback_timeout" },
        stored: null,
        origin: "host",
        retry_after_seconds: null,
      },
    ]);
    await collector.alarm();
    expect(await collector.sent()).toHaveLength(0);
    pass(11_000);
    await collector.alarm();
    const [retry] = await collector.sent();
    expect(retry?.queue).toBe("RETRY");
    const second = await collector.claim(retry?.dispatch_id ?? "");
    expect(second?.items[0]).toMatchObject({ attempts: 1, look_first: true });
    expect(second?.items[0]?.revision).toBeGreaterThan(item?.revision ?? 0);
    await collector.stub.report(retry?.dispatch_id ?? "", second?.claim ?? "", [
      { result: "failed", file_id: item?.file_id ?? "", version: item?.version ?? 0, fault, stored: null },
    ]);
    expect(await collector.stub.readImport(started.import_id)).toMatchObject({ failed: 1, total: 1 });
    await collector.alarm();
    const row = await databaseOf(collector.name.split("/")[0] ?? "")
      .prepare("SELECT status, attempts, error ->> 'detail' detail FROM files WHERE file_id = ?")
      .bind(item?.file_id ?? "")
      .first();
    expect(row).toMatchObject({ status: "failed", attempts: 2 });
    expect(row?.["detail"]).toContain("callback_timeout");
  });
});

/** Returns the id of the dispatch with this claim. */
async function idOf(collector: CollectorUnderTest, claim: string | undefined): Promise<string | undefined> {
  const { runInDurableObject } = await import("cloudflare:test");
  return runInDurableObject(
    collector.stub,
    (_instance, state) =>
      state.storage.sql
        .exec<{ dispatch_id: string }>(
          "SELECT dispatch_id FROM dispatches WHERE claim ->> 'claim' = ?",
          claim ?? "",
        )
        .toArray()[0]?.dispatch_id,
  );
}

/** Returns the names of a collector's tables, and its alarm. */
async function stored(collector: CollectorUnderTest): Promise<{ tables: unknown[]; alarm: number | null }> {
  return runInDurableObject(collector.stub, async (_instance, { storage }) => ({
    tables: storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
    alarm: await storage.getAlarm(),
  }));
}

describe("a collector with reads only", () => {
  test("stores nothing and has no alarm, whatever is read", async () => {
    const { names, collector, entry } = newUser();
    const { stub } = collector;
    const live = entry("live");
    const task = { import_id: randomId(), event_id: "e", is_initial_import: true, expected: [live.file_id] };
    expect(await stub.previewPings(names, [live, entry("held", { priority: 0 })])).toEqual([
      "queued",
      "held",
    ]);
    expect(await stub.previewImport(names, task)).toMatchObject({ repeated: false, missing: [0] });
    expect(await stub.readFile(live.file_id)).toBeNull();
    expect(await stub.timeline(live.file_id)).toEqual([]);
    expect(await stub.readImport("none")).toBeNull();
    expect(await stub.namedObjects([{ file_id: live.file_id, object_key: "none" }])).toEqual([]);
    const nothing = { files: 0, retryable_at: null };
    expect(await stub.previewRetry({ file_ids: [live.file_id] }, 1)).toEqual(nothing);
    expect(await stub.previewRetry({ import_id: "none" }, 1)).toEqual(nothing);
    expect(await stub.retry({ file_ids: [live.file_id] }, 1)).toBe(0);
    expect(await stub.retry({ import_id: "none" }, 1)).toBe(0);
    expect(await collector.claim("none")).toBeNull();
    expect(await stub.report("none", "none", [])).toBeNull();
    await stub.abandon("none");
    expect(await stub.newestVersion()).toBe(0);
    expect(await stub.wake()).toBe(false);
    expect(await stored(collector)).toEqual({ tables: [], alarm: null });
  });

  test("accepts pings afterwards as a new collector", async () => {
    const { names, collector, entry, hold } = newUser();
    await collector.stub.previewPings(names, [entry("ride-0", { priority: 0 })]);
    await hold(1);
    expect(await collector.stub.previewPings(names, [entry("ride-0")])).toEqual(["queued"]);
    expect((await stored(collector)).tables).not.toEqual([]);
  });

  test("stores nothing after a failed first turn, and accepts the next ping", async () => {
    const { names, collector, entry } = newUser();
    await runInDurableObject(collector.stub, async (instance, state) => {
      vi.spyOn(state.storage, "setAlarm").mockImplementationOnce(() => {
        throw new Error("no alarm can be set");
      });
      await instance.accept(names, [entry("lost")]).catch(() => undefined);
    });
    expect((await stored(collector)).tables).toEqual([]);
    await collector.stub.accept(names, [entry("live")]);
    expect(await collector.claim(await onlySent(collector))).toMatchObject({
      items: [{ summary_id: "live" }],
    });
  });
});

const NINETY_DAYS = 90 * 24 * 60 * 60_000;

describe("the bound of an erased user", () => {
  test("is deleted after 90 days, with all storage and the alarm", async () => {
    const { collector, hold } = newUser();
    await hold(3);
    pass(1_000);
    const bound = Date.now();
    await collector.stub.erase(bound);
    pass(6_000);
    await collector.alarm();
    expect((await stored(collector)).alarm).toBe(bound + NINETY_DAYS);
    pass(NINETY_DAYS - 7_000);
    await collector.alarm();
    expect((await stored(collector)).tables).not.toEqual([]);
    pass(2_000);
    await collector.alarm();
    expect(await stored(collector)).toEqual({ tables: [], alarm: null });
    await hold(1);
    expect((await stored(collector)).tables).not.toEqual([]);
  });

  test("is deleted after 90 days when the user has new files, which stay", async () => {
    const { names, collector, entry, hold } = newUser();
    await hold(1);
    await collector.stub.erase(Date.now());
    pass(NINETY_DAYS - 1_000);
    await collector.stub.accept(names, [entry("back")]);
    pass(2_000);
    await collector.alarm();
    const left = await runInDurableObject(collector.stub, (_instance, { storage }) => [
      ...storage.sql.exec("SELECT summary_id FROM files"),
      ...storage.sql.exec("SELECT before_version FROM erased"),
    ]);
    expect(left).toEqual([{ summary_id: "back" }]);
  });
});
