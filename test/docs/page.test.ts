import { createHash } from "node:crypto";
import { env } from "cloudflare:workers";
import { describe as group, expect, test } from "vitest";
import { describe, METHODS } from "../../src/docs/document.ts";
import { app } from "../../src/http/app.ts";
import { PROBLEMS } from "../../src/http/problem.ts";
import { problemOf } from "../support/http.ts";

const ask = async (path: string, method = "GET") => app.request(path, { method }, env);

async function page(): Promise<string> {
  const response = await ask("/docs/");
  expect(response.status).toBe(200);
  return response.text();
}

const matches = (html: string, pattern: RegExp) => [...html.matchAll(pattern)].map(([, found = ""]) => found);

group("/openapi.json", () => {
  test("is the document, for everybody, with and without a slash", async () => {
    const expected: unknown = JSON.parse(JSON.stringify(describe(app)));
    for (const path of ["/openapi.json", "/openapi.json/"]) {
      const response = await ask(path);
      expect([response.status, response.headers.get("Content-Type")]).toEqual([200, "application/json"]);
      expect(response.headers.get("X-Request-Id")).toMatch(/./);
      expect(await response.json()).toEqual(expected);
    }
  });

  test("takes no other method", async () => {
    const refused = await ask("/openapi.json", "POST");
    expect(refused.headers.get("Allow")).toBe("GET, HEAD");
    await problemOf(refused, 405, "method_not_allowed");
  });
});

group("/docs/", () => {
  const OWN_PAGES = new Set(["/openapi.json", "/console/#/check"]);

  test("allows nothing but its own style, and asks no other host for anything", async () => {
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

  test("leads to a place on the page wherever it leads, and has no place twice", async () => {
    const html = await page();
    const places = matches(html, /\sid="([^"]*)"/g);
    expect(new Set(places).size).toBe(places.length);
    const targets = matches(html, /\shref="#([^"]*)"/g);
    expect(targets.length).toBeGreaterThan(100);
    expect(targets.filter((target) => !places.includes(target))).toEqual([]);
  });

  test("explains every problem where its type points", async () => {
    const html = await page();
    for (const code of Object.keys(PROBLEMS)) expect(html).toContain(`id="problem-${code}"`);
  });

  test("has every operation, event and schema", async () => {
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

  test("says on its first screens what the limits are", async () => {
    const html = await page();
    const limits = html.slice(html.indexOf('<h2 id="limits">'), html.indexOf('<h2 id="statuses">'));
    for (const limit of ["16 MiB", "5,000", "8 MiB", "32 MiB", "6,000", "60,000"])
      expect(limits).toContain(limit);
  });
});
