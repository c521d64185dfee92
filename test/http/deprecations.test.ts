import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { describe as group, expect, test } from "vitest";
import { DEPRECATIONS, deprecationFault } from "../../src/contract/deprecations.ts";
import { DEPRECATION_MONTHS } from "../../src/contract/limits.ts";
import { describe } from "../../src/docs/document.ts";
import { app } from "../../src/http/app.ts";
import type { AppEnv } from "../../src/http/context.ts";
import { announceDeprecations } from "../../src/http/deprecations.ts";

const MADE = {
  operation: "GET /api/files/{file_id}/",
  since: "2026-12-01",
  sunset: "2027-12-01",
  replacement: "`GET /api/files/`.",
};

function appWith(...entries: (typeof MADE)[]) {
  const made = new Hono<AppEnv>();
  made.use(announceDeprecations(entries));
  made.get("/api/files/:file_id/", (c) => c.text("a file"));
  made.delete("/api/files/:file_id/", (c) => c.text("deleted"));
  made.get("/api/files/", (c) => c.text("files"));
  return made;
}

group("a deprecated operation", () => {
  test("says since when it is deprecated, until when it works and where to read on", async () => {
    for (const method of ["GET", "HEAD"]) {
      const { headers } = await appWith(MADE).request("/api/files/abc/", { method });
      expect(headers.get("Deprecation")).toBe(`@${Date.UTC(2026, 11, 1) / 1_000}`);
      expect(headers.get("Sunset")).toBe("Wed, 01 Dec 2027 00:00:00 GMT");
      expect(headers.get("Link")).toBe('</docs/changelog/>; rel="deprecation"; type="text/html"');
    }
  });

  test("does not announce other operations", async () => {
    for (const [path, method] of [
      ["/api/files/", "GET"],
      ["/api/files/abc/", "DELETE"],
      ["/lost/", "GET"],
    ] as const) {
      const { headers } = await appWith(MADE).request(path, { method });
      expect([headers.get("Deprecation"), headers.get("Sunset")]).toEqual([null, null]);
    }
  });

  test("is marked in the OpenAPI document, with its last day and its headers", () => {
    const { paths } = describe(app, [MADE]);
    const operation = paths?.["/api/files/{file_id}/"]?.get;
    expect(operation).toMatchObject({
      deprecated: true,
      "x-sunset": "2027-12-01",
      description: expect.stringContaining("Deprecated since 2026-12-01. May be removed from 2027-12-01 on."),
      responses: { 200: { headers: { Deprecation: expect.anything(), Sunset: expect.anything() } } },
    });
    expect(paths?.["/api/files/{file_id}/"]?.delete?.deprecated).toBeUndefined();
  });
});

group("deprecations", () => {
  test("last at least as long as promised", () => {
    expect(deprecationFault(MADE, DEPRECATION_MONTHS)).toBeNull();
    expect(deprecationFault({ ...MADE, sunset: "2027-11-30" }, DEPRECATION_MONTHS)).toBe(
      "GET /api/files/{file_id}/ ends on 2027-11-30. It may end on 2027-12-01 at the earliest.",
    );
    expect(DEPRECATIONS.map((each) => deprecationFault(each, DEPRECATION_MONTHS))).toEqual(
      DEPRECATIONS.map(() => null),
    );
  });

  test("name only operations that exist", async () => {
    const { paths = {} } = describe(app);
    const operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(operations).toContain(MADE.operation);
    expect(DEPRECATIONS.filter(({ operation }) => !operations.includes(operation))).toEqual([]);
    const { headers } = await app.request("/health/", {}, env);
    expect([headers.get("Deprecation"), headers.get("Sunset")]).toEqual([null, null]);
  });
});
