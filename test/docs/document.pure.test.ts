import { createConfig, lintFromString } from "@redocly/openapi-core";
import type { SchemaObject } from "openapi3-ts/oas31";
import { describe as group, expect, test } from "vitest";
import { responsesOf, describe, METHODS } from "../../src/docs/document.ts";
import { app } from "../../src/http/app.ts";
import { PROBLEMS } from "../../src/http/problem.ts";

const document = describe(app);

const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  METHODS.flatMap((method) => {
    const operation = item[method];
    return operation === undefined ? [] : [{ name: `${method.toUpperCase()} ${path}`, path, operation }];
  }),
);

/** Every place in the document where a field or parameter is described, with its words. */
function described(node: unknown, at: string): [at: string, words: unknown][] {
  if (typeof node !== "object" || node === null) return [];
  if (Array.isArray(node)) return node.flatMap((item, index) => described(item, `${at}/${index}`));
  return Object.entries(node).flatMap(([key, value]: [string, unknown]) => {
    if (key === "examples" || key === "example") return [];
    const inside = described(value, `${at}/${key}`);
    if (key !== "properties" || typeof value !== "object" || value === null) return inside;
    const own = Object.entries(value).map(([field, schema]: [string, unknown]): [string, unknown] => {
      const isSchema = typeof schema === "object" && schema !== null;
      const words = isSchema && "description" in schema ? schema.description : undefined;
      return [`${at}/${field}`, words];
    });
    return [...own, ...inside];
  });
}

/** The named schemas of the document. */
function describedSchemas() {
  const all = Object.entries(document.components?.schemas ?? {});
  const schemas = all.flatMap(([name, schema]): [string, SchemaObject][] =>
    "$ref" in schema ? [] : [[name, schema]],
  );
  return { names: all.map(([name]) => name), schemas };
}

/** The schemas inside a schema that have no name of their own. */
function innerSchemas({
  properties,
  items,
  additionalProperties,
  oneOf,
  anyOf,
  allOf,
}: SchemaObject): SchemaObject[] {
  const inner = [
    ...Object.values(properties ?? {}),
    items,
    ...(oneOf ?? []),
    ...(anyOf ?? []),
    ...(allOf ?? []),
  ];
  if (typeof additionalProperties === "object") inner.push(additionalProperties);
  return inner.flatMap((part) => (part === undefined || "$ref" in part ? [] : [part, ...innerSchemas(part)]));
}

group("the OpenAPI document", () => {
  test("is valid OpenAPI 3.1 with valid examples, and a linter accepts it", async () => {
    const config = await createConfig({
      extends: ["recommended-strict"],
      rules: {
        "no-invalid-media-type-examples": "error",
        // The contract's paths have always ended in a slash.
        "no-path-trailing-slash": "off",
      },
    });
    const found = await lintFromString({ source: JSON.stringify(document), config });
    expect(found.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([]);
    expect(document.openapi).toBe("3.1.0");
  });

  test("describes every operation, parameter and field", () => {
    expect(operations.length).toBeGreaterThan(20);
    for (const { name, operation } of operations) {
      expect({ name, ...operation }).toMatchObject({
        operationId: expect.stringMatching(/^[a-z][A-Za-z]+$/),
        summary: expect.stringMatching(/./),
        description: expect.stringMatching(/./),
        tags: [expect.stringMatching(/./)],
      });
      for (const parameter of operation.parameters ?? []) {
        expect({ name, parameter }).toMatchObject({ parameter: { description: expect.stringMatching(/./) } });
      }
    }
    const fields = described(document, "#");
    expect(fields.length).toBeGreaterThan(200);
    expect(fields.filter(([, words]) => typeof words !== "string" || words === "")).toEqual([]);
  });

  test("names and describes every object and every list of values, for generated types", () => {
    const { schemas } = describedSchemas();
    for (const [name, schema] of schemas) {
      expect({ name, ...schema }).toMatchObject({ description: expect.stringMatching(/./) });
      const parts = innerSchemas(schema);
      expect([name, parts.filter((part) => "properties" in part || (part.enum?.length ?? 0) > 1)]).toEqual([
        name,
        [],
      ]);
      if (schema.enum !== undefined) expect(schema.description).toMatch(/(Open|Closed) list: /);
    }
  });

  test("names no schema like a type of the platform, such as File", () => {
    const { names } = describedSchemas();
    expect(names.filter((name) => name in globalThis || ["File", "Event", "Request"].includes(name))).toEqual(
      [],
    );
  });

  test("allows null in fields, and never in a named schema", () => {
    const nullable = describedSchemas().schemas.filter(([, { type }]) => [type].flat().includes("null"));
    expect(nullable.map(([name]) => name)).toEqual([]);
  });

  test("allows null in each field that refers to a named schema and may be null", () => {
    // All parts of allOf must hold, so null beside a named schema that does not allow it is never valid.
    const contradictions = describedSchemas().schemas.flatMap(([name, schema]) =>
      [schema, ...innerSchemas(schema)]
        .filter(({ allOf = [] }) =>
          allOf.some((part) => !("$ref" in part) && [part.type].flat().includes("null")),
        )
        .map(() => name),
    );
    expect(contradictions).toEqual([]);
  });

  test("allows unlisted fields in responses, because fields may be added", () => {
    expect(JSON.stringify(document.components)).not.toContain('"additionalProperties":false');
  });

  test("lists every code of a problem", () => {
    const { schemas } = describedSchemas();
    const codes = schemas.find(([name]) => name === "ProblemCode")?.[1].enum;
    expect(codes).toEqual(Object.keys(PROBLEMS));
    const problem = schemas.find(([name]) => name === "Problem")?.[1];
    expect(problem?.properties).toMatchObject({ code: { $ref: "#/components/schemas/ProblemCode" } });
  });

  test("has an example of every JSON response and every request body", () => {
    const without = operations.flatMap(({ name, operation }) =>
      responsesOf(operation).flatMap(([status, { content = {} }]) => {
        const media = content["application/json"];
        const schema = media?.schema;
        if (schema === undefined || !("$ref" in schema))
          return media === undefined ? [] : [`${name} ${status}`];
        const shown = document.components?.schemas?.[schema.$ref.split("/").at(-1) ?? ""];
        return shown !== undefined && !("$ref" in shown) && shown.examples?.length === 1
          ? []
          : [`${name} ${status}`];
      }),
    );
    expect(without).toEqual([]);
    for (const { name, operation } of operations) {
      const body = operation.requestBody;
      const media = body === undefined || "$ref" in body ? undefined : body.content["application/json"];
      if (media !== undefined)
        expect([name, Object.keys(media.examples ?? {}).length]).not.toEqual([name, 0]);
    }
  });

  test("lists every status of an authenticated request, with its headers", () => {
    for (const { path, operation } of operations.filter(({ path }) => path.startsWith("/api/"))) {
      const answers = Object.fromEntries(responsesOf(operation));
      expect([path, Object.keys(answers)]).toEqual([
        path,
        expect.arrayContaining(["400", "401", "403", "429", "500", "503"]),
      ]);
      for (const [status, { headers = {}, content = {} }] of Object.entries(answers)) {
        expect(Object.keys(headers)).toContain("X-Request-Id");
        if (["408", "429", "503"].includes(status)) expect(Object.keys(headers)).toContain("Retry-After");
        if (Number(status) < 400) continue;
        expect(Object.keys(content["application/problem+json"]?.examples ?? {})).not.toEqual([]);
      }
      if (path.includes("{")) expect(Object.keys(answers)).toContain("404");
      if (operation.requestBody !== undefined) expect(Object.keys(answers)).toContain("408");
    }
  });

  test("lists the events with their signature headers", () => {
    expect(Object.keys(document.webhooks ?? {})).toEqual([
      "bulk_fit_import.completed",
      "import.cancelled",
      "outcomes.reported",
      "user.erased",
      "test.ping",
    ]);
    for (const item of Object.values(document.webhooks ?? {})) {
      const names = item.post?.parameters?.map((parameter) => ("name" in parameter ? parameter.name : ""));
      expect(names).toEqual(["webhook-id", "webhook-timestamp", "webhook-signature"]);
    }
  });
});
