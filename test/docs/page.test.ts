import { createHash } from "node:crypto";
import { env } from "cloudflare:workers";
import { describe as group, expect, test } from "vitest";
import { inBytes, inDigits, inWords } from "../../src/contract/amounts.ts";
import {
  DOWNLOAD_DEADLINE_MS,
  HELD_FOR_MS,
  MAX_EXPECTED_IDS,
  MAX_FILE_BYTES,
  MAX_INLINE_BYTES,
  MAX_JSON_BODY_BYTES,
  MAX_NAME_CHARACTERS,
  MAX_PINGS,
  MAX_REDIRECTS,
  MAX_RETRIED_FILES,
  MAX_TITLE_CHARACTERS,
  MAX_URL_CHARACTERS,
  MAX_USERS,
  PAGE_ROWS,
  RETRY_PAUSE_MS,
  TEST_EVENTS_A_DAY,
} from "../../src/contract/limits.ts";
import { describe, METHODS } from "../../src/docs/document.ts";
import { app } from "../../src/http/app.ts";
import { PROBLEMS } from "../../src/http/problem.ts";
import { DEFAULT_LIMITS, DEFAULT_QUOTAS } from "../../src/partners/partner.ts";
import { problemOf } from "../support/http.ts";

const ask = async (path: string, method = "GET") => app.request(path, { method }, env);

async function page(): Promise<string> {
  const response = await ask("/docs/");
  expect(response.status).toBe(200);
  return response.text();
}

const matches = (html: string, pattern: RegExp) => [...html.matchAll(pattern)].map(([, found = ""]) => found);

group("/openapi.json", () => {
  test("returns the document without authentication, with and without a last slash", async () => {
    const expected: unknown = JSON.parse(JSON.stringify(describe(app)));
    for (const path of ["/openapi.json", "/openapi.json/"]) {
      const response = await ask(path);
      expect([response.status, response.headers.get("Content-Type")]).toEqual([200, "application/json"]);
      expect(response.headers.get("X-Request-Id")).toMatch(/./);
      expect(await response.json()).toEqual(expected);
    }
  });

  test("supports no other method", async () => {
    const refused = await ask("/openapi.json", "POST");
    expect(refused.headers.get("Allow")).toBe("GET, HEAD");
    await problemOf(refused, 405, "method_not_allowed");
  });
});

group("/docs/", () => {
  const OWN_PAGES = new Set(["/openapi.json", "/console/#/check"]);

  test("allows only its own style and loads nothing from other hosts", async () => {
    const response = await ask("/docs/");
    const html = await response.text();
    const [style = ""] = matches(html, /<style>([^<]*)<\/style>/g);
    const hash = createHash("sha256").update(style).digest("base64");
    const policy = response.headers.get("Content-Security-Policy");
    expect(policy?.split("; ").slice(0, 2)).toEqual(["default-src 'none'", `style-src 'sha256-${hash}'`]);
    expect(response.headers.get("Content-Type")).toBe("text/html; charset=UTF-8");
    expect(style).not.toMatch(/@import|url\(/);
    expect(html).not.toMatch(/<script|<link|<img|<iframe|\sstyle=|\son[a-z]+=|\ssrc=/i);
    expect(
      matches(html, /\shref="([^"]*)"/g).filter((to) => !to.startsWith("#") && !OWN_PAGES.has(to)),
    ).toEqual([]);
  });

  test("has only links that work, and no id twice", async () => {
    const html = await page();
    const places = matches(html, /\sid="([^"]*)"/g);
    expect(new Set(places).size).toBe(places.length);
    const targets = matches(html, /\shref="#([^"]*)"/g);
    expect(targets.length).toBeGreaterThan(100);
    expect(targets.filter((target) => !places.includes(target))).toEqual([]);
  });

  test("explains every problem at the URL of its type", async () => {
    const html = await page();
    for (const code of Object.keys(PROBLEMS)) expect(html).toContain(`id="problem-${code}"`);
  });

  test("describes every operation, event and schema", async () => {
    const html = await page();
    const text = html.replaceAll("<wbr>", "");
    const { paths, webhooks, components } = describe(app);
    for (const [path, item] of Object.entries(paths ?? {})) {
      for (const method of METHODS) {
        const operation = item[method];
        if (operation === undefined) continue;
        expect(text).toContain(`id="${operation.operationId}"`);
        expect(text).toContain(`${method.toUpperCase()}</span> <span class="path">${path}</span>`);
      }
    }
    for (const type of Object.keys(webhooks ?? {}))
      expect(text).toContain(`<span class="path">${type}</span>`);
    for (const name of Object.keys(components?.schemas ?? {})) expect(text).toContain(`id="schema-${name}"`);
  });

  test("shows each limit as the code enforces it", async () => {
    const html = await page();
    const limits = html.slice(html.indexOf('<h2 id="limits">'), html.indexOf('<h2 id="statuses">'));
    const shown = [
      inBytes(MAX_JSON_BODY_BYTES),
      inDigits(MAX_PINGS),
      `${inDigits(MAX_USERS)};`,
      `${inBytes(MAX_INLINE_BYTES)}, decoded`,
      inBytes(MAX_FILE_BYTES),
      inWords(DOWNLOAD_DEADLINE_MS),
      `${MAX_REDIRECTS} redirects`,
      inDigits(MAX_EXPECTED_IDS),
      `${MAX_NAME_CHARACTERS} characters`,
      `${inDigits(MAX_TITLE_CHARACTERS)} characters`,
      `${inDigits(MAX_URL_CHARACTERS)} characters`,
      `${PAGE_ROWS.max}; ${PAGE_ROWS.default}`,
      inWords(HELD_FOR_MS),
      `at least ${inWords(RETRY_PAUSE_MS)}`,
      inDigits(MAX_RETRIED_FILES),
      `${inDigits(TEST_EVENTS_A_DAY)} in 24 hours`,
      `${inDigits(DEFAULT_LIMITS.requests_per_minute)} a minute`,
      `${inDigits(DEFAULT_LIMITS.files_per_minute)} a minute`,
      inDigits(DEFAULT_QUOTAS.files),
      inBytes(DEFAULT_QUOTAS.stored_bytes),
    ];
    for (const limit of shown) expect(limits).toContain(limit);
  });
});
