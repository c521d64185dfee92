import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { app } from "../../src/http/app.ts";
import { problemSchema } from "../../src/http/problemSchema.ts";
import { send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { base64 } from "../flows/partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

/** The parts of JSON schema that the document's requests use. */
const schemaShape = z.object({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  enum: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
  format: z.string().optional(),
  pattern: z.string().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  items: z.unknown().optional(),
  minItems: z.number().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
});

const operationShape = z.object({
  parameters: z
    .array(
      z.object({ name: z.string(), in: z.enum(["query", "header", "path"]), schema: z.unknown().optional() }),
    )
    .default([]),
  requestBody: z
    .object({ content: z.record(z.string(), z.object({ schema: z.unknown().optional() })) })
    .optional(),
});

const documentShape = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

const document = documentShape.parse(
  app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "", version: "" } }),
);

const METHODS = new Set(["get", "post", "patch", "delete"]);
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([method]) => METHODS.has(method))
    .map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      ...operationShape.parse(operation),
    })),
);

/** Values that most fields must reject. */
const wrongValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    null,
    true,
    -1,
    0.5,
    1e308,
    1e19,
    "",
    " ",
    "\u0000",
    "a\u0007b",
    "\ud800",
    "\u202e\u{1f6b4}",
    "__proto__",
    "..",
    "x".repeat(300),
    "1760000000000",
    "http://169.254.169.254/latest",
    "https://user:pass@files.example.com/",
    "javascript:alert(1)",
    "' OR 1=1 --",
  ),
  fc.constantFrom([], {}, [[]], [null], { length: 5 }),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Generates values that match a schema. */
function valueOf(described: unknown): fc.Arbitrary<unknown> {
  const schema = schemaShape.parse(described);
  if (schema.$ref !== undefined) {
    return valueOf(document.components.schemas[schema.$ref.replace("#/components/schemas/", "")]);
  }
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const types = [schema.type ?? "string"].flat();
  return fc.oneof(
    ...types.map((type): fc.Arbitrary<unknown> => {
      switch (type) {
        case "null":
          return fc.constant(null);
        case "boolean":
          return fc.boolean();
        case "integer":
          return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1_000 });
        case "array":
          return fc.array(valueOf(schema.items), { minLength: schema.minItems ?? 0, maxLength: 4 });
        case "object":
          return objectOf(schema);
        default:
          return textOf(schema);
      }
    }),
  );
}

/** Values of callback_url. Its schema does not describe its content. */
const callbackUrl = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("https://files.example.com/f", base64(rideFile())) },
  fc.constantFrom("http://169.254.169.254/", "ftp://files.example.com/", "not base64!", "PGdweD4="),
);

function objectOf(schema: z.infer<typeof schemaShape>): fc.Arbitrary<unknown> {
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => [
    name,
    name === "callback_url" ? callbackUrl : valueOf(field),
  ]);
  return fc.record<Record<string, unknown>>(Object.fromEntries(fields), { requiredKeys: [...required] });
}

function textOf(schema: z.infer<typeof schemaShape>): fc.Arbitrary<string> {
  if (schema.format === "date-time")
    return fc.constantFrom("2026-11-25T08:00:00Z", "2026-11-25T08:00:00.123+02:00");
  if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern));
  return fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(20, schema.maxLength ?? 20) });
}

/** Generates copies of a value with one part replaced, removed or added at any depth. */
function broken(value: unknown): fc.Arbitrary<unknown> {
  if (Array.isArray(value) && value.length > 0) {
    return fc
      .nat(value.length - 1)
      .chain((place) =>
        broken(value[place]).map((changed) =>
          value.map((item: unknown, index) => (index === place ? changed : item)),
        ),
      );
  }
  if (typeof value === "object" && value !== null && Object.keys(value).length > 0) {
    const fields = Object.entries(value);
    return fc.nat(fields.length - 1).chain((place) =>
      fc.oneof(
        fc.constant(Object.fromEntries(fields.filter((_, index) => index !== place))),
        broken(fields[place]?.[1]).map((changed) =>
          Object.fromEntries(fields.map(([name, field], index) => [name, index === place ? changed : field])),
        ),
        wrongValues.map((extra) => ({ ...value, unknown: extra })),
      ),
    );
  }
  return wrongValues;
}

/** Generates JSON texts with the errors of careless or hostile clients. */
const mangled = (text: string) =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(text) },
    fc.nat(text.length).map((end) => text.slice(0, end)),
    fc.constantFrom(
      `\ufeff${text}`,
      ` ${text}\n`,
      `${text}${text}`,
      text.replace("{", '{"user_id":1,'),
      "[".repeat(5_000),
    ),
  );

interface Request {
  method: string;
  path: string;
  parameters: Record<string, string>;
  query: [string, string][];
  headers: Record<string, string>;
  raw: string | null;
}

/** Generates header values that a client can send. */
const visible = (text: string) => /^[\x20-\x7e]*$/.test(text);

const requestOf = (operation: (typeof operations)[number]): fc.Arbitrary<Request> => {
  const of = (place: string) => operation.parameters.filter((parameter) => parameter.in === place);
  const textFor = (schema: unknown) =>
    fc.oneof(
      { weight: 3, arbitrary: valueOf(schema).map(String) },
      wrongValues.filter((value) => typeof value === "string").map(String),
    );
  const optional = (place: string, usable: (text: string) => boolean) =>
    fc.record<Record<string, string>>(
      Object.fromEntries(of(place).map(({ name, schema }) => [name, textFor(schema).filter(usable)])),
      { requiredKeys: [] },
    );
  const body = operation.requestBody?.content["application/json"]?.schema;
  return fc.record({
    method: fc.constant(operation.method),
    path: fc.constant(operation.path),
    parameters: fc.record<Record<string, string>>(
      Object.fromEntries(
        of("path").map(({ name }) => [
          name,
          fc
            .oneof(
              fc.constantFrom("0".repeat(34), "..%2F", "a.0", "a.-1", "evt_x"),
              fc.string({ unit: "binary", minLength: 1 }),
            )
            .filter((text) => text !== "." && text !== ".."),
        ]),
      ),
    ),
    query: fc
      .tuple(
        optional("query", (text) => text.isWellFormed()),
        fc.boolean(),
      )
      .map(([known, extra]) => [
        ...Object.entries(known),
        ...(extra ? [["colour", "red"] as [string, string]] : []),
      ]),
    headers: optional("header", visible),
    raw:
      body === undefined
        ? fc.constant(null)
        : valueOf(body)
            .chain((value) => fc.oneof(fc.constant(value), broken(value)))
            .chain((value) => mangled(JSON.stringify(value) ?? "")),
  });
};

const encoded = (text: string) => encodeURIComponent(text.toWellFormed());

async function ask(who: TestPartner, request: Request): Promise<Response> {
  const path = request.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encoded(request.parameters[name] ?? ""),
  );
  const query = request.query.map(([name, value]) => `${name}=${encoded(value)}`).join("&");
  const { method, headers, raw } = request;
  return send(
    who,
    method,
    query === "" ? path : `${path}?${query}`,
    raw === null ? { headers } : { headers, raw },
  );
}

/** Returns the parsed body of a request; null if it is not JSON. */
function bodyOf({ raw }: Request): unknown {
  try {
    return JSON.parse((raw ?? "").replace(/^\ufeff/, ""));
  } catch {
    return null;
  }
}

/** Whether a pointer refers to a part of the request, or to a missing field of such a part. */
function pointsInto(request: Request, pointer: string, code: string): boolean {
  const [, ...parts] = pointer.split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const leads = (root: unknown): boolean => {
    let value = root;
    for (const [depth, part] of parts.entries()) {
      if (typeof value !== "object" || value === null) return false;
      if (!Object.hasOwn(value, part)) return code === "required" && depth === parts.length - 1;
      value = new Map(Object.entries(value)).get(part);
    }
    return true;
  };
  const places = [Object.fromEntries(request.query), request.headers, request.parameters, bodyOf(request)];
  return places.some(leads);
}

const TABLES = [
  "files",
  "activities",
  "imports",
  "import_missing",
  "users",
  "user_sources",
  "deliveries",
  "idempotent_requests",
  "erased",
];

/** Counts the rows that are stored for a partner, and the collectors of all partners. */
async function amountStored(who: TestPartner): Promise<unknown> {
  const rows = await databaseOf(who).batch<{ count: number }>(
    TABLES.map((table) =>
      databaseOf(who).prepare(`SELECT count(*) count FROM ${table} WHERE partner_id = ?`).bind(who.partnerId),
    ),
  );
  const { objects } = await env.FILES.list();
  const collectors = await listDurableObjectIds(env.COLLECTOR);
  return {
    rows: rows.map((found) => found.results[0]?.count),
    objects: objects.filter((object) => object.key.includes(who.partnerId)).length,
    collectors: collectors.length,
  };
}

/** Half of all generated requests are POSTs with a body: most of the contract describes them. */
const anyRequest = fc
  .oneof(
    fc.constantFrom(...operations),
    fc.constantFrom(...operations.filter((operation) => operation.requestBody !== undefined)),
  )
  .chain(requestOf);

test("every request gets a documented response below 500, and each fault points to a part of the request", async () => {
  const codes = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(anyRequest, async (request) => {
      const who = await newPartner();
      const before = request.method === "GET" ? null : await amountStored(who);
      const response = await ask(who, request);
      expect(response.status).toBeLessThan(500);
      codes.set(
        `${request.method} ${response.status}`,
        (codes.get(`${request.method} ${response.status}`) ?? 0) + 1,
      );
      if (response.status < 400) return;
      const problem = problemSchema.parse(await response.json());
      for (const fault of problem.errors ?? []) {
        expect([fault, pointsInto(request, fault.pointer, fault.code)]).toEqual([fault, true]);
      }
      if (problem.code === "validation_failed") expect(problem.errors?.length).toBeGreaterThan(0);
      if (before !== null) expect(await amountStored(who)).toEqual(before);
    }),
    { numRuns: 400 },
  );
  // The generated requests include accepted and rejected ones of every method.
  for (const kind of ["GET 200", "GET 400", "GET 404", "POST 202", "POST 400", "DELETE 404"]) {
    expect(codes.get(kind), kind).toBeGreaterThan(0);
  }
}, 120_000);
