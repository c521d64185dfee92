import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { z } from "zod";
import { app } from "../../src/http/app.ts";
import { problemSchema, type Problem } from "../../src/http/problem.ts";
import type { TestPartner } from "./partner.ts";

/** Sends a request as a partner would; an object as body is sent as JSON. */
export async function send(
  who: Pick<TestPartner, "headers"> | null,
  method: string,
  path: string,
  { body, headers }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Response> {
  const all = { ...who?.headers, ...headers };
  const init: RequestInit =
    body === undefined
      ? { method, headers: all }
      : { method, headers: { "Content-Type": "application/json", ...all }, body: JSON.stringify(body) };
  return app.request(path, init, env);
}

/** The answer's body, which must have this status and be all that the schema says and nothing more. */
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

/** The problem document of an answer with this status and code. */
export async function problemOf(response: Response, status: number, code: string): Promise<Problem> {
  const found = await answerOf(response, status, problemSchema);
  expect(response.headers.get("Content-Type")).toBe("application/problem+json");
  expect(found).toMatchObject({ status, code, request_id: response.headers.get("X-Request-Id") });
  return found;
}

/** Where the faults are, each with its code. */
export function faultsOf(problem: Problem): [pointer: string, code: string][] {
  return (problem.errors ?? []).map(({ pointer, code }) => [pointer, code]);
}
