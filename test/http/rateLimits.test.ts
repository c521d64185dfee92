import { gzipSync } from "node:zlib";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { app } from "../../src/http/app.ts";
import { BYTES_PER_REQUEST } from "../../src/http/rateLimit.ts";
import { newAuthKey } from "../../src/partners/partner.ts";
import { problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { seedActivity, seedFile } from "../support/rows.ts";
import { project } from "../support/world.ts";
import { HOST, pingOf, SOURCE } from "../flows/partnerActs.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Parses a structured-fields list of strings with integer parameters (draft-ietf-httpapi-ratelimit-headers). */
function fieldOf(response: Response, name: string): Record<string, Record<string, number>> {
  const field = response.headers.get(name) ?? "";
  return Object.fromEntries(
    field.split(", ").map((item) => {
      expect(item).toMatch(/^"[a-z]+"(;[a-z]+=\d+)+$/);
      const [policy = "", ...parameters] = item.split(";");
      return [
        policy.slice(1, -1),
        Object.fromEntries(parameters.map((pair) => [pair.split("=")[0], Number(pair.split("=")[1])])),
      ];
    }),
  );
}

const limited = (requests_per_minute: number | null, files_per_minute: number | null) =>
  newPartner({ limits: { requests_per_minute, files_per_minute } });

const post = (who: TestPartner, ...names: string[]) =>
  send(who, "POST", "/api/fit_partner_ping/", {
    body: {
      activity_files: names.map((summary_id) =>
        pingOf({ summary_id, callback_url: `${HOST}/f`, priority: 0 }),
      ),
    },
  });

function stopTheClock() {
  const now = Date.now();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(now);
  return (seconds: number) => vi.setSystemTime(now + seconds * 1000);
}

describe("a partner's limits", () => {
  test("are shown on every response, with separate limits for reads and writes", async () => {
    const who = await limited(60, 1_000);
    stopTheClock();
    const first = await post(who, "a", "b", "c");
    expect(fieldOf(first, "RateLimit-Policy")).toEqual({
      intake: { q: 60, w: 60 },
      files: { q: 1_000, w: 60 },
    });
    expect(fieldOf(first, "RateLimit")).toEqual({ intake: { r: 59, t: 1 }, files: { r: 997, t: 1 } });
    const second = await send(who, "GET", "/api/files/");
    expect(fieldOf(second, "RateLimit-Policy")).toEqual({ read: { q: 60, w: 60 } });
    expect(fieldOf(second, "RateLimit")).toEqual({ read: { r: 59, t: 1 } });
    const refused = await send(who, "GET", "/api/files/?limit=0");
    expect(fieldOf(refused, "RateLimit")).toEqual({ read: { r: 58, t: 2 } });
    expect(refused.status).toBe(400);
  });

  test("end in a 429, and a request after Retry-After succeeds", async () => {
    const who = await limited(3, null);
    const pass = stopTheClock();
    for (let request = 0; request < 3; request += 1)
      expect((await send(who, "GET", "/api/files/")).status).toBe(200);
    const refused = await send(who, "GET", "/api/files/");
    await problemOf(refused, 429, "rate_limited");
    expect(fieldOf(refused, "RateLimit")).toEqual({ read: { r: 0, t: 60 } });
    expect(refused.headers.get("Retry-After")).toBe("20");
    expect((await post(who, "still-taken")).status).toBe(202);
    pass(19);
    expect((await send(who, "GET", "/api/files/")).status).toBe(429);
    pass(20);
    expect((await send(who, "GET", "/api/files/")).status).toBe(200);
  });

  test("count files: a request over the limit is rejected as a whole, and accepted as a whole later", async () => {
    const who = await limited(null, 4);
    const pass = stopTheClock();
    expect((await post(who, "a", "b", "c")).status).toBe(202);
    const refused = await post(who, "d", "e");
    await problemOf(refused, 429, "rate_limited");
    expect(refused.headers.get("Retry-After")).toBe("15");
    expect(fieldOf(refused, "RateLimit")).toEqual({ files: { r: 1, t: 45 } });
    expect((await post(who, "d")).status).toBe(202);
    pass(60);
    expect((await post(who, "1", "2", "3", "4", "5", "6")).status).toBe(202);
    expect((await post(who, "7")).status).toBe(429);
    await project(who, [{ user_id: "user-1", source: SOURCE }]);
    const listed = await (await send(who, "GET", "/api/files/")).json();
    expect(listed).toMatchObject({ data: { length: 10 } });
  });

  test("do not affect other partners", async () => {
    const who = await limited(1, null);
    const other = await limited(1, null);
    expect((await send(who, "GET", "/api/files/")).status).toBe(200);
    expect((await send(who, "GET", "/api/files/")).status).toBe(429);
    expect((await send(other, "GET", "/api/files/")).status).toBe(200);
  });

  test("may be null: then no headers are sent, and only the platform's limit applies", async () => {
    const who = await limited(null, null);
    const ceiling = vi.spyOn(env.REQUEST_CEILING, "limit");
    for (const response of [await post(who, "a"), await send(who, "GET", "/api/files/")]) {
      expect(response.headers.get("RateLimit")).toBeNull();
      expect(response.headers.get("RateLimit-Policy")).toBeNull();
    }
    expect(ceiling.mock.calls).toEqual([[{ key: who.partnerId }], [{ key: who.partnerId }]]);
    ceiling.mockResolvedValue({ success: false });
    await problemOf(await send(who, "GET", "/api/files/"), 429, "rate_limited");
  });

  test("cannot exceed the platform's limit, which counts over all isolates", async () => {
    const who = await limited(6_000, null);
    const ceiling = vi.spyOn(env.REQUEST_CEILING, "limit").mockResolvedValue({ success: false });
    const refused = await send(who, "GET", "/api/files/");
    await problemOf(refused, 429, "rate_limited");
    expect(refused.headers.get("Retry-After")).toBe("60");
    expect(ceiling).toHaveBeenCalledWith({ key: who.partnerId });
  });
});

describe("large requests", () => {
  const TYPE = { "Content-Type": "application/octet-stream" };
  const declaring = (who: TestPartner, bytes: number) => ({
    ...who.headers,
    ...TYPE,
    "Content-Length": String(bytes),
  });
  const inspect = async (who: TestPartner, body: Uint8Array<ArrayBuffer> | ReadableStream, query = "") => {
    const headers =
      body instanceof ReadableStream ? { ...who.headers, ...TYPE } : declaring(who, body.byteLength);
    return app.request(`/api/fit/inspect/${query}`, { method: "POST", headers, body }, env);
  };
  const parts = (bytes: number) => Math.ceil(bytes / BYTES_PER_REQUEST);

  test("count as a request for each part of the body, with or without a declared length", async () => {
    const who = await limited(100, null);
    stopTheClock();
    const small = await inspect(who, rideFile());
    expect(fieldOf(small, "RateLimit")).toMatchObject({ intake: { r: 99 } });
    const file = rideFile({ seconds: 5_000, paddingBytes: 235 });
    expect(parts(file.byteLength)).toBeGreaterThan(3);
    const large = await inspect(who, file);
    expect(large.status).toBe(200);
    expect(fieldOf(large, "RateLimit")).toMatchObject({ intake: { r: 99 - parts(file.byteLength) } });
    const chunked = await inspect(who, new Blob([file]).stream());
    expect(fieldOf(chunked, "RateLimit")).toMatchObject({ intake: { r: 99 - 2 * parts(file.byteLength) } });
  });

  test("count by the unpacked size of an archive, also of one that contains no FIT file or is broken", async () => {
    const file = rideFile({ seconds: 5_000, paddingBytes: 235 });
    const packed = new Uint8Array(gzipSync(file));
    expect(parts(packed.byteLength)).toBe(1);
    const text = new Uint8Array(gzipSync(new Uint8Array(file.byteLength)));
    const broken = packed.slice();
    broken.fill(0, packed.byteLength - 8, packed.byteLength - 4);
    stopTheClock();
    for (const [body, status] of [
      [packed, 200],
      [text, 422],
      [broken, 422],
    ] as const) {
      for (const sent of [body, new Blob([body]).stream()]) {
        const who = await limited(100, null);
        const response = await inspect(who, sent);
        expect(response.status).toBe(status);
        expect(fieldOf(response, "RateLimit")).toMatchObject({ intake: { r: 100 - parts(file.byteLength) } });
      }
    }
  });

  test.each(["", "streams/?resolution=1", "rr/"])(
    "count by the size of the file that an activity is decoded from, however small the response is: %s",
    async (part) => {
      const file = rideFile({ seconds: 5_000, paddingBytes: 235 });
      const who = await limited(100, null);
      const object_key = `${who.partnerId}/packed`;
      await env.FILES.put(object_key, gzipSync(file));
      const names = { partnerId: who.partnerId, userId: "user-1", source: SOURCE, summaryId: "packed" };
      await seedFile(names, { object_key, activity_count: 1 });
      const id = await seedActivity(names);
      stopTheClock();
      const response = await send(who, "GET", `/api/activities/${id}/${part}`);
      expect(response.status).toBe(200);
      expect(fieldOf(response, "RateLimit")).toMatchObject({ read: { r: 100 - parts(file.byteLength) } });
    },
  );

  test("are rejected before they are read if too few tokens are left, and accepted after Retry-After", async () => {
    const file = rideFile({ seconds: 5_000, paddingBytes: 235 });
    const who = await limited(parts(file.byteLength) + 2, null);
    const pass = stopTheClock();
    expect((await inspect(who, file)).status).toBe(200);
    const unread = new ReadableStream(
      { pull: () => expect.unreachable("the body is read") },
      { highWaterMark: 0 },
    );
    const refused = await app.request(
      "/api/fit/inspect/",
      { method: "POST", headers: declaring(who, file.byteLength), body: unread },
      env,
    );
    await problemOf(refused, 429, "rate_limited");
    pass(Number(refused.headers.get("Retry-After")));
    expect((await inspect(who, file)).status).toBe(200);
  });

  test("that exceed the limit of one minute are accepted, and later requests wait longer", async () => {
    const file = rideFile({ seconds: 5_000, paddingBytes: 235 });
    const who = await limited(2, null);
    const pass = stopTheClock();
    expect((await inspect(who, file)).status).toBe(200);
    pass(60);
    const refused = await inspect(who, rideFile());
    await problemOf(refused, 429, "rate_limited");
    expect(fieldOf(refused, "RateLimit")).toMatchObject({ intake: { r: 0 } });
  });

  test("count as a request for each part of a response with streams", async () => {
    const who = await limited(100, null);
    stopTheClock();
    const file = rideFile({ seconds: 20_000 });
    const response = await inspect(who, file, "?streams=true");
    const bytes = (await response.clone().arrayBuffer()).byteLength;
    expect(parts(bytes)).toBeGreaterThan(1);
    const spent = parts(file.byteLength) + parts(bytes) - 1;
    expect(fieldOf(response, "RateLimit")).toMatchObject({ intake: { r: 100 - spent } });
    await response.arrayBuffer();
  });
});

describe("failed authentications", () => {
  const from = (address: string, headers: Record<string, string>) =>
    send({ headers }, "GET", "/api/users/", { headers: { "CF-Connecting-IP": address } });
  const wrongKey = (who: TestPartner) => ({ ...who.headers, Authorization: `Bearer ${newAuthKey()}` });

  test("are limited by partner id and network, with Retry-After", async () => {
    const who = await newPartner();
    const pass = stopTheClock();
    const codes: number[] = [];
    for (let guess = 0; guess < 70; guess += 1) codes.push((await from("203.0.113.7", wrongKey(who))).status);
    expect(codes).toEqual([...Array<number>(60).fill(401), ...Array<number>(10).fill(429)]);
    const refused = await from("203.0.113.7", wrongKey(who));
    expect(refused.headers.get("Retry-After")).toBe("1");
    await problemOf(refused, 429, "rate_limited");
    expect((await from("203.0.113.8", wrongKey(who))).status).toBe(401);
    expect((await from("203.0.113.7", wrongKey(await newPartner()))).status).toBe(401);
    pass(1);
    expect((await from("203.0.113.7", wrongKey(who))).status).toBe(401);
  });

  test("do not lock a partner out: a valid key works from every network, also from an attacker's", async () => {
    const who = await newPartner();
    stopTheClock();
    for (let guess = 0; guess < 65; guess += 1) await from("203.0.113.7", wrongKey(who));
    expect((await from("198.51.100.1", who.headers)).status).toBe(200);
    expect((await from("203.0.113.7", who.headers)).status).toBe(200);
    expect((await from("203.0.113.7", wrongKey(who))).status).toBe(429);
  });

  test("are limited in the same way for unknown partners and without a partner id", async () => {
    stopTheClock();
    for (const headers of [{ "Partner-Id": "nobody-at-all", Authorization: "Bearer x" }, {}]) {
      const codes: number[] = [];
      for (let guess = 0; guess < 62; guess += 1) codes.push((await from("203.0.113.9", headers)).status);
      expect(codes.slice(59)).toEqual([401, 429, 429]);
    }
  });

  test("with many partner ids from one network read the registry a limited number of times", async () => {
    const who = await newPartner();
    expect((await from("2001:db8:7::1", who.headers)).status).toBe(200);
    const other = await newPartner();
    stopTheClock();
    const registryReads = vi.spyOn(env.PARTNERS, "get");
    const codes: number[] = [];
    for (let guess = 0; guess < 400; guess += 1) {
      const headers = { "Partner-Id": `nobody-${guess}`, Authorization: "Bearer x" };
      codes.push((await from(`2001:db8:7::${guess.toString(16)}`, headers)).status);
    }
    expect(codes).toEqual([...Array<number>(300).fill(401), ...Array<number>(100).fill(429)]);
    expect(registryReads).toHaveBeenCalledTimes(300);

    // An active partner's key still works from that network and from every other.
    expect((await from("2001:db8:7::2", who.headers)).status).toBe(200);
    expect(registryReads).toHaveBeenCalledTimes(300);
    expect((await from("2001:db8:7:1::2", other.headers)).status).toBe(200);
  });

  test("over the limit do not read the registry, and a valid key still works", async () => {
    const who = await newPartner();
    stopTheClock();
    for (let guess = 0; guess < 60; guess += 1) await from("203.0.113.20", wrongKey(who));
    const registryReads = vi.spyOn(env.PARTNERS, "get");
    for (let guess = 0; guess < 10; guess += 1) {
      expect((await from("203.0.113.20", wrongKey(who))).status).toBe(429);
    }
    expect((await from("203.0.113.20", who.headers)).status).toBe(200);
    expect(registryReads).not.toHaveBeenCalled();
  });
});
