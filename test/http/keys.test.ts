import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { MAX_CALLBACK_HOSTS, MAX_KEYS, MAX_ORDERED_SOURCES } from "../../src/contract/limits.ts";
import { app } from "../../src/http/app.ts";
import { digestOf, newAuthKey, partnerKey, type Key } from "../../src/partners/partner.ts";
import { changePartner } from "../../src/partners/change.ts";
import { newKey } from "../../src/partners/rotate.ts";
import { partnerStores } from "../../src/partners/stores.ts";
import { read } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";
import { problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { guardsItself } from "./strangers.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const createdSchema = z.looseObject({ key_id: z.string(), auth_key: z.string(), in_force_at: z.string() });

async function create(who: Pick<TestPartner, "headers">, body: object = {}) {
  const response = await send(who, "POST", "/api/keys/", { body });
  expect(response.status).toBe(201);
  return createdSchema.parse(await response.json());
}

const withKey = (who: TestPartner, authKey: string): TestPartner => ({
  ...who,
  authKey,
  headers: { ...who.headers, Authorization: `Bearer ${authKey}` },
});

const remove = async (who: Pick<TestPartner, "headers">, keyId: string) =>
  send(who, "DELETE", `/api/keys/${keyId}/`);

/** Returns a partner with a key that only reads. */
async function withReader(settings: Parameters<typeof newPartner>[0] = {}) {
  const readKey = newAuthKey();
  const full = newAuthKey();
  const keys: Key[] = [newKey(full, {}, new Date()), newKey(readKey, { scope: "read" }, new Date())];
  const who = withKey(await newPartner({ ...settings, keys }), full);
  return { who, reader: withKey(who, readKey), keys };
}

guardsItself("creating a key", {
  method: "POST",
  body: {},
  paths: () => Promise.resolve({ path: "/api/keys/", unknown: null }),
});
guardsItself("deleting a key", {
  method: "DELETE",
  paths: async (owner) => {
    const [key] = owner.partner.keys;
    return { path: `/api/keys/${key?.key_id ?? ""}/`, unknown: "/api/keys/key_unknown/" };
  },
});
guardsItself("changing the settings", {
  method: "PATCH",
  body: { prefetch_held: true },
  paths: () => Promise.resolve({ path: "/api/partner/", unknown: null }),
});

test("a created key is shown once, works, and is listed with its label, scope and end", async () => {
  const who = await newPartner();
  const expires_at = new Date(Date.now() + 3_600_000).toISOString();
  const { auth_key, in_force_at, ...key } = await create(who, { label: "Zürich", scope: "read", expires_at });
  expect(key).toEqual({
    key_id: key.key_id,
    label: "Zürich",
    scope: "read",
    created_at: key["created_at"],
    expires_at,
  });
  expect(Date.parse(in_force_at)).toBeGreaterThan(Date.now() + 60_000);
  expect(await read(withKey(who, auth_key), "/api/partner/")).toMatchObject({
    keys: [{ label: null, scope: "full", expires_at: null }, key],
  });
  const stored = `${await env.PARTNERS.get(partnerKey(who.partnerId))}${JSON.stringify(
    await databaseOf(who).prepare("SELECT * FROM partner_settings").all(),
  )}`;
  expect(stored).toContain(digestOf(auth_key));
  expect(stored).not.toContain(auth_key);
});

test("two rotations by requests at once lose nothing", async () => {
  const who = await newPartner();
  const [first] = who.partner.keys;
  const created = await Promise.all([create(who, { label: "a" }), create(who, { label: "b" })]);
  for (const { auth_key } of created) await read(withKey(who, auth_key), "/api/partner/");
  const [a, b] = created;
  const deletions = await Promise.all([
    remove(withKey(who, a?.auth_key ?? ""), first?.key_id ?? ""),
    create(withKey(who, b?.auth_key ?? ""), { label: "c" }),
  ]);
  expect(deletions[0]?.status).toBe(200);
  const settings = z
    .looseObject({ keys: z.array(z.looseObject({ label: z.string().nullable() })) })
    .parse(await read(withKey(who, a?.auth_key ?? ""), "/api/partner/"));
  expect(settings.keys.map(({ label }) => label).sort((x, y) => (x ?? "").localeCompare(y ?? ""))).toEqual([
    "a",
    "b",
    "c",
  ]);
  await problemOf(await send(who, "GET", "/api/partner/"), 401, "unauthorized");
});

test("the last key of the scope full cannot be deleted, also by two deletions at once", async () => {
  const { who, reader, keys } = await withReader();
  const [full] = keys;
  await problemOf(await remove(who, full?.key_id ?? ""), 409, "last_key");
  const second = await create(who);
  const other = withKey(who, second.auth_key);
  const statuses = await Promise.all([
    remove(who, second.key_id).then(({ status }) => status),
    remove(other, full?.key_id ?? "").then(({ status }) => status),
  ]);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  const { keys: left } = z
    .looseObject({ keys: z.array(z.looseObject({ scope: z.string() })) })
    .parse(await read(reader, "/api/partner/"));
  expect(new Set(left.map(({ scope }) => scope))).toEqual(new Set(["full", "read"]));
  expect(left).toHaveLength(2);
});

test("an eleventh valid key is rejected, and ended keys do not count", async () => {
  const authKey = newAuthKey();
  const ended = new Date(Date.now() - 1).toISOString();
  const keys = Array.from({ length: MAX_KEYS }, () =>
    newKey(newAuthKey(), { expires_at: ended }, new Date()),
  );
  const who = withKey(await newPartner({ keys: [newKey(authKey, {}, new Date()), ...keys] }), authKey);
  for (let count = 1; count < MAX_KEYS; count += 1) await create(who);
  await problemOf(await send(who, "POST", "/api/keys/", { body: {} }), 409, "too_many_keys");
});

test.each([
  ["an end in the past", { expires_at: "2020-01-01T00:00:00Z" }, "/expires_at"],
  ["an end in the distant future", { expires_at: "9999-01-01T00:00:00Z" }, "/expires_at"],
  ["an end that is no time", { expires_at: "tomorrow" }, "/expires_at"],
  ["an unknown scope", { scope: "write" }, "/scope"],
  ["an empty label", { label: "" }, "/label"],
  ["a label with a control character", { label: "a\u0000" }, "/label"],
  ["an unknown field", { key: "mine" }, "/key"],
])("a key with %s is rejected, and none is created", async (_what, body, pointer) => {
  const who = await newPartner();
  const refused = await problemOf(await send(who, "POST", "/api/keys/", { body }), 400, "validation_failed");
  expect(refused.errors?.map((fault) => fault.pointer)).toEqual([pointer]);
  expect(await env.PARTNERS.get(partnerKey(who.partnerId))).toBe(JSON.stringify(who.partner));
});

test("a key that was just deleted cannot create another one, although KV still has it", async () => {
  const { who, keys } = await withReader();
  const second = await create(who);
  const old = await env.PARTNERS.get(partnerKey(who.partnerId));
  expect((await remove(withKey(who, second.auth_key), keys[0]?.key_id ?? "")).status).toBe(200);
  await env.PARTNERS.put(partnerKey(who.partnerId), old ?? "");
  expect((await send(who, "GET", "/api/partner/")).status).toBe(200);
  await problemOf(await send(who, "POST", "/api/keys/", { body: {} }), 401, "unauthorized");
  const patched = await send(who, "PATCH", "/api/partner/", { body: { prefetch_held: true } });
  await problemOf(patched, 401, "unauthorized");
});

const ENDPOINT_CHANGES: [string, string, object?][] = [
  ["POST", "/api/endpoints/", { url: "https://hooks.example.com/" }],
  ["PATCH", "/api/endpoints/ep_default/", { url: "https://hooks.example.com/" }],
  ["DELETE", "/api/endpoints/ep_default/"],
  ["POST", "/api/endpoints/ep_default/rotate_secret/", {}],
  ["POST", "/api/endpoints/ep_default/recover/", { since: "2026-11-25T00:00:00Z" }],
];

test.each([
  ["a key that was just deleted", { revoke: true }, 401, "unauthorized"],
  ["a key of a partner that was just locked", { self_service_locked: true }, 403, "self_service_locked"],
  ["a key of a partner that was just suspended", { status: "suspended" as const }, 403, "partner_suspended"],
])("%s changes no endpoint, although KV has the older settings", async (_who, change, status, code) => {
  const { who, keys } = await withReader({ event_url: "https://events.example.com/" });
  const { revoke, ...settings } = { revoke: false, ...change };
  const stores = { ...partnerStores(env, who.partner), publish: () => Promise.resolve() };
  await changePartner(stores, who.partner, (newest) => ({
    ok: true,
    partner: {
      ...newest,
      ...settings,
      keys: revoke ? newest.keys.filter((key) => key.key_id !== keys[0]?.key_id) : newest.keys,
    },
  }));
  const before = await read(who, "/api/endpoints/");
  for (const [method, path, body] of ENDPOINT_CHANGES) {
    const refused = await send(who, method, path, body === undefined ? {} : { body });
    await problemOf(refused, status, code);
  }
  expect(await read(who, "/api/endpoints/")).toEqual(before);
});

/** Operations of the OpenAPI document under /api/, so that no test forgets a new route. */
const operations = (() => {
  const documentShape = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });
  const { paths } = documentShape.parse(
    app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "", version: "" } }),
  );
  return Object.entries(paths).flatMap(([path, item]) =>
    path.startsWith("/api/") ? Object.keys(item).map((method) => [method.toUpperCase(), path] as const) : [],
  );
})();

test("the OpenAPI document has every route under /api/", () => {
  const routes = app.routes.filter(({ method, path }) => method !== "ALL" && path.startsWith("/api/"));
  const documented = operations.map(([method, path]) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`);
  expect(new Set(routes.map(({ method, path }) => `${method} ${path}`))).toEqual(new Set(documented));
});

describe("a key of the scope read", () => {
  const writing = operations.filter(([method, path]) => method !== "GET" && path !== "/api/fit/inspect/");

  test("has writing routes to test", () => {
    expect(writing.length).toBeGreaterThan(15);
  });

  test.each(writing)("gets read_only_key from %s %s", async (method, path) => {
    const { reader } = await withReader();
    const address = path.replaceAll(/\{\w+\}/g, "x");
    const body = method === "DELETE" ? {} : { body: {} };
    await problemOf(await send(reader, method, address, body), 403, "read_only_key");
    await problemOf(await send(reader, method, address.slice(0, -1), body), 403, "read_only_key");
  });

  test.each(operations.filter(([method]) => method === "GET"))(
    "is not rejected by %s %s",
    async (method, path) => {
      const { reader } = await withReader();
      const response = await send(reader, method, path.replaceAll(/\{\w+\}/g, "x"));
      expect([200, 400, 404]).toContain(response.status);
    },
  );

  test("inspects a file, which stores nothing", async () => {
    const { reader } = await withReader();
    const response = await send(reader, "POST", "/api/fit/inspect/", {
      raw: "not a file",
      headers: { "Content-Type": "application/octet-stream" },
    });
    await problemOf(response, 422, "not_fit");
  });
});

describe("a locked partner", () => {
  const SELF_SERVICE = ["/api/keys/", "/api/endpoints/", "/api/partner/"];
  const changes = operations.filter(
    ([method, path]) => method !== "GET" && SELF_SERVICE.some((own) => path.startsWith(own)),
  );

  test("has self-service routes to test", () => {
    expect(changes.length).toBeGreaterThan(7);
  });

  test.each(changes)("gets self_service_locked from %s %s", async (method, path) => {
    const who = await newPartner({ self_service_locked: true });
    const address = path.replaceAll(/\{\w+\}/g, "x");
    const body = method === "DELETE" ? {} : { body: {} };
    await problemOf(await send(who, method, address, body), 403, "self_service_locked");
    await problemOf(await send(who, method, address.slice(0, -1), body), 403, "self_service_locked");
  });

  test("changes nothing with valid requests, reads and pings", async () => {
    const { who, keys } = await withReader({ self_service_locked: true });
    const valid: [string, string, object?][] = [
      ["POST", "/api/keys/", {}],
      ["DELETE", `/api/keys/${keys[1]?.key_id ?? ""}/`],
      ["PATCH", "/api/partner/", { prefetch_held: true }],
      ...ENDPOINT_CHANGES,
    ];
    for (const [method, path, body] of valid) {
      const refused = await send(who, method, path, body === undefined ? {} : { body });
      await problemOf(refused, 403, "self_service_locked");
    }
    expect(await env.PARTNERS.get(partnerKey(who.partnerId))).toBe(JSON.stringify(who.partner));
    expect(await read(who, "/api/partner/")).toMatchObject({ self_service_locked: true });
    const pinged = await send(who, "POST", "/api/fit_partner_ping/", { body: { activity_files: [] } });
    expect(pinged.status).not.toBe(403);
  });
});

test("a partner changes its hosts, its order of sources and prefetch_held, and nothing else", async () => {
  const who = await newPartner({ name: "Acme" });
  const response = await send(who, "PATCH", "/api/partner/", {
    body: { callback_hosts: ["Files.Example.com"], source_order: ["watch", "phone"] },
  });
  expect(response.status).toBe(200);
  const changed = {
    callback_hosts: ["files.example.com"],
    source_order: ["watch", "phone"],
    prefetch_held: false,
  };
  expect(await response.json()).toMatchObject({ ...changed, name: "Acme" });
  await send(who, "PATCH", "/api/partner/", { body: { prefetch_held: true } });
  expect(await read(who, "/api/partner/")).toMatchObject({ ...changed, prefetch_held: true });
});

test.each([
  ["no field", {}],
  ["a name", { name: "Mine" }],
  ["limits", { limits: { requests_per_minute: null, files_per_minute: null } }],
  ["a host with a path", { callback_hosts: ["files.example.com/a"] }],
  ["a host with a port", { callback_hosts: ["files.example.com:8443"] }],
  ["a host with a user", { callback_hosts: ["me@files.example.com"] }],
  ["an empty host", { callback_hosts: [""] }],
  ["a host twice", { callback_hosts: ["a.example.com", "A.example.com"] }],
  [
    "too many hosts",
    { callback_hosts: Array.from({ length: MAX_CALLBACK_HOSTS + 1 }, (_, n) => `h${n}.example.com`) },
  ],
  ["a source twice", { source_order: ["watch", "watch"] }],
  ["too many sources", { source_order: Array.from({ length: MAX_ORDERED_SOURCES + 1 }, (_, n) => `s${n}`) }],
  ["a number for prefetch_held", { prefetch_held: 1 }],
])("a change of the settings with %s is rejected, and nothing changes", async (_what, body) => {
  const who = await newPartner();
  await problemOf(await send(who, "PATCH", "/api/partner/", { body }), 400, "validation_failed");
  expect(await env.PARTNERS.get(partnerKey(who.partnerId))).toBe(JSON.stringify(who.partner));
});

test("a URL in place of a callback host is rejected with advice to send a host name", async () => {
  const who = await newPartner();
  const body = { callback_hosts: ["https://files.example.com/"] };
  const refused = await problemOf(
    await send(who, "PATCH", "/api/partner/", { body }),
    400,
    "validation_failed",
  );
  expect(refused.errors).toEqual([
    expect.objectContaining({
      pointer: "/callback_hosts/0",
      detail: "Send a host name such as `files.example.com`, without scheme, port or path.",
    }),
  ]);
});

test("each change is logged with the id of the key that made it, and without the new key", async () => {
  const who = await newPartner();
  const logged = vi.spyOn(console, "log").mockImplementation(() => {});
  const { key_id, auth_key } = await create(who, { label: "secret name" });
  await send(who, "PATCH", "/api/partner/", { body: { prefetch_held: true } });
  await remove(who, key_id);
  await remove(who, "key_unknown");
  const lines = logged.mock.calls.map(([line]) => String(line));
  const changes = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ unit }) => unit === "request");
  const own = who.partner.keys[0]?.key_id;
  expect(changes.map(({ key_id, change, changed_id }) => [key_id, change, changed_id])).toEqual([
    [own, "key_created", key_id],
    [own, "settings_changed", undefined],
    [own, "key_deleted", key_id],
    [own, undefined, undefined],
  ]);
  expect(lines.join()).not.toContain(auth_key);
  expect(lines.join()).not.toContain("secret name");
});
