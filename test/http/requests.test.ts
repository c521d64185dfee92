import { gzipSync } from "node:zlib";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MIGRATIONS } from "../../src/collector/storage/schema.ts";
import { app } from "../../src/http/app.ts";
import { newAuthKey } from "../../src/partners/partner.ts";
import { newKey } from "../../src/partners/rotate.ts";
import { INTAKE_BYTES, requestMemory } from "../../src/memory/budget.ts";
import { problemOf, send } from "../support/http.ts";
import { newPartner } from "../support/partner.ts";
import { UNKNOWN_ID } from "../support/rows.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const PINGS = "/api/fit_partner_ping/";

describe("paths and methods", () => {
  test("the health route needs no key", async () => {
    expect((await send(null, "GET", "/health/")).status).toBe(200);
  });

  test.each([
    ["8f14e45fceea", "8f14e45fceea"],
    ["", null],
  ])("the health route names the running version and the stored formats: tag %j", async (tag, named) => {
    const version = { id: "5c9f1c2e-3f0b-4b6f-9a51-0d3f6c1b7a42", tag, timestamp: "2026-11-29T00:00:00Z" };
    const response = await app.request(
      "http://127.0.0.1/health/",
      {},
      { ...env, CF_VERSION_METADATA: version },
    );
    expect(await response.json()).toEqual({
      status: "ok",
      jurisdiction: null,
      version: { id: version.id, tag: named },
      schema: { database: env.TEST_MIGRATIONS.length, collector: MIGRATIONS.length },
    });
  });

  test("a path without its slash is served too, without a redirect", async () => {
    const partner = await newPartner();
    for (const path of ["/health", "/api/files", "/api/users?limit=1"]) {
      expect((await send(partner, "GET", path)).status).toBe(200);
    }
    await problemOf(await send(partner, "POST", "/api/task_partner", { body: {} }), 400, "validation_failed");
  });

  test("an unknown path returns a 404 problem, with or without a key", async () => {
    const partner = await newPartner();
    for (const path of ["/nothing/", "/api/", "/api/nothing/", "/api/files/a/b/c/"]) {
      await problemOf(await send(null, "GET", path), 404, "not_found");
      await problemOf(await send(partner, "GET", path), 404, "not_found");
    }
  });

  test("an unsupported method returns a 405 that lists the supported ones", async () => {
    const get = await send(null, "GET", PINGS);
    await problemOf(get, 405, "method_not_allowed");
    expect(get.headers.get("Allow")).toBe("POST");
    const put = await send(null, "PUT", "/api/files/");
    await problemOf(put, 405, "method_not_allowed");
    expect(put.headers.get("Allow")).toBe("GET, HEAD");
  });

  test("HEAD returns the same as GET, without the body", async () => {
    const partner = await newPartner();
    const response = await send(partner, "HEAD", "/api/files/");
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  });

  test("every response has a request id of the service, never the caller's", async () => {
    const headers = { "X-Request-Id": "chosen-by-the-caller" };
    const first = await send(null, "GET", "/health/", { headers });
    const second = await send(null, "GET", "/nowhere/", { headers });
    const ids = [first, second].map((response) => response.headers.get("X-Request-Id"));
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-/);
  });
});

describe("bodies", () => {
  const post = async (raw: BodyInit, headers: Record<string, string> = {}) =>
    send(await newPartner(), "POST", PINGS, { raw, headers });

  test("another media type than JSON returns a 415", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/jsonp",
      "application/json;;",
      "",
    ]) {
      await problemOf(await post("{}", { "Content-Type": type }), 415, "unsupported_media_type");
    }
    await problemOf(
      await post("{}", { "Content-Type": "Application/JSON; charset=utf-8" }),
      400,
      "validation_failed",
    );
  });

  test("a compressed body returns a 415 with Accept-Encoding: identity, on every route with a body", async () => {
    const partner = await newPartner();
    const ping = { activity_files: [] };
    const json = "application/json";
    const routes: [path: string, type: string, plain: string, codeWhenPlain: string][] = [
      [PINGS, json, JSON.stringify(ping), "validation_failed"],
      ["/api/task_partner/", json, "{}", "validation_failed"],
      ["/api/fit/inspect/", "application/octet-stream", "no FIT", "not_fit"],
    ];
    for (const [path, type, plain, codeWhenPlain] of routes) {
      const ask = async (raw: BodyInit, encoding: string) =>
        send(partner, "POST", path, {
          raw,
          headers: { "Content-Type": type, "Content-Encoding": encoding },
        });
      for (const encoding of ["gzip", "GZIP", "br", "deflate", "zstd", "identity, gzip", "aws-chunked"]) {
        const refused = await ask(gzipSync(plain), encoding);
        expect(refused.headers.get("Accept-Encoding")).toBe("identity");
        const { detail } = await problemOf(refused, 415, "unsupported_content_encoding");
        expect(detail).toMatch(/`Content-Encoding`, and no encoding is accepted/);
      }
      for (const encoding of ["identity", "Identity", ""]) {
        expect(await (await ask(plain, encoding)).json()).toMatchObject({ code: codeWhenPlain });
      }
    }
  });

  test("invalid JSON or UTF-8 returns a 400", async () => {
    const bytes = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    for (const body of ["", "{", "{'a':1}", "[1,]", "undefined", bytes]) {
      await problemOf(await post(body), 400, "malformed_json");
    }
  });

  test("JSON of the wrong shape returns a 400, also if it is deeply nested", async () => {
    const bodies = [
      "null",
      "[]",
      "1e999",
      '"text"',
      '{"__proto__":{"activity_files":[]}}',
      `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
      '{"activity_files":{"length":1}}',
      '{"activity_files":[]}',
    ];
    for (const body of bodies) await problemOf(await post(body), 400, "validation_failed");
  });

  test("a body over the limit returns a 413, with or without a declared length", async () => {
    const chunk = new Uint8Array(1024 * 1024).fill(0x20);
    await problemOf(await post(new Blob(Array.from({ length: 17 }, () => chunk))), 413, "body_too_large");

    const declared = await post("{}", { "Content-Length": String(16 * 1024 * 1024 + 1) });
    await problemOf(declared, 413, "body_too_large");

    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        controller.enqueue(chunk.slice());
      },
    });
    await problemOf(await post(endless), 413, "body_too_large");
    expect(sent).toBeLessThan(24);
  });

  test("a large body of brackets is rejected before it is parsed", async () => {
    const brackets = `[${"[],".repeat(1_000_000)}[]]`;
    await problemOf(await post(brackets), 413, "too_many_values");
    for (const inText of ["[{,", '"[{,', "\\"]) {
      const quoted = JSON.stringify({ ignored: inText.repeat(1_000_000) });
      await problemOf(await post(quoted), 400, "validation_failed");
    }
  });

  test("a body of a caller that disconnects returns body_too_slow, not a store's failure, and its memory is released", async () => {
    const partner = await newPartner();
    for (const path of [PINGS, "/api/task_partner/", "/api/fit/inspect/"]) {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const headers = {
        "Content-Type": path === "/api/fit/inspect/" ? "application/octet-stream" : "application/json",
      };
      const answer = send(partner, "POST", path, { raw: readable, headers });
      await writer.write(new Uint8Array(100_000).fill(0x20));
      await writer.abort(new Error("Network connection lost."));
      await problemOf(await answer, 408, "body_too_slow");
    }
    const free = requestMemory("another-partner");
    expect(free.tryGrowTo(INTAKE_BYTES)).toBe(true);
    free.release();
  });

  test("the memory of a large body is reserved until its response is read", async () => {
    const partner = await newPartner();
    const body = `{"padding":"${"x".repeat(2 * 1024 * 1024)}"}`;
    const response = await app.request(
      PINGS,
      { method: "POST", headers: { ...partner.headers, "Content-Type": "application/json" }, body },
      env,
    );
    const others = requestMemory("another-partner");
    expect(others.tryGrowTo(INTAKE_BYTES)).toBe(false);
    await problemOf(response, 400, "validation_failed");
    expect(others.tryGrowTo(INTAKE_BYTES)).toBe(true);
    others.release();
  });

  test("a large body returns a 503 while memory is short, and its memory is released", async () => {
    const large = `{"padding":"${"x".repeat(2 * 1024 * 1024)}"}`;
    const taken = requestMemory("another-partner");
    expect(taken.tryGrowTo(INTAKE_BYTES)).toBe(true);
    const refused = await post(large);
    await problemOf(refused, 503, "memory_short");
    expect(refused.headers.get("Retry-After")).toBe("1");
    await problemOf(await post('{"small":true}'), 400, "validation_failed");
    taken.release();
    await problemOf(await post(large), 400, "validation_failed");
    expect(taken.tryGrowTo(INTAKE_BYTES)).toBe(true);
    taken.release();
  });
});

describe("failures", () => {
  test("an unavailable store returns a 503 with Retry-After and without internal details", async () => {
    const partner = await newPartner();
    const secret = "SELECT secret FROM elsewhere";
    vi.spyOn(databaseOf(partner), "prepare").mockImplementation(() => {
      throw new Error(secret);
    });
    for (const path of [
      "/api/files/",
      `/api/activities/${UNKNOWN_ID}.0/`,
      `/api/imports/${UNKNOWN_ID}/`,
      "/api/events/",
      "/api/users/u/",
    ]) {
      const response = await send(partner, "GET", path);
      expect(response.headers.get("Retry-After")).toMatch(/^\d+$/);
      const problem = await problemOf(response, 503, "store_unavailable");
      expect(JSON.stringify(problem)).not.toContain(secret);
    }
  });

  test("an unavailable registry returns a 503", async () => {
    const partner = await newPartner();
    vi.spyOn(env.PARTNERS, "get").mockRejectedValue(new Error("KV GET failed: 500"));
    await problemOf(await send(partner, "GET", "/api/files/"), 503, "store_unavailable");
  });
});

describe("the log", () => {
  test("each request writes one line, with its route and without text from the caller", async () => {
    const lines: unknown[] = [];
    vi.spyOn(console, "log").mockImplementation((line: unknown) => {
      lines.push(line);
    });
    const partner = await newPartner();
    const response = await send(partner, "GET", "/api/users/secret-user/?limit=secret-value");
    await problemOf(response, 400, "validation_failed");
    await send(null, "GET", "/secret/path/");
    expect(lines).toHaveLength(2);
    expect(JSON.parse(String(lines[0]))).toEqual({
      unit: "request",
      request_id: response.headers.get("X-Request-Id"),
      method: "GET",
      route: "/api/users/:user_id/",
      status: 400,
      milliseconds: expect.any(Number),
      partner_id: partner.partnerId,
      key_id: partner.partner.keys[0]?.key_id,
    });
    expect(JSON.parse(String(lines[1]))).toMatchObject({ route: null, status: 404, partner_id: null });
    expect(lines.join()).not.toContain("secret");
    expect(lines.join()).not.toContain(partner.authKey);
  });

  /** Returns the log lines of the requests that `ask` sends. */
  async function linesOf(ask: () => Promise<void>): Promise<unknown[]> {
    const lines: string[] = [];
    const logged = vi.spyOn(console, "log").mockImplementation((line: unknown) => {
      lines.push(String(line));
    });
    await ask();
    logged.mockRestore();
    return lines.map((line): unknown => JSON.parse(line));
  }

  test("a request with an invalid key is logged with the claimed partner id if that partner exists, never with other text", async () => {
    const partner = await newPartner();
    const stranger = newAuthKey();
    const lines = await linesOf(async () => {
      for (const id of [partner.partnerId, stranger, "not an id"]) {
        const headers = { "Partner-Id": id, Authorization: `Bearer ${newAuthKey()}` };
        await problemOf(await send({ headers }, "GET", "/api/files/"), 401, "unauthorized");
      }
    });
    expect(lines).toMatchObject([
      { status: 401, partner_id: null, claimed_partner_id: partner.partnerId },
      { status: 401, partner_id: null },
      { status: 401, partner_id: null },
    ]);
    expect(lines.slice(1)).not.toContainEqual(
      expect.objectContaining({ claimed_partner_id: expect.anything() }),
    );
    expect(JSON.stringify(lines)).not.toContain(stranger);
  });

  test("a suspended partner's requests are logged with its id, because its key is valid", async () => {
    const partner = await newPartner({ status: "suspended" });
    const lines = await linesOf(async () => {
      await problemOf(await send(partner, "GET", "/api/files/"), 403, "partner_suspended");
    });
    expect(lines).toMatchObject([
      { status: 403, partner_id: partner.partnerId, key_id: partner.partner.keys[0]?.key_id },
    ]);
  });

  test("requests are logged with the id of the key that they used", async () => {
    const leaked = newAuthKey();
    const own = newAuthKey();
    const leakedKey = newKey(leaked, {}, new Date());
    const ownKey = newKey(own, {}, new Date());
    const { headers } = await newPartner({
      keys: [
        { ...leakedKey, key_id: "key_leaked" },
        { ...ownKey, key_id: "key_own" },
      ],
    });
    const lines = await linesOf(async () => {
      for (const key of [own, leaked]) {
        const withKey = { headers: { ...headers, Authorization: `Bearer ${key}` } };
        expect((await send(withKey, "GET", "/api/files/")).status).toBe(200);
      }
    });
    expect(lines).toMatchObject([{ key_id: "key_own" }, { key_id: "key_leaked" }]);
  });
});
