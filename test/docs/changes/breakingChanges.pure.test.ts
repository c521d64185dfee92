import type { OpenAPIObject, OperationObject, SchemaObject } from "openapi3-ts/oas31";
import { expect, test } from "vitest";
import { breakingChanges } from "../../../src/docs/changes/breakingChanges.pure.ts";
import { describe } from "../../../src/docs/document.ts";
import { app } from "../../../src/http/app.ts";

const TODAY = "2026-11-29";

/** A small document with one of everything that the comparison reads. */
function original(): Parts {
  const ride: SchemaObject = {
    type: "object",
    required: ["id", "status", "sport"],
    properties: {
      id: { type: "string", maxLength: 64 },
      status: { type: "string", enum: ["held", "imported"], "x-open-list": false },
      sport: { type: "string", enum: ["cycling", "running"], "x-open-list": true },
      distance: { type: ["integer", "null"] },
      laps: { type: "array", items: { type: "object", properties: { start: { type: "integer" } } } },
      made: { type: "string", format: "date-time" },
    },
  };
  const ping: SchemaObject = {
    type: "object",
    required: ["name"],
    properties: {
      name: { type: "string", minLength: 1, maxLength: 64 },
      priority: { type: "integer", enum: [0, 1] },
      weight: { type: "number", minimum: 0, default: 1 },
      title: { type: ["string", "null"] },
    },
  };
  const operation: OperationObject = {
    operationId: "postRide",
    security: [],
    parameters: [
      { name: "limit", in: "query", schema: { type: "integer", maximum: 200 } },
      { name: "Prefer", in: "header", schema: { type: "string" } },
    ],
    requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Ping" } } } },
    responses: {
      200: {
        description: "The ride.",
        headers: { "X-Request-Id": { schema: { type: "string" } } },
        content: { "application/json": { schema: { $ref: "#/components/schemas/Ride" } } },
      },
      409: { description: "Refused." },
    },
  };
  const event: OperationObject = {
    requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Ride" } } } },
  };
  const document: OpenAPIObject = {
    openapi: "3.1.0",
    info: { title: "Rides", version: "1.0.0" },
    paths: { "/rides/": { post: operation, get: { operationId: "listRides", responses: {} } } },
    webhooks: { "ride.imported": { post: event } },
    components: { schemas: { Ride: ride, Ping: ping } },
  };
  return { document, operation, ride, ping };
}

interface Parts {
  document: OpenAPIObject;
  operation: OperationObject;
  ride: SchemaObject;
  ping: SchemaObject;
}

const fieldOf = (schema: SchemaObject, name: string): SchemaObject =>
  schema.properties?.[name] as SchemaObject;

/** Returns the findings for a change of the document. */
function findings(change: (parts: Parts) => void): string[] {
  const changed = original();
  change(changed);
  return breakingChanges(original().document, changed.document, TODAY);
}

type Case = [title: string, change: (parts: Parts) => void, finding: string];

const BREAKS: Case[] = [
  ["a removed path", ({ document }) => (document.paths = {}), "POST /rides/ was removed"],
  ["a removed method", ({ document }) => delete document.paths?.["/rides/"]?.get, "GET /rides/ was removed"],
  ["a removed event", ({ document }) => (document.webhooks = {}), "the event POST ride.imported was removed"],
  [
    "another operationId",
    ({ operation }) => (operation.operationId = "sendRide"),
    "POST /rides/: the operationId postRide is now sendRide",
  ],
  [
    "a key where none was needed",
    ({ operation }) => (operation.security = [{ key: [] }]),
    "POST /rides/ now requires a key",
  ],
  [
    "a removed parameter",
    ({ operation }) => operation.parameters?.pop(),
    "POST /rides/: the parameter Prefer (header) was removed",
  ],
  [
    "a new required parameter",
    ({ operation }) => operation.parameters?.push({ name: "user", in: "query", required: true }),
    "POST /rides/: the parameter user (query) is now required",
  ],
  [
    "a lower maximum of a parameter",
    ({ operation }) =>
      (operation.parameters = [
        { name: "limit", in: "query", schema: { type: "integer", maximum: 100 } },
        { name: "Prefer", in: "header", schema: { type: "string" } },
      ]),
    "POST /rides/: the parameter limit (query): maximum is now 100",
  ],
  ["a removed body", ({ operation }) => delete operation.requestBody, "POST /rides/: the body was removed"],
  [
    "a body that is now required",
    ({ operation }) =>
      (operation.requestBody = {
        required: true,
        content: { "application/json": { schema: { $ref: "#/components/schemas/Ping" } } },
      }),
    "POST /rides/: the body is now required",
  ],
  [
    "another media type of a body",
    ({ operation }) => (operation.requestBody = { content: { "text/plain": {} } }),
    "POST /rides/: the body no longer has the type application/json",
  ],
  [
    "a removed field of a request",
    ({ ping }) => delete ping.properties?.["title"],
    "Ping in requests: the field title was removed",
  ],
  [
    "a new required field of a request",
    ({ ping }) => ping.required?.push("weight"),
    "Ping in requests: the field weight is now required",
  ],
  [
    "a removed value of a request",
    ({ ping }) => (fieldOf(ping, "priority").enum = [1]),
    "Ping in requests.priority no longer accepts 0",
  ],
  [
    "a list of values where any was accepted",
    ({ ping }) => (fieldOf(ping, "name").enum = ["a"]),
    "Ping in requests.name accepts only a list of values now",
  ],
  [
    "a request that no longer accepts null",
    ({ ping }) => (fieldOf(ping, "title").type = "string"),
    "Ping in requests.title no longer accepts null",
  ],
  [
    "another type of a request's field",
    ({ ping }) => (fieldOf(ping, "weight").type = "string"),
    "Ping in requests.weight no longer accepts number",
  ],
  [
    "integers where fractions were accepted",
    ({ ping }) => (fieldOf(ping, "weight").type = "integer"),
    "Ping in requests.weight accepts only integers now",
  ],
  [
    "a shorter text in a request",
    ({ ping }) => (fieldOf(ping, "name").maxLength = 32),
    "Ping in requests.name: maxLength is now 32",
  ],
  [
    "a longer minimum in a request",
    ({ ping }) => (fieldOf(ping, "name").minLength = 2),
    "Ping in requests.name: minLength is now 2",
  ],
  [
    "a new pattern in a request",
    ({ ping }) => (fieldOf(ping, "name").pattern = "^a"),
    "Ping in requests.name: pattern is now ^a",
  ],
  [
    "another default",
    ({ ping }) => (fieldOf(ping, "weight").default = 2),
    "Ping in requests.weight: the default changed",
  ],
  [
    "a request that rejects other fields",
    ({ ping }) => (ping.additionalProperties = false),
    "Ping in requests rejects other fields now",
  ],
  [
    "a removed status",
    ({ operation }) => delete operation.responses?.["409"],
    "POST /rides/: the status 409 was removed",
  ],
  [
    "a new success status",
    ({ operation }) => Object.assign(operation.responses ?? {}, { 202: { description: "Later." } }),
    "POST /rides/: the success status 202 is new",
  ],
  [
    "a removed header of a response",
    ({ operation }) => delete operation.responses?.["200"].headers,
    "POST /rides/ 200: the header X-Request-Id was removed",
  ],
  [
    "a removed field of a response",
    ({ ride }) => delete ride.properties?.["sport"],
    "Ride in responses: the field sport was removed",
  ],
  [
    "a field of a response that may be absent",
    ({ ride }) => (ride.required = ["id", "status"]),
    "Ride in responses: the field sport may now be absent",
  ],
  [
    "a new null in a response",
    ({ ride }) => (fieldOf(ride, "id").type = ["string", "null"]),
    "Ride in responses.id can now be null",
  ],
  [
    "fractions in a response",
    ({ ride }) => (fieldOf(ride, "distance").type = ["number", "null"]),
    "Ride in responses.distance can now be a fraction",
  ],
  [
    "a new value in a closed list",
    ({ ride }) => fieldOf(ride, "status").enum?.push("late"),
    'Ride in responses.status: the closed list has the new value "late"',
  ],
  [
    "a closed list that opens",
    ({ ride }) => (fieldOf(ride, "status")["x-open-list"] = true),
    "Ride in responses.status: the closed list is open now",
  ],
  [
    "a closed list that ends",
    ({ ride }) => delete fieldOf(ride, "status").enum,
    "Ride in responses.status: the closed list is open now",
  ],
  [
    "another format in a response",
    ({ ride }) => delete fieldOf(ride, "made").format,
    "Ride in responses.made: the format is no longer date-time",
  ],
  [
    "a removed field of a list's items",
    ({ ride }) => (fieldOf(ride, "laps").items = { type: "object", properties: {} }),
    "Ride in responses.laps[]: the field start was removed",
  ],
];

test.for(BREAKS)("%s breaks the contract, and is found once", ([, change, finding]) => {
  const found = findings(change);
  expect(found).toContain(finding);
  expect(new Set(found).size).toBe(found.length);
});

const ADDITIONS: [title: string, change: (parts: Parts) => void][] = [
  ["a new path", ({ document }) => Object.assign(document.paths ?? {}, { "/laps/": { get: {} } })],
  ["a new event", ({ document }) => Object.assign(document.webhooks ?? {}, { "ride.lost": { post: {} } })],
  [
    "a new optional parameter",
    ({ operation }) => operation.parameters?.push({ name: "user", in: "query", schema: { type: "string" } }),
  ],
  [
    "a new optional field of a request",
    ({ ping }) => Object.assign(ping.properties ?? {}, { note: { type: "string" } }),
  ],
  ["a new value in a request", ({ ping }) => fieldOf(ping, "priority").enum?.push(2)],
  ["a longer text in a request", ({ ping }) => (fieldOf(ping, "name").maxLength = 128)],
  ["a request field that becomes optional", ({ ping }) => (ping.required = [])],
  [
    "a new field of a response",
    ({ ride }) => Object.assign(ride.properties ?? {}, { note: { type: "string" } }),
  ],
  ["a new value in an open list", ({ ride }) => fieldOf(ride, "sport").enum?.push("rowing")],
  ["an open list that closes", ({ ride }) => (fieldOf(ride, "sport")["x-open-list"] = false)],
  ["a response without null", ({ ride }) => (fieldOf(ride, "distance").type = "integer")],
  [
    "a new error status",
    ({ operation }) => Object.assign(operation.responses ?? {}, { 413: { description: "" } }),
  ],
  ["another text", ({ ride }) => (ride.description = "A ride.")],
];

test.for(ADDITIONS)("%s breaks nothing", ([, change]) => {
  expect(findings(change)).toEqual([]);
});

test("an operation may be removed on the day of its sunset, and not before", () => {
  const { document, operation } = original();
  Object.assign(operation, { deprecated: true, "x-sunset": "2027-11-30" });
  const without = original().document;
  without.paths = { "/rides/": { get: { operationId: "listRides", responses: {} } } };
  expect(breakingChanges(document, without, "2027-11-29")).toEqual(["POST /rides/ was removed"]);
  expect(breakingChanges(document, without, "2027-11-30")).toEqual([]);
});

test("the service's own document is compatible with itself, and each of its operations is compared", () => {
  const document = describe(app);
  expect(breakingChanges(document, document, TODAY)).toEqual([]);
  const { paths = {} } = document;
  const count = Object.values(paths).flatMap((item) => Object.keys(item)).length;
  expect(breakingChanges(document, { ...document, paths: {} }, TODAY)).toHaveLength(count);
});
