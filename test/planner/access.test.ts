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
import { newWebhookSecret } from "../../src/partners/partner.ts";
import { sentPlanRequestSchema } from "../../src/planner/planRequest.ts";
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

test("A planner token reads its user's files, activities, streams, R-R intervals and training, and no other path", async () => {
  const who = await newPartner();
  const file = await rideOf(who, "user-1");
  const token = await tokenFor(who, "user-1");
  const readable = new Map([
    ["/api/files/", "/api/files/?user_id=user-1"],
    ["/api/files/{file_id}/", `/api/files/${file}/`],
    ["/api/files/{file_id}/original/", `/api/files/${file}/original/`],
    ["/api/activities/", "/api/activities/?user_id=user-1"],
    ["/api/activities/{activity_id}/", `/api/activities/${file}.0/`],
    ["/api/activities/{activity_id}/streams/", `/api/activities/${file}.0/streams/`],
    ["/api/activities/{activity_id}/rr/", `/api/activities/${file}.0/rr/`],
    ["/api/users/{user_id}/", "/api/users/user-1/"],
    ["/api/users/{user_id}/training/", "/api/users/user-1/training/"],
  ]);
  const paths = Object.keys(document.paths ?? {}).filter((path) => path.startsWith("/api/"));
  for (const path of paths) {
    for (const method of METHODS) {
      if (document.paths?.[path]?.[method] === undefined) continue;
      const own = method === "get" ? readable.get(path) : undefined;
      const filled = path
        .replace("{file_id}", file)
        .replace("{activity_id}", `${file}.0`)
        .replace("{user_id}", "user-1");
      const answer = await ask(token, own ?? filled.replaceAll(/\{\w+\}/g, UNKNOWN_ID), method.toUpperCase());
      expect([method, path, answer.status]).toEqual([method, path, own === undefined ? 403 : 200]);
      if (own === undefined) expect(await codeOf(answer)).toBe("insufficient_scope");
    }
  }
  expect([...readable.keys()].filter((path) => !paths.includes(path))).toEqual([]);
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

  test("is not sent after the user was erased", async () => {
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
