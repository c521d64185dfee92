import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
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
import { API_VERSION } from "../../src/contract/version.ts";
import { RELEASES } from "../../src/docs/changelog.ts";
import { describe, METHODS } from "../../src/docs/document.ts";
import { guide } from "../../src/docs/guide.ts";
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

const PAGES = ["/", "/docs/", "/docs/schemas/", "/docs/changelog/"];
/** Addresses of other pages and documents that pages link to. */
const OTHER_PAGES = new Set([
  ...PAGES,
  "/openapi.json",
  "/llms.txt",
  "/docs/guide.md",
  "/docs/reference.md",
  "/health/",
]);

group("each page", () => {
  test.for(PAGES)(
    "%s allows only its own style and script, and loads nothing from other hosts",
    async (path) => {
      const response = await ask(path);
      const html = await response.text();
      const hashes = ["style", "script"].map((tag) => {
        const [text = ""] = matches(html, new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"));
        return `${tag}-src 'sha256-${createHash("sha256").update(text).digest("base64")}'`;
      });
      expect(response.headers.get("Content-Security-Policy")?.split("; ")).toEqual([
        "default-src 'none'",
        ...hashes,
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ]);
      expect(response.headers.get("Content-Type")).toBe("text/html; charset=UTF-8");
      const markup = html.replaceAll(/<(style|script)>[^]*?<\/\1>/g, "");
      expect(html).not.toMatch(/@import|url\(/);
      expect(markup).not.toMatch(/<script|<img|<iframe|\sstyle=|\son[a-z]+=|\ssrc=/i);
      expect(matches(markup, /<link[^>]* href="(.{5})/g)).toEqual(["data:"]);
    },
  );

  test("has only links that work, and no id twice", async () => {
    const places = new Map<string, string[]>();
    const pages = await Promise.all(
      PAGES.map(async (path) => [path, await (await ask(path)).text()] as const),
    );
    for (const [path, html] of pages) {
      const ids = matches(html, /\sid="([^"]*)"/g);
      expect(new Set(ids).size).toBe(ids.length);
      places.set(path, ids);
    }
    for (const [path, html] of pages) {
      const broken = matches(html, /<a [^>]*href="([^"]*)"/g).filter((to) => {
        const [page = "", id] = to.split("#");
        if (page.startsWith("/console/")) return false;
        const ids = places.get(page === "" ? path : page);
        return id === undefined ? !OTHER_PAGES.has(page) : ids?.includes(id) !== true;
      });
      expect([path, broken]).toEqual([path, []]);
    }
    expect(matches(pages[1]?.[1] ?? "", /\shref="#([^"]*)"/g).length).toBeGreaterThan(100);
  });

  test.for([...PAGES, "/docs/guide.md", "/docs/reference.md", "/llms.txt", "/openapi.json"])(
    "%s is kept by browsers until it changes",
    async (path) => {
      const first = await ask(path);
      expect(first.headers.get("Cache-Control")).toBe("no-cache");
      const tag = first.headers.get("ETag") ?? "";
      expect(tag).toMatch(/^"[\w-]{22}"$/);
      for (const known of [tag, `W/${tag}`, `"other", ${tag}`]) {
        const again = await app.request(path, { headers: { "If-None-Match": known } }, env);
        expect([again.status, await again.text(), again.headers.get("ETag")]).toEqual([304, "", tag]);
      }
      const other = await app.request(path, { headers: { "If-None-Match": '"other"' } }, env);
      expect(other.status).toBe(200);
      await other.text();
    },
  );

  test("shows the address at which it was requested in its listings", async () => {
    for (const path of ["/", "/docs/", "/docs/guide.md", "/docs/reference.md", "/llms.txt"]) {
      for (const origin of ["http://127.0.0.1:9001", "http://localhost:9002", "http://127.0.0.1:9001"]) {
        const text = await (await app.request(`${origin}${path}`, {}, env)).text();
        expect(text).toContain(`${origin}/`);
        expect(text).not.toContain("partner-api.example");
        expect(text.match(/http:\/\/(?:127|localhost)[^/]*/g)?.every((each) => each === origin)).toBe(true);
      }
    }
  });

  test("is small: the documentation page has at most 60 KB of gzip", async () => {
    expect(gzipSync(await page()).length).toBeLessThanOrEqual(60_000);
  });
});

group("/", () => {
  test("links to the documentation, the console and the health of the service", async () => {
    const html = await (await ask("/")).text();
    for (const to of ["/docs/", "/console/", "/openapi.json", "/health/", "/docs/changelog/"]) {
      expect(html).toContain(`href="${to}"`);
    }
  });
});

group("/docs/guide.md and /llms.txt", () => {
  test("contain the guide as Markdown, and where it is", async () => {
    const response = await ask("/docs/guide.md");
    expect(response.headers.get("Content-Type")).toBe("text/markdown; charset=UTF-8");
    const markdown = await response.text();
    for (const { title } of guide()) expect(markdown).toContain(`\n## ${title}\n`);
    const outside = markdown.replaceAll(/^ *```[^]*?^ *```$/gm, "").replaceAll(/`[^`]*`/g, "");
    expect(outside).not.toMatch(/<\/?[a-z]+|&[a-z]+;/);
    expect(markdown.match(/^ *```(?:sh|ts|python)$/gm)?.length).toBeGreaterThan(45);
    expect(markdown).toContain("| `quota_exceeded` | 403 |");

    const index = await (await ask("/llms.txt")).text();
    const addresses = matches(index, /\]\(([^)]*)\)/g);
    expect(addresses.length).toBeGreaterThan(3);
    for (const address of addresses) {
      if (!address.endsWith("/console/")) expect((await app.request(address, {}, env)).status).toBe(200);
    }
  });
});

group("/docs/reference.md", () => {
  test("has every operation, event, schema and field as Markdown", async () => {
    const response = await ask("/docs/reference.md");
    expect(response.headers.get("Content-Type")).toBe("text/markdown; charset=UTF-8");
    const markdown = await response.text();
    const { paths, webhooks, components } = describe(app);
    for (const [path, item] of Object.entries(paths ?? {})) {
      for (const method of METHODS) {
        if (item[method] !== undefined) expect(markdown).toContain(`\n### ${method.toUpperCase()} ${path}\n`);
      }
    }
    for (const type of Object.keys(webhooks ?? {})) expect(markdown).toContain(`\n### EVENT ${type}\n`);
    for (const [name, schema] of Object.entries(components?.schemas ?? {})) {
      const [, text = ""] = markdown.split(`\n### ${name}\n`);
      const own = text.split("\n### ")[0] ?? "";
      const fields = "$ref" in schema ? [] : Object.keys(schema.properties ?? {});
      for (const field of fields) expect(own).toContain(`\n- \`${field}\``);
    }
    const outside = markdown.replaceAll(/^ *```[^]*?^ *```$/gm, "").replaceAll(/`[^`]*`/g, "");
    expect(outside).not.toMatch(/<\/?[a-z]+|&[a-z]+;/);
  });
});

group("/docs/changelog/", () => {
  test("has an entry for the current version, and the newest version first", async () => {
    expect(RELEASES[0]?.version).toBe(API_VERSION);
    const dates = RELEASES.map(({ date }) => date);
    expect(dates).toEqual(dates.toSorted().toReversed());
    const html = await (await ask("/docs/changelog/")).text();
    for (const { version, date } of RELEASES) {
      expect(html).toContain(`id="v${version}"`);
      expect(html).toContain(`<time datetime="${date}">${date}</time>`);
    }
  });
});

group("/docs/", () => {
  test("explains every problem at the URL of its type", async () => {
    const html = await page();
    for (const code of Object.keys(PROBLEMS)) expect(html).toContain(`id="problem-${code}"`);
  });

  test("describes every operation and event, and /docs/schemas/ every schema", async () => {
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
    const schemas = await (await ask("/docs/schemas/")).text();
    for (const name of Object.keys(components?.schemas ?? {})) expect(schemas).toContain(`id="${name}"`);
  });

  test("has the example of a response beside every operation and event", async () => {
    const articles = (await page()).split("<article ").slice(1);
    expect(articles.length).toBeGreaterThan(40);
    const without = articles.filter((article) => !/<span>(?:Response 2\d\d|Body of )/.test(article));
    expect(without.map((article) => article.slice(0, 40))).toEqual([]);
  });

  test("shows each limit as the code enforces it", async () => {
    const html = await page();
    const limits = html.slice(html.indexOf('<section id="limits"'), html.indexOf('<section id="statuses"'));
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
