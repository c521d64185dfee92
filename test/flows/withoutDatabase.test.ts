import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { once, playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverDispatch, project, settle } from "../support/world.ts";
import { base64, HOST, ping, read, SOURCE, task, type PingFields } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const HOUR = 60 * 60_000;

/** Sets the clock an hour ahead of the one that runs alarms, so that no alarm runs by itself. */
function stopAlarms(): void {
  const now = Date.now();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now + HOUR);
}

const held = (name: string): PingFields => ({
  summary_id: name,
  callback_url: `${HOST}/${name}`,
  priority: 0,
});
const live = (name: string): PingFields => ({ summary_id: name, callback_url: `${HOST}/${name}` });

/** Records calls of the database in order: the SQL of each statement, or the joined SQL of each batch. */
function watchDatabase(who: TestPartner): string[] {
  const calls: string[] = [];
  const sqlOf = (statement: D1PreparedStatement) =>
    "statement" in statement ? String(statement.statement) : "";
  const batch = databaseOf(who).batch.bind(databaseOf(who));
  vi.spyOn(databaseOf(who), "batch").mockImplementation(async <T>(statements: D1PreparedStatement[]) => {
    calls.push(statements.map(sqlOf).join(";\n"));
    return batch<T>(statements);
  });
  const prototype: D1PreparedStatement = Object.getPrototypeOf(databaseOf(who).prepare("SELECT 1"));
  for (const method of ["first", "run", "all", "raw"] as const) {
    const original: unknown = Reflect.get(prototype, method);
    if (typeof original !== "function") throw new Error(method);
    vi.spyOn(prototype, method).mockImplementation(function (this: D1PreparedStatement, ...args: unknown[]) {
      calls.push(sqlOf(this));
      return Reflect.apply(original, this, args);
    });
  }
  return calls;
}

const statuses = async (who: TestPartner): Promise<Record<string, unknown>> => {
  const page = await read(who, "/api/files/?limit=200");
  const rows = page["data"];
  if (!Array.isArray(rows)) throw new Error("a page has rows");
  return Object.fromEntries(
    rows.map((row: Record<string, unknown>) => [
      `${String(row["source"])}/${String(row["summary_id"])}`,
      row["status"],
    ]),
  );
};

describe("the response to a ping", () => {
  test("waits for one call of the database at the first ping of a user and source, and for none afterwards", async () => {
    const who = await newPartner();
    stopAlarms();
    const calls = watchDatabase(who);
    await ping(who, held("1"), { ...held("2"), source: "phone" }, { ...held("3"), user_id: "user-2" });
    expect(calls.map((sql) => sql.includes("INTO user_sources"))).toEqual([true, true, true]);
    calls.length = 0;
    await ping(who, held("1"), held("4"), { ...live("5"), source: "phone" });
    await ping(
      who,
      { ...live("6"), user_id: "user-2" },
      { summary_id: "7", callback_url: base64(rideFile()) },
    );
    expect(calls).toEqual([]);
  });

  test("does not wait for a database that is down, not even at the first ping", async () => {
    const who = await newPartner();
    stopAlarms();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const down = vi.spyOn(databaseOf(who), "batch").mockImplementation(() => {
      throw new Error("D1_ERROR: overloaded");
    });
    const names = Array.from({ length: 40 }, (_, index) => `ride-${index}`);
    for (const name of names) {
      const [file] = await ping(who, Number(name.slice(5)) % 2 === 0 ? held(name) : live(name));
      expect(file?.status).not.toBe("duplicate");
    }
    await collector.alarm();
    expect(await statuses(who)).toEqual({});
    down.mockRestore();
    // Pings that were accepted meanwhile survive an eviction.
    await evictDurableObject(collector.stub);
    await collector.alarm();
    const expected = names.map((name, index) => [`${SOURCE}/${name}`, index % 2 === 0 ? "held" : "queued"]);
    expect(await statuses(who)).toEqual(Object.fromEntries(expected));
    const calls = watchDatabase(who);
    await ping(who, held("later"));
    expect(calls).toEqual([]);
  });

  test("waits only shortly for a database that never responds", async () => {
    const who = await newPartner();
    stopAlarms();
    await ping(who, held("known"));
    const hanging = vi.spyOn(databaseOf(who), "batch").mockImplementation(() => new Promise(() => undefined));
    await ping(who, held("known-too"));
    expect(hanging).not.toHaveBeenCalled();
    await ping(who, { ...held("first"), source: "phone" });
    expect(hanging).toHaveBeenCalledTimes(1);
    hanging.mockRestore();
    await project(who, [
      { user_id: "user-1", source: SOURCE },
      { user_id: "user-1", source: "phone" },
    ]);
    expect(await statuses(who)).toEqual({
      [`${SOURCE}/known`]: "held",
      [`${SOURCE}/known-too`]: "held",
      "phone/first": "held",
    });
  });

  test("waits for one call of the database when the first pings of a new user are concurrent", async () => {
    const who = await newPartner();
    stopAlarms();
    const calls = watchDatabase(who);
    await Promise.all(Array.from({ length: 8 }, (_, index) => ping(who, held(`${index}`))));
    await ping(who, held("8"));
    expect(calls.map((sql) => sql.includes("INTO user_sources"))).toEqual([true]);
  });

  test("waits once for a database that never responds, not at each ping", async () => {
    const who = await newPartner();
    stopAlarms();
    const hanging = vi
      .spyOn(databaseOf(who), "batch")
      .mockImplementation(async () => new Promise(() => undefined));
    await ping(who, held("1"));
    await ping(who, held("2"));
    expect(hanging).toHaveBeenCalledOnce();
    hanging.mockRestore();
    await project(who, [{ user_id: "user-1", source: SOURCE }]);
    expect(Object.keys(await statuses(who))).toHaveLength(2);
  });

  test("does not wait for an alarm that waits for the database", async () => {
    const who = await newPartner();
    stopAlarms();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    await ping(who, held("1"));
    const database = { isDown: true };
    const hanging = vi.spyOn(databaseOf(who), "batch").mockImplementation(async () => {
      // In the alarm's own invocation, because another invocation cannot end its wait.
      while (database.isDown) await new Promise((resolve) => setTimeout(resolve, 5));
      throw new Error("D1_ERROR: Network connection lost.");
    });
    const alarm = collector.alarm();
    await vi.waitFor(() => expect(hanging).toHaveBeenCalled());
    await ping(who, held("2"));
    hanging.mockRestore();
    database.isDown = false;
    await alarm;
    await collector.alarm();
    expect(await statuses(who)).toEqual({ [`${SOURCE}/1`]: "held", [`${SOURCE}/2`]: "held" });
  });
});

describe("the alarm", () => {
  test("writes all changes in one call: files, the user, the progress of imports", async () => {
    const who = await newPartner();
    stopAlarms();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    for (const name of ["1", "2", "3"]) await ping(who, held(name));
    await task(who);
    await ping(who, held("4"), live("5"));
    await ping(who, held("4"));
    const calls = watchDatabase(who);
    await collector.alarm();
    expect(calls).toHaveLength(1);
    for (const table of ["files", "users", "imports", "file_batches"]) {
      expect(calls[0]).toContain(`INTO ${table}`);
    }
    expect(await statuses(who)).toEqual({
      ...Object.fromEntries(["1", "2", "3", "5"].map((name) => [`${SOURCE}/${name}`, "queued"])),
      [`${SOURCE}/4`]: "held",
    });
    calls.length = 0;
    await collector.alarm();
    expect(calls).toEqual([]);
  });

  test("skips a live ride that is imported already: its file is written once", async () => {
    const who = await newPartner();
    stopAlarms();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    playOutside({ [`${HOST}/1`]: once(rideFile()) });
    await ping(who, live("1"));
    const calls = watchDatabase(who);
    for (const { dispatch_id } of await collector.sent()) await deliverDispatch(collector, dispatch_id);
    await collector.alarm();
    expect(calls.filter((sql) => sql.includes("INTO files"))).toHaveLength(1);
    expect(await statuses(who)).toEqual({ [`${SOURCE}/1`]: "imported" });
  });

  test("projects a live ride that waits in its queue once, also when its claim expires meanwhile", async () => {
    const who = await newPartner();
    stopAlarms();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    await ping(who, live("1"));
    const [sent] = await collector.sent();
    const down = vi.spyOn(databaseOf(who), "batch").mockRejectedValue(new Error("D1_ERROR: overloaded"));
    await collector.claim(sent?.dispatch_id ?? "");
    await collector.alarm();
    vi.setSystemTime(Date.now() + 61_000);
    await collector.alarm();
    down.mockRestore();
    await collector.alarm();
    expect(await statuses(who)).toEqual({ [`${SOURCE}/1`]: "queued" });
    const calls = watchDatabase(who);
    await collector.alarm();
    expect(calls).toEqual([]);
  });

  test("records the last ping of a user, also when it is a repeat", async () => {
    const who = await newPartner();
    stopAlarms();
    const pinged = await ping(who, held("1"));
    await project(who, pinged);
    vi.setSystemTime(Date.now() + 60_000);
    const now = Date.now();
    await ping(who, held("1"));
    await project(who, pinged);
    expect(await read(who, "/api/users/user-1/")).toMatchObject({
      last_ping_at: new Date(now).toISOString(),
    });
  });

  test("writes few billed rows: a request with held files costs one entry, a live ride none", async () => {
    const who = await newPartner();
    stopAlarms();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    await ping(who, held("first"));
    await collector.alarm();
    const outbox = async () =>
      runInDurableObject(collector.stub, (_instance, { storage }) =>
        storage.sql.exec("SELECT entry FROM outbox").toArray(),
      );
    await ping(who, live("1"));
    expect(await outbox()).toHaveLength(0);
    await ping(who, ...Array.from({ length: 50 }, (_, index) => held(`held-${index}`)));
    expect(await outbox()).toHaveLength(1);
    const alarmsSet = await runInDurableObject(collector.stub, async (_instance, { storage }) => {
      const set = vi.spyOn(storage, "setAlarm");
      return set;
    });
    await ping(who, held("2"));
    await ping(who, live("3"));
    expect(alarmsSet).not.toHaveBeenCalled();
  });
});

test("A history that is pinged, released and imported during short database failures is completely readable", async () => {
  const who = await newPartner();
  const names = Array.from({ length: 60 }, (_, index) => `ride-${index}`);
  playOutside(Object.fromEntries(names.map((name) => [`${HOST}/${name}`, () => new Response(rideFile())])));
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const batch = databaseOf(who).batch.bind(databaseOf(who));
  let calls = 0;
  const failing = vi
    .spyOn(databaseOf(who), "batch")
    .mockImplementation(async <T>(statements: D1PreparedStatement[]) => {
      calls += 1;
      if (calls % 2 === 1) throw new Error("D1_ERROR: overloaded");
      return batch<T>(statements);
    });
  for (let start = 0; start < 60; start += 10) await ping(who, ...names.slice(start, start + 10).map(held));
  await task(who);
  await collector.alarm();
  failing.mockRestore();
  await collector.alarm();
  await settle(collector);
  const found = Object.values(await statuses(who));
  expect(found).toHaveLength(60);
  expect(new Set(found)).toEqual(new Set(["imported"]));
});
