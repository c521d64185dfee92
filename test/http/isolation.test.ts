import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { app } from "../../src/http/app.ts";
import { send } from "../support/http.ts";
import { once, playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { UNKNOWN_ID } from "../support/rows.ts";
import { collectorOf, settle } from "../support/world.ts";
import { base64, HOST, ping, RECEIVER, SOURCE, task } from "../flows/partnerActs.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const document = app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "", version: "" } });
const METHODS = ["get", "head", "post", "put", "patch", "delete"] as const;

async function endpointOf(owner: TestPartner): Promise<string> {
  const created = await send(owner, "POST", "/api/endpoints/", { body: { url: RECEIVER } });
  return z.object({ endpoint_id: z.string() }).parse(await created.json()).endpoint_id;
}

async function keyOf(owner: TestPartner): Promise<string> {
  const created = await send(owner, "POST", "/api/keys/", { body: {} });
  return z.object({ key_id: z.string() }).parse(await created.json()).key_id;
}

/** Returns a valid body for a request with one. */
function bodyFor(path: string, method: string): { body?: unknown } {
  if (method !== "patch" && method !== "post") return {};
  if (method === "patch") return { body: EDITS.get(path) ?? { on_hold: true } };
  if (path.endsWith("/recover/")) return { body: { since: "2026-01-01T00:00:00Z" } };
  return path.endsWith("/rotate_secret/") ? { body: {} } : {};
}
/** A valid edit by path. */
const EDITS = new Map([
  ["/api/files/{file_id}/", { activity_name: "Renamed" }],
  ["/api/activities/{activity_id}/", { sport: "running" }],
]);

/** Creates one resource of each kind. Returns its id and an unknown id by parameter name. */
async function propertyOf(owner: TestPartner): Promise<Map<string, { owned: string; unknown: string }>> {
  playOutside({ [`${HOST}/1`]: once(rideFile()), [`${HOST}/2`]: () => new Response(null, { status: 404 }) });
  const [file, failed] = await ping(
    owner,
    { summary_id: "1", callback_url: `${HOST}/1`, priority: 0 },
    { summary_id: "2", callback_url: `${HOST}/2`, priority: 0 },
    { summary_id: "3", callback_url: base64(rideFile()), priority: 0 },
  );
  const started = await task(owner, {
    event_id: "e",
    is_initial_import: true,
    expected_summary_ids: ["none"],
  });
  await settle(collectorOf(owner.partnerId, "user-1", SOURCE));
  return new Map([
    ["file_id", { owned: failed?.file_id ?? "", unknown: UNKNOWN_ID }],
    ["activity_id", { owned: `${file?.file_id}.0`, unknown: `${UNKNOWN_ID}.0` }],
    ["import_id", { owned: started.import_id, unknown: UNKNOWN_ID }],
    ["event_id", { owned: "e", unknown: "f" }],
    ["id", { owned: `evt_${started.import_id}`, unknown: `evt_${UNKNOWN_ID}` }],
    ["endpoint_id", { owned: await endpointOf(owner), unknown: "ep_unknown" }],
    ["key_id", { owned: await keyOf(owner), unknown: UNKNOWN_ID }],
    ["user_id", { owned: "user-1", unknown: "user-2" }],
    ["source", { owned: SOURCE, unknown: "nothing" }],
  ]);
}

/** Returns all parts of a response that could differ between two resources. */
async function comparablePartsOf(response: Response): Promise<unknown> {
  const text = await response.text();
  const headers = Object.fromEntries([...response.headers].filter(([name]) => name !== "x-request-id"));
  return [response.status, headers, text.replace(/"request_id":"[^"]*"/, "")];
}

const pathsWith = (query: RegExp) => Object.keys(document.paths ?? {}).filter((path) => query.test(path));

/** Returns all lists of the owner. */
async function viewOf(owner: TestPartner): Promise<string[]> {
  const lists = pathsWith(/^\/api\/[a-z]+\/$/).filter((path) => document.paths?.[path]?.get !== undefined);
  return Promise.all(lists.map(async (path) => (await send(owner, "GET", path)).text()));
}

test("every request for another partner's ids gets the response for unknown ids, and changes nothing", async () => {
  const owner = await newPartner({ event_url: RECEIVER });
  const other = await newPartner({ event_url: RECEIVER });
  const ids = await propertyOf(owner);
  const before = await viewOf(owner);
  let asked = 0;
  for (const path of pathsWith(/\{/)) {
    const name = /\{(\w+)\}/.exec(path)?.[1] ?? "";
    const id = ids.get(name);
    if (id === undefined) throw new Error(`say what a ${name} is, for ${path}`);
    for (const method of METHODS) {
      const ask = async (value: string) =>
        comparablePartsOf(
          await send(other, method.toUpperCase(), path.replace(`{${name}}`, value), bodyFor(path, method)),
        );
      const foreign = await ask(id.owned);
      expect([method, path, foreign]).toEqual([method, path, await ask(id.unknown)]);
      if (document.paths?.[path]?.[method === "head" ? "get" : method] === undefined) continue;
      expect([method, path, foreign]).toEqual([method, path, [404, expect.anything(), expect.anything()]]);
      asked += 1;
    }
  }
  expect(asked).toBeGreaterThanOrEqual(20);
  expect(await viewOf(owner)).toEqual(before);
  for (const path of pathsWith(/\{\w+\}\/$/)) {
    const name = /\{(\w+)\}/.exec(path)?.[1] ?? "";
    if (document.paths?.[path]?.get === undefined) continue;
    const own = await send(owner, "GET", path.replace(`{${name}}`, ids.get(name)?.owned ?? ""));
    expect([path, own.status]).toEqual([path, 200]);
  }
});

test("lists filtered by another partner's names are empty, as for unknown names", async () => {
  const owner = await newPartner();
  const other = await newPartner();
  const ids = await propertyOf(owner);
  for (const path of pathsWith(/^\/api\/[a-z]+\/$/)) {
    for (const parameter of document.paths?.[path]?.get?.parameters ?? []) {
      if ("$ref" in parameter) throw new Error("parameters are written in place");
      const id = ids.get(parameter.name);
      if (id === undefined) continue;
      const narrowed = async (who: TestPartner, value: string) =>
        comparablePartsOf(await send(who, "GET", `${path}?${parameter.name}=${encodeURIComponent(value)}`));
      const foreign = await narrowed(other, id.owned);
      expect([path, parameter.name, foreign]).toEqual([
        path,
        parameter.name,
        await narrowed(other, id.unknown),
      ]);
      expect(await narrowed(owner, id.owned)).not.toEqual(foreign);
    }
  }
});

test("a cursor of another partner's list is rejected like an invented one", async () => {
  const owner = await newPartner();
  const other = await newPartner();
  await propertyOf(owner);
  const first: unknown = await (await send(owner, "GET", "/api/files/?limit=1")).json();
  const cursor =
    typeof first === "object" && first !== null && "next_cursor" in first ? String(first.next_cursor) : "";
  expect((await send(owner, "GET", `/api/files/?limit=1&cursor=${cursor}`)).status).toBe(200);
  const foreign = await comparablePartsOf(await send(other, "GET", `/api/files/?limit=1&cursor=${cursor}`));
  expect(foreign).toEqual(
    await comparablePartsOf(await send(other, "GET", "/api/files/?limit=1&cursor=madeup")),
  );
});

test("equal names and idempotency keys of two partners are independent", async () => {
  const owner = await newPartner();
  const other = await newPartner();
  await propertyOf(owner);
  const before = await viewOf(owner);
  await ping(other, { summary_id: "1", callback_url: base64(rideFile()), overwrite_mode: true });
  await task(other, { event_id: "e", is_initial_import: true });
  expect((await send(other, "DELETE", "/api/users/user-1/")).status).toBe(202);
  expect(await viewOf(owner)).toEqual(before);
});
