import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { ROUTE_LENGTH, userHash, userRoute } from "../../src/identifiers.ts";
import { send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, project } from "../support/world.ts";
import { base64, HOST, ping, read, SOURCE, type PingFields } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const ROUNDS = 60;
const ROUNDS_OF_VARIANT = 20;
/** How far a collector's clock may be ahead of the erasure's clock. */
const AHEAD_MS = 5_000;

/** Returns all stored data of a user, in D1, R2 and the collector. */
async function traces({ partnerId }: TestPartner, userId: string): Promise<string[]> {
  const found: string[] = [];
  for (const table of ["files", "users", "user_sources", "imports"]) {
    const { results } = await databaseOf(partnerId)
      .prepare(`SELECT 1 FROM ${table} WHERE partner_id = ? AND user_id = ?`)
      .bind(partnerId, userId)
      .all();
    found.push(...results.map(() => table));
  }
  const activities = await databaseOf(partnerId)
    .prepare("SELECT 1 FROM activities WHERE partner_id = ? AND substr(file_id, 1, ?) = ?")
    .bind(partnerId, ROUTE_LENGTH, userRoute(partnerId, userId))
    .all();
  found.push(...activities.results.map(() => "activities"));
  const collector = collectorOf(partnerId, userId, SOURCE);
  const inline = await env.FILES.list({ prefix: "inline/" });
  const versions = await env.FILES.list({ prefix: `${partnerId}/${userHash(partnerId, userId)}/` });
  found.push(...inline.objects.map(({ key }) => key).filter((key) => key.includes(collector.name)));
  found.push(...versions.objects.map(({ key }) => key));
  const rows = await runInDurableObject(collector.stub, (_instance, { storage }) =>
    ["files", "identity", "dispatches", "outbox"].flatMap((table) =>
      storage.sql
        .exec(`SELECT 1 FROM ${table}`)
        .toArray()
        .map(() => `collector's ${table}`),
    ),
  );
  return [...found, ...rows];
}

/** Four kinds of first pings, in turn. */
function firstPing(round: number): PingFields {
  const summary_id = `ride-${round}`;
  const priority = round % 2 === 0 ? 0 : 1;
  return round % 4 < 2
    ? { summary_id, priority, callback_url: `${HOST}/${round}` }
    : { summary_id, priority, callback_url: base64(rideFile()) };
}

test.each([
  ["", { rounds: ROUNDS, ahead: false, killed: false }],
  [", with a clock ahead of the erasure's", { rounds: ROUNDS_OF_VARIANT, ahead: true, killed: false }],
  [", with its collector evicted in between", { rounds: ROUNDS_OF_VARIANT, ahead: false, killed: true }],
])(
  "An erasure right after the response to a first ping covers it%s, and the same ping afterwards is a new one",
  async (_name, { rounds, ahead, killed }) => {
    const who = await newPartner();
    if (ahead) vi.useFakeTimers({ toFake: ["Date"] });
    for (let round = 0; round < rounds; round += 1) {
      const user_id = `user-${round}`;
      const first = { ...firstPing(round), user_id };
      await ping(who, first);
      if (killed) await evictDurableObject(collectorOf(who.partnerId, user_id, SOURCE).stub);
      if (ahead) vi.setSystemTime(Date.now() - AHEAD_MS);
      const deleted = await send(who, "DELETE", `/api/users/${user_id}/`);
      expect({ round, status: deleted.status }).toEqual({ round, status: 202 });
      // An alarm between the erasure and the next ping restores nothing.
      if (round % 3 === 0) await project(who, [{ user_id, source: SOURCE }]);
      const left = await traces(who, user_id);
      expect({ round, left }).toEqual({ round, left: [] });
      const [again] = await ping(who, first);
      expect({ round, status: again?.status }).toEqual({
        round,
        status: first.priority === 0 ? "held" : "queued",
      });
      await project(who, [{ user_id, source: SOURCE }]);
      const row = await databaseOf(who)
        .prepare("SELECT status FROM files WHERE partner_id = ? AND user_id = ?")
        .bind(who.partnerId, user_id)
        .first();
      expect({ round, row }).toEqual({ round, row: { status: again?.status } });
    }
  },
  300_000,
);

test("An erasure of a user with an unlisted source erases everything or returns that the user is unknown", async () => {
  const who = await newPartner();
  for (let round = 0; round < ROUNDS_OF_VARIANT; round += 1) {
    const user_id = `user-${round}`;
    const first = { ...firstPing(round), user_id };
    const missed = vi
      .spyOn(databaseOf(who), "batch")
      .mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
    await ping(who, first);
    missed.mockRestore();
    // A listed source makes the user known. Then the other collector finds the erasure by itself.
    const isKnown = round % 2 === 0;
    if (isKnown) await ping(who, { ...firstPing(round), user_id, source: "phone" });
    const { status } = await send(who, "DELETE", `/api/users/${user_id}/`);
    // The collector's alarm may have listed it meanwhile.
    expect([202, isKnown ? 202 : 404]).toContain(status);
    const [again] = await ping(who, first);
    const expected = first.priority === 0 ? "held" : "queued";
    // After an erasure it is a new ping; without one it is a repeat.
    expect({ round, status: again?.status }).toEqual({
      round,
      status: status === 202 || first.priority === 0 ? expected : "duplicate",
    });
    await project(who, [{ user_id, source: SOURCE }]);
    const rows = await databaseOf(who)
      .prepare("SELECT status FROM files WHERE partner_id = ? AND user_id = ?")
      .bind(who.partnerId, user_id)
      .all();
    expect({ round, rows: rows.results }).toEqual({ round, rows: [{ status: expected }] });
    expect((await send(who, "DELETE", `/api/users/${user_id}/`)).status).toBe(202);
    const left = await traces(who, user_id);
    expect({ round, left }).toEqual({ round, left: [] });
  }
}, 300_000);

/** Returns a collector with an unlisted source, of a user with another, listed source who is erased. */
async function unfoundByErasure(first: PingFields) {
  const who = await newPartner();
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(Date.now() + 60 * 60_000);
  const missed = vi.spyOn(databaseOf(who), "batch").mockRejectedValueOnce(new Error("D1_ERROR: overloaded"));
  await ping(who, first);
  missed.mockRestore();
  await ping(who, { ...first, source: "phone" });
  vi.setSystemTime(Date.now() + 1_000);
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
  vi.setSystemTime(Date.now() + 1_000);
  return { who, collector };
}

test("A ping that is repeated after its collector failed to apply an erasure is a new one, and stays", async () => {
  const first = { summary_id: "1", priority: 0, callback_url: `${HOST}/1` } as const;
  const { who, collector } = await unfoundByErasure(first);
  const prepare = databaseOf(who).prepare.bind(databaseOf(who));
  const down = vi.spyOn(databaseOf(who), "prepare").mockImplementation((sql) => {
    if (sql.includes("UPDATE erased SET user_id")) throw new Error("D1_ERROR: overloaded");
    return prepare(sql);
  });
  await collector.alarm();
  down.mockRestore();
  expect(await ping(who, first)).toMatchObject([{ status: "held" }]);
  await project(who, [{ user_id: "user-1", source: SOURCE }]);
  await project(who, [{ user_id: "user-1", source: SOURCE }]);
  expect(await read(who, "/api/files/")).toMatchObject({ data: [{ source: SOURCE, status: "held" }] });
});

test("A new ping stays, beside a ping in the same request that repeats an erased one", async () => {
  const first = { summary_id: "1", callback_url: `${HOST}/1` } as const;
  const { who } = await unfoundByErasure(first);
  const second = { summary_id: "2", callback_url: `${HOST}/2` } as const;
  expect(await ping(who, first, second)).toMatchObject([{ status: "queued" }, { status: "queued" }]);
});
