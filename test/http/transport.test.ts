import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { app } from "../../src/http/app.ts";
import { STRICT_TRANSPORT_SECURITY } from "../../src/http/transport.ts";
import { problemOf } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const HOST = "api.partner.example";
const PATHS = ["/health/", "/docs/", "/openapi.json", "/nowhere/", "/api/partner/", "/api/fit_partner_ping/"];

const ask = async (
  environment: string,
  url: string,
  who: TestPartner | null = null,
  init: RequestInit = {},
) => app.request(url, { headers: { ...who?.headers }, ...init }, { ...env, ENVIRONMENT: environment });

describe.each(["production", "staging"])("a deployed service (%s)", (environment) => {
  test("rejects plain http on every path before it reads the key, and does not redirect", async () => {
    const who = await newPartner();
    const looked = vi.spyOn(env.PARTNERS, "get");
    for (const path of PATHS) {
      const response = await ask(environment, `http://${HOST}${path}`, who);
      expect(response.headers.get("Location")).toBeNull();
      const { detail } = await problemOf(response, 403, "https_required");
      expect(detail).toMatch(/https:\/\//);
      expect(detail).not.toContain(HOST);
    }
    expect(looked).not.toHaveBeenCalled();
  });

  test("rejects plain http with a loopback name too, because the caller chooses the Host header", async () => {
    await problemOf(await ask(environment, "http://127.0.0.1/health/"), 403, "https_required");
  });

  test("serves a partner over https", async () => {
    const response = await ask(environment, `https://${HOST}/api/partner/`, await newPartner());
    expect(response.status).toBe(200);
  });

  test("sends Strict-Transport-Security on every response, also on errors", async () => {
    const who = await newPartner();
    vi.spyOn(databaseOf(who), "prepare").mockImplementation(() => {
      throw new Error("D1_ERROR: down");
    });
    const answers = await Promise.all([
      ...PATHS.flatMap((path) => [
        ask(environment, `https://${HOST}${path}`),
        ask(environment, `https://${HOST}${path}`, who),
        ask(environment, `http://${HOST}${path}`),
      ]),
      ask(environment, `https://${HOST}/api/files/`, who),
      ask(environment, `https://${HOST}/health/`, null, { method: "POST" }),
    ]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 401, 403, 404, 405, 503]));
    for (const { headers } of answers) {
      expect(headers.get("Strict-Transport-Security")).toBe(STRICT_TRANSPORT_SECURITY);
    }
  });
});

describe("a local service", () => {
  test.each(["127.0.0.1:8787", "localhost:8787", "LOCALHOST", "[::1]:8787", "127.8.9.10"])(
    "serves plain http to %s",
    async (host) => {
      const response = await ask("local", `http://${host}/api/partner/`, await newPartner());
      expect(response.status).toBe(200);
      expect(response.headers.get("Strict-Transport-Security")).toBeNull();
    },
  );

  test.each(["rebound.example:8787", "127.0.0.1.nip.io", "0.0.0.0:8787", "192.168.0.7:8787", "a.localhost"])(
    "rejects a request to %s, which a website can cause in a browser, before it reads the key",
    async (host) => {
      const who = await newPartner();
      const looked = vi.spyOn(env.PARTNERS, "get");
      for (const scheme of ["http", "https"]) {
        await problemOf(await ask("local", `${scheme}://${host}/api/partner/`, who), 403, "https_required");
      }
      expect(looked).not.toHaveBeenCalled();
    },
  );
});
