import { z, type OpenAPIHono } from "@hono/zod-openapi";
import type {
  OpenAPIObject,
  OperationObject,
  ReferenceObject,
  ResponseObject,
  SchemaObject,
} from "openapi3-ts/oas31";
import { inWords } from "../contract/amounts.ts";
import { API_VERSION } from "../contract/version.ts";
import { RESPONSE_DEADLINE_MS } from "../deliveries/schedule.pure.ts";
import { DEPRECATIONS, type Deprecation } from "../contract/deprecations.ts";
import type { Fault } from "../contract/fault.ts";
import {
  importCancelledEventSchema,
  importCompletedEventSchema,
  testEventSchema,
  userErasedEventSchema,
} from "../deliveries/bodies.pure.ts";
import { OUTCOMES_REPORTED, outcomesEventSchema } from "../outcomes/event.ts";
import { IMPORT_CANCELLED, USER_ERASED } from "../endpoints/endpoint.ts";
import type { AppEnv } from "../http/context.ts";
import { onlyReads } from "../http/permission.ts";
import { problemDocument, PROBLEMS, type ProblemCode } from "../http/problem.ts";
import { REQUEST_EXAMPLES, SCHEMA_EXAMPLES } from "./examples.ts";
import { FIELDS } from "./fields.ts";
import { OPERATIONS, TAGS, type Operation } from "./operations.ts";
import { OPEN_LIST_KEYWORD, SUNSET_KEYWORD } from "./changes/keywords.ts";
import { isOpenList, SCHEMAS } from "./schemas.ts";

type App = OpenAPIHono<AppEnv>;
export type SchemaOrRef = SchemaObject | ReferenceObject;

export const METHODS = ["get", "post", "patch", "delete"] as const;

const SCHEMA_REF = "#/components/schemas/";

/** Returns the name of the schema that a reference points to. Null for an inline schema. */
export function nameOf(schema: SchemaOrRef | undefined): string | null {
  return schema !== undefined && "$ref" in schema ? schema.$ref.slice(SCHEMA_REF.length) : null;
}

/** Returns the responses of an operation. None of them is a reference. */
export function responsesOf({ responses }: OperationObject): [status: string, response: ResponseObject][] {
  const all: Record<string, ResponseObject | ReferenceObject> = responses ?? {};
  return Object.entries(all).flatMap(([status, response]) =>
    "$ref" in response ? [] : [[status, response]],
  );
}

const text = { type: "string" as const };
const seconds = { type: "integer" as const, minimum: 0 };

/** Headers that the middleware adds to the responses of all routes. */
const HEADERS = {
  "X-Request-Id": { description: "Id of the request. Include it when you contact us.", schema: text },
  "Retry-After": { description: "Seconds to wait before you send the same request again.", schema: seconds },
  "WWW-Authenticate": { description: "`Bearer`.", schema: text },
  "RateLimit-Policy": {
    description:
      'Limits that the request counts against: `"intake";q=6000;w=60, "files";q=60000;w=60` allows `q` requests or files in `w` seconds. Absent for partners without limits (draft-ietf-httpapi-ratelimit-headers).',
    schema: text,
  },
  RateLimit: {
    description:
      'What is left: `"intake";r=5999;t=1` allows `r` requests or files now. The whole limit is available again in `t` seconds.',
    schema: text,
  },
};
type HeaderName = keyof typeof HEADERS;

/** Headers of responses to deprecated operations. */
const DEPRECATION_HEADERS = {
  Deprecation: {
    description:
      "Day from which the operation is deprecated, such as `@1796083200` in Unix seconds (RFC 9745).",
    schema: text,
  },
  Sunset: {
    description: "Day from which the operation may be removed, as an HTTP date (RFC 8594).",
    schema: text,
  },
};

/** An example of a request id. */
const EXAMPLE_REQUEST_ID = "0b5bd11e-4a0c-4b7a-9f5c-6f6f2d6a2f3b";

export const INFO = {
  title: "Partner API",
  version: API_VERSION,
  summary: "FIT files in, training activities out.",
  description:
    "The guide with limits, errors and the verification of events is at `/docs/`. Every path also works without its trailing " +
    "slash. Unknown query parameters get 400. Methods that a path does not support get 405 with `Allow`.",
  license: { name: "Proprietary", identifier: "LicenseRef-Proprietary" },
};

const SECURITY_SCHEMES = {
  key: {
    type: "http" as const,
    scheme: "bearer",
    description:
      "`Authorization: Bearer <auth_key>`. The spelling `HTTP_AUTHORIZATION` is also accepted. If you send both with different values, the response is 400.",
  },
  partner: {
    type: "apiKey" as const,
    in: "header" as const,
    name: "Partner-Id",
    description: "Your partner id. The spelling `HTTP_PARTNER_ID` is also accepted.",
  },
};

/** Returns the OpenAPI document of `app`: its routes and schemas, with the texts, headers and examples of this folder. */
export function describe(app: App, deprecations: readonly Deprecation[] = DEPRECATIONS): OpenAPIObject {
  registerWebhooks(app);
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: INFO,
    servers: [{ url: "/", description: "The service that returned this document." }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security: [{ key: [], partner: [] }],
  });
  document.components = {
    ...document.components,
    securitySchemes: SECURITY_SCHEMES,
    headers: HEADERS,
    examples: problemExamples(),
  };
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      const name = `${method.toUpperCase()} ${path}`;
      const words = OPERATIONS[name];
      if (operation === undefined || words === undefined) continue;
      if (!onlyReads(method.toUpperCase(), path)) documentReadOnlyKey(operation);
      enrich(operation, words);
      const deprecation = deprecations.find((each) => each.operation === name);
      if (deprecation !== undefined) deprecate(operation, deprecation);
    }
  }
  const schemas = document.components.schemas ?? {};
  nameProblemCodes(schemas);
  for (const [name, schema] of Object.entries(schemas)) {
    describeSchema(name, schema);
    const example = SCHEMA_EXAMPLES.get(name);
    if (example !== undefined && !("$ref" in schema)) schema.examples = [example];
  }
  return document;
}

/** Gives `Problem.code` its list of codes. The codes are made of the problems, so the schema itself cannot name them. */
function nameProblemCodes(schemas: Record<string, SchemaOrRef>): void {
  const problem = schemas["Problem"];
  if (problem === undefined || "$ref" in problem || problem.properties === undefined) return;
  schemas["ProblemCode"] = { type: "string", enum: Object.keys(PROBLEMS) };
  problem.properties["code"] = { $ref: `${SCHEMA_REF}ProblemCode` };
}

const webhookHeaders = z.object({
  "webhook-id": z
    .string()
    .openapi({ param: { description: "Id of the event, the same for every attempt." } }),
  "webhook-timestamp": z
    .string()
    .openapi({ param: { description: "Time of this attempt, in Unix seconds." } }),
  "webhook-signature": z.string().openapi({
    param: {
      description:
        "`v1,` and a signature in base64. While a secret is rotated, the header has several of these, separated by spaces.",
    },
  }),
});

/** Returns an example for each problem code. Error responses refer to them. */
function problemExamples(): NonNullable<NonNullable<OpenAPIObject["components"]>["examples"]> {
  const fault: Fault = {
    pointer: "/activity_files/3/priority",
    code: "invalid_value",
    detail: "Received 2. Send 0 or 1.",
  };
  const isProblemCode = (code: string): code is ProblemCode => code in PROBLEMS;
  return Object.fromEntries(
    Object.keys(PROBLEMS)
      .filter(isProblemCode)
      // Documented here, because no operation returns it: it is the response to a request without an operation.
      .filter((code) => code !== "method_not_allowed")
      .map((code) => {
        const errors = code === "validation_failed" ? [fault] : undefined;
        const { title } = PROBLEMS[code];
        return [
          code,
          { summary: title, value: problemDocument(code, `${title}.`, EXAMPLE_REQUEST_ID, errors) },
        ];
      }),
  );
}

function registerWebhooks(app: App): void {
  const events = [
    [
      "bulk_fit_import.completed",
      "importCompleted",
      "A bulk import has completed",
      importCompletedEventSchema,
    ],
    [IMPORT_CANCELLED, "importCancelled", "A cancelled import has ended", importCancelledEventSchema],
    [
      OUTCOMES_REPORTED,
      "outcomesReported",
      "Files were imported or failed, or activities changed",
      outcomesEventSchema,
    ],
    [USER_ERASED, "userErased", "The deletion of a user is complete", userErasedEventSchema],
    ["test.ping", "testEvent", "A test event, sent by `POST /api/events/test/`", testEventSchema],
  ] as const;
  for (const [path, operationId, summary, schema] of events) {
    app.openAPIRegistry.registerWebhook({
      method: "post",
      path,
      operationId,
      summary,
      tags: ["Events"],
      security: [],
      description:
        "Signed as Standard Webhooks specifies; see the guide. Respond with any 2xx within " +
        `${inWords(RESPONSE_DEADLINE_MS)}. The event may arrive more than once, with the same \`webhook-id\`. 410 ends the attempts. ` +
        "After any other response, or none, the service sends the event again for about three days.",
      request: {
        headers: webhookHeaders,
        body: { required: true, content: { "application/json": { schema } } },
      },
      responses: {
        "2XX": { description: "Accepted." },
        "410": { description: "Ends the attempts to deliver this event." },
      },
    });
  }
}

function deprecate(operation: OperationObject, { since, sunset }: Deprecation): void {
  operation.deprecated = true;
  operation[SUNSET_KEYWORD] = sunset;
  operation.description = `Deprecated since ${since}. May be removed from ${sunset} on. ${operation.description}`;
  for (const [, response] of responsesOf(operation)) {
    response.headers = { ...response.headers, ...DEPRECATION_HEADERS };
  }
}

/** Adds the problem `read_only_key` to an operation that writes. */
function documentReadOnlyKey(operation: OperationObject): void {
  const [, response] = responsesOf(operation).find(([status]) => status === "403") ?? [];
  const media = response?.content?.["application/problem+json"];
  if (response === undefined || media === undefined) return;
  const example = { $ref: "#/components/examples/read_only_key" };
  const content = {
    "application/problem+json": { ...media, examples: { ...media.examples, read_only_key: example } },
  };
  operation.responses = { ...operation.responses, 403: { ...response, content } };
}

function enrich(operation: OperationObject, { tag, ...words }: Operation): void {
  Object.assign(operation, words, { tags: [tag] });
  const open = operation.security?.length === 0;
  for (const [status, response] of responsesOf(operation)) {
    const names: HeaderName[] = ["X-Request-Id"];
    if (status === "401") names.push("WWW-Authenticate");
    if (["408", "429", "503"].includes(status)) names.push("Retry-After");
    if (!open && status !== "401" && status !== "403") names.push("RateLimit-Policy", "RateLimit");
    response.headers = {
      ...response.headers,
      ...Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    };
  }
  for (const parameter of operation.parameters ?? []) {
    if ("$ref" in parameter) continue;
    parameter.description ??= FIELDS[`${parameter.in}.${parameter.name}`] ?? FIELDS[parameter.name] ?? "";
  }
  const body = operation.requestBody;
  const media = body === undefined || "$ref" in body ? undefined : body.content["application/json"];
  const examples = Object.entries(REQUEST_EXAMPLES).find(([name]) => name === words.operationId)?.[1];
  if (media !== undefined && examples !== undefined) media.examples = { ...examples };
}

/**
 * Describes a schema and its fields. Objects in responses are open, even if their zod schema is strict: fields may be
 * added, and a generated client must not reject them.
 */
function describeSchema(name: string, schema: SchemaOrRef): void {
  if ("$ref" in schema) return;
  const words = SCHEMAS[name];
  if (words !== undefined) schema.description = words;
  if (words !== undefined && schema.enum !== undefined) schema[OPEN_LIST_KEYWORD] = isOpenList(words);
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  for (const [field, property] of Object.entries(schema.properties ?? {})) {
    const words = FIELDS[`${name}.${field}`] ?? FIELDS[field];
    if (words !== undefined) property.description = words;
  }
}
