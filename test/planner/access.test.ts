import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { deliverDue } from "../../src/deliveries/deliver.ts";
import type { CompletedImport } from "../../src/deliveries/bodies.pure.ts";
import { insertDelivery } from "../../src/deliveries/write.ts";
import type { Env } from "../../src/env.ts";
import { app } from "../../src/http/app.ts";
import { problemSchema } from "../../src/http/problemSchema.ts";
import { randomId, userHash } from "../../src/identifiers.ts";
import { countsOf } from "../../src/imports/counts.pure.ts";
import { newWebhookSecret, partnerKey } from "../../src/partners/partner.ts";
import { sentPlanRequestSchema } from "../../src/planner/planRequest.ts";
import { chargePlanRows, PLAN_ROWS_PER_MINUTE } from "../../src/planner/rowBudget.ts";
import { storedPlanRequest } from "../../src/planner/storedRequest.pure.ts";
import { grantOf, newToken, TOKEN_LIFETIME_MS } from "../../src/planner/token.ts";
import { base64, ping, SOURCE } from "../flows/partnerActs.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";
import { send } from "../support/http.ts";
import { playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { seedImport, UNKNOWN_ID } from "../support/rows.ts";
import { collectorOf, settle } from "../support/world.ts";

const PLANNER = "https://planner.example.com/plans";
const SECRET = newWebhookSecret();
const secretBytes = Buffer.from(SECRET.slice("whsec_".length), "base64");
const world: Env = { ...env, TRAINING_PLAN_URL: PLANNER, TRAINING_PLAN_SECRET: SECRET };

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const document = app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "", version: "" } });
const METHODS = ["get", "post", "put", "patch", "delete"] as const;

/** Imports a ride of the user. Returns the file's id. */
async function rideOf(who: TestPartner, user_id: string): Promise<string> {
  const [file] = await ping(who, { summary_id: "ride", callback_url: base64(rideFile()), user_id });
  await settle(collectorOf(who.partnerId, user_id, SOURCE));
  return file?.file_id ?? "";
}

/** Sends a request to the planner's route, signed with the secret at this time. */
async function askToken(fields: unknown, { secret = SECRET, atMs = Date.now(), sign = true } = {}) {
  const body = typeof fields === "string" ? fields : JSON.stringify(fields);
  const id = randomId();
  const at = new Date(atMs);
  const signature = new Webhook(secret).sign(id, at, body);
  const headers: Record<string, string> = {
    "Content-Length": String(Buffer.byteLength(body)),
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(atMs / 1000)),
    ...(sign ? { "webhook-signature": signature } : {}),
  };
  return app.request("/planner/token/", { method: "POST", headers, body }, world);
}

const accessSchema = z.strictObject({
  base_url: z.string(),
  token: z.string(),
  expires_at: z.iso.datetime(),
});

async function tokenFor(who: TestPartner, user_id: string): Promise<string> {
  const answer = await askToken({ partner_id: who.partnerId, user_id });
  expect(answer.status).toBe(200);
  return accessSchema.parse(await answer.json()).token;
}

async function ask(token: string, path: string, method = "GET", headers: Record<string, string> = {}) {
  const init = { method, headers: { Authorization: `Bearer ${token}`, ...headers } };
  return app.request(path, init, world);
}

async function codeOf(response: Response): Promise<string> {
  return problemSchema.parse(await response.json()).code;
}

/** A file of a user, for the paths of its resources. */
interface UserFile {
  user: string;
  file: string;
}

/** Paths that a planner token reads, by their path in the OpenAPI document. */
const readablePaths = ({ user, file }: UserFile) =>
  new Map([
    ["/api/files/", `/api/files/?user_id=${user}`],
    ["/api/files/{file_id}/", `/api/files/${file}/`],
    ["/api/files/{file_id}/original/", `/api/files/${file}/original/`],
    ["/api/activities/", `/api/activities/?user_id=${user}`],
    ["/api/activities/{activity_id}/", `/api/activities/${file}.0/`],
    ["/api/activities/{activity_id}/streams/", `/api/activities/${file}.0/streams/`],
    ["/api/activities/{activity_id}/rr/", `/api/activities/${file}.0/rr/`],
    ["/api/users/{user_id}/", `/api/users/${user}/`],
    ["/api/users/{user_id}/training/", `/api/users/${user}/training/`],
  ]);

/** Returns a request of each operation in the OpenAPI document that needs a key, about a file of a user. */
function operationsFor(about: UserFile): { method: string; path: string; isReadable: boolean }[] {
  const readable = readablePaths(about);
  const paths = Object.entries(document.paths ?? {}).filter(([path]) => path.startsWith("/api/"));
  expect([...readable.keys()].filter((path) => paths.every(([listed]) => listed !== path))).toEqual([]);
  return paths.flatMap(([path, operations]) =>
    METHODS.filter((method) => operations[method] !== undefined).map((method) => {
      const own = method === "get" ? readable.get(path) : undefined;
      const filled = path
        .replace("{file_id}", about.file)
        .replace("{activity_id}", `${about.file}.0`)
        .replace("{user_id}", about.user)
        .replaceAll(/\{\w+\}/g, UNKNOWN_ID);
      return { method: method.toUpperCase(), path: own ?? filled, isReadable: own !== undefined };
    }),
  );
}

/** Number of networks that requests came from. */
let networks = 0;

/** Sends a request of each operation. Returns the responses that differ from the expected ones. */
async function unexpected(
  token: string,
  about: UserFile,
  expected: { readable: number[]; others: number[] },
): Promise<unknown[]> {
  const wrong: unknown[] = [];
  for (const { method, path, isReadable } of operationsFor(about)) {
    // Failures to authenticate are counted for each network.
    networks += 1;
    const headers = { "CF-Connecting-IP": `10.1.${networks >> 8}.${networks % 256}` };
    const { status } = await ask(token, path, method, headers);
    if (!expected[isReadable ? "readable" : "others"].includes(status)) wrong.push([method, path, status]);
  }
  return wrong;
}

test("A planner token reads its user's files, activities, streams, R-R intervals and training, and no other path", async () => {
  const who = await newPartner();
  const file = await rideOf(who, "user-1");
  const token = await tokenFor(who, "user-1");
  const own = { user: "user-1", file };
  expect(operationsFor(own).length).toBeGreaterThan(30);
  expect(await unexpected(token, own, { readable: [200], others: [403] })).toEqual([]);
  expect(await codeOf(await ask(token, "/api/partner/"))).toBe("insufficient_scope");
});

describe("On every operation, a planner token is rejected", () => {
  const REJECTED = { readable: [403, 404], others: [403] };

  test("for another user of the partner, and for another partner's user", async () => {
    const [who, other] = [await newPartner(), await newPartner()];
    await rideOf(who, "user-1");
    const token = await tokenFor(who, "user-1");
    for (const partner of [who, other]) {
      const foreign = { user: "user-2", file: await rideOf(partner, "user-2") };
      expect(await unexpected(token, foreign, REJECTED)).toEqual([]);
    }
  });

  test("after its 24 hours", async () => {
    const who = await newPartner();
    const own = { user: "user-1", file: await rideOf(who, "user-1") };
    const token = await tokenFor(who, "user-1");
    vi.useFakeTimers({ now: Date.now() + TOKEN_LIFETIME_MS, toFake: ["Date"] });
    expect(await unexpected(token, own, { readable: [401], others: [401] })).toEqual([]);
  });

  test("after the erasure of the user", async () => {
    const who = await newPartner();
    const own = { user: "user-1", file: await rideOf(who, "user-1") };
    const token = await tokenFor(who, "user-1");
    expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
    expect(await unexpected(token, own, { readable: [404], others: [403] })).toEqual([]);
  });

  test("while the partner is suspended, and after the partner's removal", async () => {
    const who = await newPartner();
    const own = { user: "user-1", file: await rideOf(who, "user-1") };
    const token = await tokenFor(who, "user-1");
    await newPartner({ ...who.partner, status: "suspended" });
    expect(await unexpected(token, own, { readable: [403], others: [403] })).toEqual([]);
    await env.PARTNERS.delete(partnerKey(who.partnerId));
    expect(await unexpected(token, own, { readable: [401], others: [401] })).toEqual([]);
  });
});

test("A planner token does not read another user of the partner, nor a list that is not filtered by its user", async () => {
  const who = await newPartner();
  await rideOf(who, "user-1");
  const other = await rideOf(who, "user-2");
  const token = await tokenFor(who, "user-1");
  for (const path of [
    "/api/files/",
    "/api/activities/",
    "/api/files/?user_id=user-2",
    "/api/files/?user_id=user-1&user_id=user-2",
    "/api/files/?user_id=user-2&user_id=user-1",
    "/api/activities/?user_id=user-2",
    "/api/users/user-2/",
    "/api/users/",
    "/api/users/%75ser-2/",
    "/api/users/%/",
  ]) {
    expect([path, (await ask(token, path)).status]).toEqual([path, 403]);
  }
  for (const resource of [
    "/api/files/ID/",
    "/api/files/ID/original/",
    "/api/activities/ID.0/",
    "/api/activities/ID.0/rr/",
  ]) {
    const [foreign, unknown] = await Promise.all(
      [other, UNKNOWN_ID].map(async (id) => {
        const answer = await ask(token, resource.replace("ID", id));
        return { status: answer.status, code: await codeOf(answer) };
      }),
    );
    expect(foreign).toEqual({ status: 404, code: "not_found" });
    expect(foreign).toEqual(unknown);
  }
});

test("A planner token of one partner does not read another partner's user of the same name", async () => {
  const [who, other] = [await newPartner(), await newPartner()];
  await rideOf(who, "user-1");
  const foreign = await rideOf(other, "user-1");
  const token = await tokenFor(who, "user-1");
  expect((await ask(token, `/api/files/${foreign}/`)).status).toBe(404);
  const list = await (await ask(token, "/api/files/?user_id=user-1")).text();
  expect(list).not.toContain(foreign);
  expect(
    (await ask(token, "/api/files/?user_id=user-1", "GET", { "Partner-Id": other.partnerId })).status,
  ).toBe(401);
});

test("A planner token that is changed, signed with another secret, or a day old is rejected", async () => {
  const who = await newPartner();
  await rideOf(who, "user-1");
  const token = await tokenFor(who, "user-1");
  const path = "/api/files/?user_id=user-1";
  const [text = "", signature = ""] = token.split(".");
  const payload = Buffer.from(text.slice("aept_".length), "base64url").toString();
  const forged = `aept_${Buffer.from(payload.replace("user-1", "user-2")).toString("base64url")}.${signature}`;
  const now = Date.now();
  const names = { partner_id: who.partnerId, user_id: "user-1", erased_before: 0 };
  const foreign = newToken(Buffer.alloc(32, 7), { ...names, expires_at: now + 60_000 });
  for (const bad of [forged, text, `${text}.`, `${token}.x`, `${token}x`, foreign, "aept_", "aept_.e"]) {
    expect([bad, (await ask(bad, path)).status]).toEqual([bad, 401]);
  }
  expect((await ask(token, path)).status).toBe(200);
  expect(grantOf(secretBytes, token, now + TOKEN_LIFETIME_MS - 60_000)).toMatchObject({ user_id: "user-1" });
  expect(grantOf(secretBytes, token, Date.now() + TOKEN_LIFETIME_MS)).toBeNull();
});

test("A planner token ends when its user is erased. A token that is issued after the user came back reads only new files", async () => {
  const who = await newPartner();
  const old = await rideOf(who, "user-1");
  const token = await tokenFor(who, "user-1");
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
  for (const path of ["/api/files/?user_id=user-1", `/api/files/${old}/`, "/api/users/user-1/"]) {
    expect([path, (await ask(token, path)).status]).toEqual([path, 404]);
  }
  const [file] = await ping(who, { summary_id: "new", callback_url: base64(rideFile()) });
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  expect((await ask(token, `/api/files/${file?.file_id}/`)).status).toBe(404);
  const renewed = await tokenFor(who, "user-1");
  expect((await ask(renewed, `/api/files/${file?.file_id}/`)).status).toBe(200);
});

test("A planner token ends with an erasure that began before the token was issued and was stored afterwards", async () => {
  const who = await newPartner();
  const file = await rideOf(who, "user-1");
  const beganAt = Date.now() - 1_000;
  const token = await tokenFor(who, "user-1");
  await databaseOf(who)
    .prepare("INSERT INTO erased (partner_id, user_hash, before_version, sweeps_left) VALUES (?, ?, ?, 0)")
    .bind(who.partnerId, userHash(who.partnerId, "user-1"), beganAt)
    .run();
  for (const path of ["/api/files/?user_id=user-1", `/api/files/${file}/`, "/api/users/user-1/training/"]) {
    expect([path, (await ask(token, path)).status]).toEqual([path, 404]);
  }
});

test("A planner token of a suspended partner is rejected", async () => {
  const who = await newPartner();
  await rideOf(who, "user-1");
  const token = await tokenFor(who, "user-1");
  await newPartner({ ...who.partner, status: "suspended" });
  const answer = await ask(token, "/api/files/?user_id=user-1");
  expect([answer.status, await codeOf(answer)]).toEqual([403, "partner_suspended"]);
});

test("The planner's reads do not count against the partner's limit of requests", async () => {
  const who = await newPartner({ limits: { requests_per_minute: 3, files_per_minute: null } });
  await rideOf(who, "user-1");
  const token = await tokenFor(who, "user-1");
  for (let read = 0; read < 3; read += 1) {
    const answer = await ask(token, "/api/files/?user_id=user-1");
    expect([answer.status, answer.headers.get("RateLimit-Policy")]).toEqual([200, '"planner";q=3;w=60']);
  }
  expect((await ask(token, "/api/files/?user_id=user-1")).status).toBe(429);
  expect((await send(who, "GET", "/api/files/")).status).toBe(200);
});

describe("A request for a planner token", () => {
  test("is rejected unless it is signed with the planner's secret within five minutes", async () => {
    const who = await newPartner();
    await rideOf(who, "user-1");
    const names = { partner_id: who.partnerId, user_id: "user-1" };
    expect((await askToken(names)).status).toBe(200);
    expect((await askToken(names, { sign: false })).status).toBe(401);
    expect((await askToken(names, { secret: newWebhookSecret() })).status).toBe(401);
    expect((await askToken(names, { atMs: Date.now() - 6 * 60_000 })).status).toBe(401);
    expect((await askToken(names, { atMs: Date.now() + 6 * 60_000 })).status).toBe(401);
  });

  test("for a user that is unknown or erased gets a 404, and an invalid one a 400 or 413", async () => {
    const who = await newPartner();
    await rideOf(who, "user-1");
    const names = { partner_id: who.partnerId, user_id: "user-1" };
    expect((await askToken({ ...names, user_id: "user-2" })).status).toBe(404);
    expect((await askToken({ ...names, partner_id: "nobody" })).status).toBe(404);
    expect((await askToken({ ...names, more: 1 })).status).toBe(400);
    expect((await askToken("no json")).status).toBe(400);
    expect((await askToken("x".repeat(5_000))).status).toBe(413);
    await send(who, "DELETE", "/api/users/user-1/");
    await vi.waitFor(async () => expect((await askToken(names)).status).toBe(404));
  });

  test("is rejected when no planner is configured", async () => {
    const answer = await app.request("/planner/token/", { method: "POST", body: "{}" }, env);
    expect(answer.status).toBe(404);
  });
});

describe("A plan request", () => {
  /** Stores the plan request of an import of the user. Returns its message. */
  async function storePlan(who: TestPartner) {
    const import_id = await seedImport(
      { partnerId: who.partnerId, userId: "user-1", source: SOURCE },
      { requested_at: Date.now(), completed_at: Date.now() },
    );
    const completed: CompletedImport = {
      partner_id: who.partnerId,
      import_id,
      user_id: "user-1",
      source: SOURCE,
      event_id: null,
      is_initial_import: true,
      status: "completed",
      ...countsOf({ total: 1, imported: 1 }),
    };
    const row = {
      partner_id: who.partnerId,
      delivery_id: `plan_${import_id}`,
      kind: "training_plan" as const,
      type: "training_plan.requested",
      user_id: "user-1",
      import_id,
      body: JSON.stringify(storedPlanRequest(completed, Date.now())),
      status: "pending" as const,
      then_deliver: null,
      next_attempt_at: Date.now(),
      endpoint_id: "ep_none",
    };
    await insertDelivery(databaseOf(who), row).run();
    return { ...ownerOf(who.partnerId), delivery_id: row.delivery_id };
  }

  /** Stores an event that waits for the first attempt of a plan request. Returns a function that reads its status. */
  async function storeEventAfter({ delivery_id }: { delivery_id: string }, who: TestPartner) {
    const db = databaseOf(who);
    const eventId = delivery_id.replace("plan_", "evt_");
    await insertDelivery(db, {
      partner_id: who.partnerId,
      delivery_id: eventId,
      kind: "event",
      type: "bulk_fit_import.completed",
      user_id: "user-1",
      import_id: delivery_id.replace("plan_", ""),
      body: "{}",
      status: "waiting",
      then_deliver: null,
      next_attempt_at: null,
      endpoint_id: "ep_default",
    }).run();
    const ofDelivery = "partner_id = ? AND delivery_id = ?";
    await db
      .prepare(`UPDATE deliveries SET then_deliver = ? WHERE ${ofDelivery}`)
      .bind(eventId, who.partnerId, delivery_id)
      .run();
    return async () =>
      db
        .prepare(`SELECT status FROM deliveries WHERE ${ofDelivery}`)
        .bind(who.partnerId, eventId)
        .first<string>("status");
  }

  async function storedRow(who: TestPartner): Promise<string> {
    const rows = await databaseOf(who)
      .prepare("SELECT * FROM deliveries WHERE partner_id = ?")
      .bind(who.partnerId)
      .all();
    return JSON.stringify(rows.results);
  }

  test("contains a token that reads the user. It is built and signed at each attempt, and no token is stored", async () => {
    const who = await newPartner();
    const file = await rideOf(who, "user-1");
    const outside = playOutside({
      [PLANNER]: () => new Response(null, { status: outside.to(PLANNER).length === 1 ? 503 : 200 }),
    });
    const message = await storePlan(who);
    await deliverDue(world, message);
    await deliverDue(world, message, { now: () => Date.now() + 10_000 });
    const bodies = outside.to(PLANNER).map(({ headers, body }) => {
      new Webhook(SECRET).verify(body, Object.fromEntries(headers));
      return sentPlanRequestSchema.parse(JSON.parse(body));
    });
    expect(bodies).toHaveLength(2);
    const [first, second] = bodies.map(({ data }) => data);
    expect(second?.training).toEqual(
      await (await ask(second?.read.token ?? "", "/api/users/user-1/training/")).json(),
    );
    expect(second?.training).toMatchObject({ user_id: "user-1", activities: 1 });
    expect(first?.read.base_url).toBe("http://api.example.com");
    expect(first?.read.token).not.toBe(second?.read.token);
    expect(first).toMatchObject({ partner_id: who.partnerId, user_id: "user-1", source: SOURCE });
    expect((await ask(second?.read.token ?? "", `/api/files/${file}/`)).status).toBe(200);
    expect(await storedRow(who)).not.toContain("aept_");
    expect(await storedRow(who)).not.toContain(second?.read.token);
  });

  test("leaves no token and no training in D1, the log or the partner's events, also when the planner repeats them", async () => {
    const who = await newPartner();
    await rideOf(who, "user-1");
    const lines: string[] = [];
    for (const channel of ["log", "info", "warn", "error", "debug"] as const) {
      vi.spyOn(console, channel).mockImplementation((...parts: unknown[]) => {
        lines.push(parts.map(String).join(" "));
      });
    }
    const outside = playOutside({
      [PLANNER]: ({ body }) => new Response(body.slice(body.indexOf('"read"')), { status: 400 }),
    });
    await deliverDue(world, await storePlan(who));
    const [sent] = outside.to(PLANNER).map(({ body }) => sentPlanRequestSchema.parse(JSON.parse(body)));
    const token = sent?.data.read.token ?? "";
    expect((await ask(token, "/api/users/user-1/training/")).status).toBe(200);
    expect((await ask(`${token}x`, "/api/users/user-1/training/")).status).toBe(401);
    const events = await (await send(who, "GET", "/api/events/?limit=200")).text();
    const readable = [await storedRow(who), events, ...lines].join("\n");
    expect(readable).toContain('\\"status\\":400');
    expect(lines.join("\n")).toContain("planner");
    for (const secret of ["aept_", token.slice(5, 60), "as_of"]) expect(readable).not.toContain(secret);
  });

  test("is postponed with the event after it when the partner's plan requests have read too many rows, and others' are not", async () => {
    const [who, other] = [await newPartner(), await newPartner()];
    for (const partner of [who, other]) await rideOf(partner, "user-1");
    const outside = playOutside({ [PLANNER]: () => new Response(null, { status: 503 }) });
    const now = () => at;
    const at = Date.now();
    const [first, postponed] = [await storePlan(who), await storePlan(who)];
    const ofOther = await storePlan(other);
    const statusOfEvent = await storeEventAfter(postponed, who);
    // The first request may read one more row, and reads several.
    chargePlanRows(who.partnerId, PLAN_ROWS_PER_MINUTE - 1, at);
    for (const message of [first, postponed, ofOther]) await deliverDue(world, message, { now });
    const sentTo = () =>
      outside.to(PLANNER).map(({ body }) => sentPlanRequestSchema.parse(JSON.parse(body)).data.partner_id);
    expect(sentTo()).toEqual([who.partnerId, other.partnerId]);
    expect(await statusOfEvent()).toBe("waiting");
    await deliverDue(world, postponed, { now: () => at + 11 * 60_000 });
    expect(sentTo()).toEqual([who.partnerId, other.partnerId, who.partnerId]);
    expect(await statusOfEvent()).toBe("pending");
  });

  test("is not sent once the user was erased", async () => {
    const who = await newPartner();
    await rideOf(who, "user-1");
    const message = await storePlan(who);
    const [row] = (
      await databaseOf(who).prepare("SELECT * FROM deliveries WHERE partner_id = ?").bind(who.partnerId).all()
    ).results;
    await send(who, "DELETE", "/api/users/user-1/");
    // As if the consumer had claimed the request before the erasure deleted its row.
    await databaseOf(who)
      .prepare(
        `INSERT OR REPLACE INTO deliveries (partner_id, delivery_id, kind, type, user_id, import_id, body, status, next_attempt_at,
           created_at, updated_at, endpoint_id) VALUES (?, ?, 'training_plan', 'training_plan.requested', 'user-1', ?, ?, 'pending', ?, 0, 0, 'ep_none')`,
      )
      .bind(who.partnerId, message.delivery_id, row?.["import_id"], row?.["body"], Date.now())
      .run();
    const outside = playOutside({ [PLANNER]: () => new Response("ok") });
    await deliverDue(world, message);
    expect(outside.to(PLANNER)).toHaveLength(0);
  });
});
