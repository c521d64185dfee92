import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { DAY_MS, REQUESTS_STORED_AFTER_MS, USAGE_DAYS } from "../../src/contract/limits.ts";
import { wholeInvocation } from "../../src/database/databases.ts";
import { dateOf, dayOf } from "../../src/contract/days.ts";
import { countRequest, storeRequests } from "../../src/usage/requestCounts.ts";
import { sweepUsageDays } from "../../src/usage/sweep.ts";
import { base64, ping, read, SOURCE, task } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";
import { problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, settle } from "../support/world.ts";
import { guardsItself } from "../http/strangers.ts";

guardsItself("reading the usage of days", {
  method: "GET",
  paths: () => Promise.resolve({ path: "/api/usage/", unknown: null }),
});

const TODAY = dateOf(dayOf(Date.now()));
const NONE = {
  files: { imported: 0, failed: 0, deleted: 0 },
  stored_bytes: 0,
  requests: { status_2xx: 0, status_4xx: 0, status_429: 0, status_5xx: 0 },
  deliveries: { delivered: 0, failed: 0 },
};

async function today(who: TestPartner) {
  const { data } = await read(who, `/api/usage/?from=${TODAY}&to=${TODAY}`);
  return Array.isArray(data) ? (data[0] as typeof NONE) : null;
}

const settleUser = async (who: TestPartner) => settle(collectorOf(who.partnerId, "user-1", SOURCE));

/** Makes everything that was counted today a day older. */
async function endDay(who: TestPartner) {
  await databaseOf(who).batch(
    ["partner_usage", "usage_days"].map((table) =>
      databaseOf(who).prepare(`UPDATE ${table} SET day = day - 1 WHERE partner_id = ?`).bind(who.partnerId),
    ),
  );
}

test("a day has numbers of files by outcome, stored bytes, requests by status and deliveries", async () => {
  const who = await newPartner();
  const ride = rideFile();
  await ping(
    who,
    { summary_id: "a", callback_url: base64(ride) },
    { summary_id: "b", callback_url: base64(ride), priority: 0 },
    { summary_id: "c", callback_url: base64(ride.slice(0, 20)) },
  );
  await settleUser(who);
  await task(who);
  await settleUser(who);
  // The same ping again is a duplicate.
  await ping(who, { summary_id: "a", callback_url: base64(ride) });
  await settleUser(who);
  await problemOf(await send(who, "GET", "/api/files/unknown/"), 404, "not_found");
  const [file] = (await read(who, "/api/files/?status=imported"))["data"] as { file_id: string }[];
  expect((await send(who, "DELETE", `/api/files/${file?.file_id ?? ""}/`)).status).toBe(202);
  await settleUser(who);
  await storeRequests(env, who.partnerId);
  expect(await today(who)).toEqual({
    day: TODAY,
    files: { imported: 2, failed: 1, deleted: 1 },
    stored_bytes: 2 * ride.byteLength + 20,
    // Two requests with pings, a task, a list and a deletion.
    requests: { status_2xx: 5, status_4xx: 1, status_429: 0, status_5xx: 0 },
    deliveries: NONE.deliveries,
  });
});

test("attempts to deliver events are counted, test events are not", async () => {
  const who = await newPartner();
  const attempt = async (deliveryId: string, type: string, status: string, attempts: number) => {
    const database = databaseOf(who);
    await database.batch([
      database
        .prepare(
          `INSERT INTO deliveries (partner_id, delivery_id, kind, type, body, status, created_at, updated_at)
           VALUES (?1, ?2, 'event', ?3, '{}', 'pending', ?4, ?4) ON CONFLICT DO NOTHING`,
        )
        .bind(who.partnerId, deliveryId, type, Date.now()),
      database
        .prepare(
          `UPDATE deliveries SET status = ?3, attempt_count = ?4, updated_at = ?5 WHERE partner_id = ?1 AND delivery_id = ?2`,
        )
        .bind(who.partnerId, deliveryId, status, attempts, Date.now()),
    ]);
  };
  await attempt("evt_1", "outcomes.reported", "pending", 1);
  await attempt("evt_1", "outcomes.reported", "pending", 2);
  await attempt("evt_1", "outcomes.reported", "delivered", 3);
  await attempt("evt_1", "outcomes.reported", "pending", 3);
  await attempt("evt_2", "test.ping", "delivered", 1);
  expect((await today(who))?.deliveries).toEqual({ delivered: 1, failed: 2 });
});

test("each day has its own numbers, and days without any are listed", async () => {
  const who = await newPartner();
  const ride = rideFile();
  await ping(who, { summary_id: "a", callback_url: base64(ride) });
  await settleUser(who);
  await endDay(who);
  await endDay(who);
  await ping(
    who,
    { summary_id: "b", callback_url: base64(ride) },
    { summary_id: "c", callback_url: base64(ride) },
  );
  await settleUser(who);
  const { data } = await read(who, "/api/usage/");
  const days = data as (typeof NONE & { day: string })[];
  expect(days).toHaveLength(30);
  expect(days.slice(-3).map(({ day, files, stored_bytes }) => [day, files.imported, stored_bytes])).toEqual([
    [dateOf(dayOf(Date.now()) - 2), 1, ride.byteLength],
    [dateOf(dayOf(Date.now()) - 1), 0, 0],
    [TODAY, 2, 2 * ride.byteLength],
  ]);
  expect(days[0]).toEqual({ day: dateOf(dayOf(Date.now()) - 29), ...NONE });
});

test("an edit of an imported file does not count as an import", async () => {
  const who = await newPartner();
  await ping(who, { summary_id: "a", callback_url: base64(rideFile()) });
  await settleUser(who);
  const [file] = (await read(who, "/api/files/"))["data"] as { file_id: string }[];
  const edited = await send(who, "PATCH", `/api/files/${file?.file_id ?? ""}/`, {
    body: { activity_name: "Sunday ride" },
  });
  expect(edited.status).toBe(200);
  await settleUser(who);
  expect((await today(who))?.files).toEqual({ imported: 1, failed: 0, deleted: 0 });
});

test("a later request stores the counts of an invocation that ended before it stored them", async () => {
  const { partnerId } = await newPartner();
  const partner = { partner_id: partnerId, database: "DB" };
  const overdueMs = 2 * REQUESTS_STORED_AFTER_MS;
  expect(countRequest(partner, 200, 0)).toBe(true);
  expect(countRequest(partner, 200, overdueMs - 1)).toBe(false);
  expect(countRequest(partner, 200, overdueMs)).toBe(true);
  expect(countRequest(partner, 200, overdueMs + 1)).toBe(false);
});

test("requests of a suspended partner are not counted", async () => {
  const who = await newPartner({ status: "suspended" });
  await problemOf(await send(who, "GET", "/api/files/"), 403, "partner_suspended");
  await storeRequests(env, who.partnerId);
  const row = await databaseOf(who)
    .prepare("SELECT 1 FROM usage_days WHERE partner_id = ?")
    .bind(who.partnerId)
    .first();
  expect(row).toBeNull();
});

test("a partner sees only its own usage", async () => {
  const one = await newPartner();
  const other = await newPartner();
  await ping(one, { summary_id: "a", callback_url: base64(rideFile()) });
  await settleUser(one);
  expect(await today(other)).toMatchObject({ files: NONE.files, stored_bytes: 0 });
});

test.each([
  ["a time", "from=2026-11-01T00:00:00Z", "/from"],
  ["a day that does not exist", "to=2026-02-30", "/to"],
  ["a range that ends before it starts", "from=2026-11-02&to=2026-11-01", "/from"],
  ["more than 400 days", "from=2020-01-01&to=2026-11-01", "/from"],
  ["an impossible day", "to=0000-00-00", "/to"],
  ["a day before 1970", "to=0000-01-01", "/to"],
])("rejects %s", async (_what, query, pointer) => {
  const who = await newPartner();
  const refused = await problemOf(await send(who, "GET", `/api/usage/?${query}`), 400, "validation_failed");
  expect(refused.errors?.map((fault) => fault.pointer)).toEqual([pointer]);
});

test("days in the future, and days older than the last 400, are omitted", async () => {
  const who = await newPartner();
  expect(await read(who, "/api/usage/?from=9999-01-01&to=9999-12-31")).toMatchObject({ data: [] });
  expect(await read(who, "/api/usage/?from=2001-01-01&to=2001-12-31")).toMatchObject({ data: [] });
});

test("days are deleted after 400 days", async () => {
  const who = await newPartner();
  const nowMs = Date.now();
  const first = dayOf(nowMs) - USAGE_DAYS + 1;
  await databaseOf(who).batch(
    [first - 1, first].map((day) =>
      databaseOf(who)
        .prepare("INSERT INTO usage_days (partner_id, day, imported) VALUES (?, ?, 1)")
        .bind(who.partnerId, day),
    ),
  );
  await sweepUsageDays(env, nowMs, wholeInvocation());
  const { results } = await databaseOf(who)
    .prepare("SELECT day FROM usage_days WHERE partner_id = ?")
    .bind(who.partnerId)
    .all();
  expect(results).toEqual([{ day: first }]);
  expect(first * DAY_MS).toBeLessThan(nowMs);
});
