import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { z } from "zod";
import { app } from "../../src/http/app.ts";
import { problemSchema, type Problem } from "../../src/http/problemSchema.ts";
import type { TestPartner } from "./partner.ts";

/** The routes of the OpenAPI document. Routes without parameters come first, as in the router. */
const documented = app.openAPIRegistry.definitions
  .flatMap((definition) => (definition.type === "route" ? [definition.route] : []))
  .map(({ method, path, responses }) => ({
    method,
    path: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
    parameters: path.split("{").length,
    responses,
  }))
  .toSorted((a, b) => a.parameters - b.parameters);

/** Returns the documented schema of this response. Null without a JSON body. */
function schemaFor(method: string, path: string, response: Response): z.ZodType | null {
  const type = response.headers.get("Content-Type")?.split(";")[0] ?? "";
  const asked = `${path.split("?")[0]}/`.replace(/\/+$/, "/");
  const route = documented.find(
    (candidate) => candidate.method === method.toLowerCase() && candidate.path.test(asked),
  );
  if (method === "HEAD") return null;
  // No route has this address and method.
  if (route === undefined) return problemSchema;
  const answer = route.responses[response.status];
  expect(Object.keys(route.responses), `${method} ${asked}`).toContain(String(response.status));
  if (answer === undefined || "$ref" in answer) throw new Error("answers are documented in place");
  expect(answer.content, `${method} ${asked} ${response.status}`).toHaveProperty([type]);
  const content = answer.content?.[type];
  const schema = content !== undefined && "schema" in content ? content.schema : null;
  // The schema of JSON lines describes a line. Tests read a stream themselves.
  const isJson = type.endsWith("json") && type !== "application/x-ndjson";
  return schema instanceof z.ZodType && isJson ? schema : null;
}

/**
 * Sends a request as a partner, with `body` as JSON or `raw` unchanged. Checks that the route documents the response,
 * and that the body has its schema.
 */
export async function send(
  who: Pick<TestPartner, "headers"> | null,
  method: string,
  path: string,
  { body, raw, headers }: { body?: unknown; raw?: BodyInit; headers?: Record<string, string> } = {},
): Promise<Response> {
  const all = { ...who?.headers, ...headers };
  const content = body === undefined ? raw : JSON.stringify(body);
  const init: RequestInit =
    content === undefined
      ? { method, headers: all }
      : { method, headers: { "Content-Type": "application/json", ...all }, body: content };
  const response = await app.request(path, init, env);
  schemaFor(method, path, response)?.parse(await response.clone().json());
  return response;
}

/** Returns the response's body. Checks its status, and that it has exactly the fields of the schema. */
export async function answerOf<T extends z.ZodType>(
  response: Response,
  status: number,
  schema: T,
): Promise<z.infer<T>> {
  const body: unknown = await response.json();
  expect({ status: response.status, body }).toMatchObject({ status });
  expect(response.headers.get("X-Request-Id")).toMatch(/^[0-9a-f-]{36}$/);
  return schema.parse(body);
}

/** Returns the problem document of a response. Checks its status and code. */
export async function problemOf(response: Response, status: number, code: string): Promise<Problem> {
  const found = await answerOf(response, status, problemSchema);
  expect(response.headers.get("Content-Type")).toBe("application/problem+json");
  expect(found).toMatchObject({ status, code, request_id: response.headers.get("X-Request-Id") });
  return found;
}

/** Returns the pointer and code of each fault. */
export function faultsOf(problem: Problem): [pointer: string, code: string][] {
  return (problem.errors ?? []).map(({ pointer, code }) => [pointer, code]);
}
