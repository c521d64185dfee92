import type { OpenAPIObject } from "openapi3-ts/oas31";
import { breakingChanges } from "./breakingChanges.pure.ts";

/** Keywords without meaning for programs. */
const TEXTS = new Set(["description", "summary", "title", "example", "examples"]);
/** Keywords whose values are maps. Their keys are our own names, not keywords. */
const MAPS = new Set([
  "properties",
  "paths",
  "schemas",
  "headers",
  "parameters",
  "responses",
  "webhooks",
  "mapping",
]);

/** Returns the part of a document that programs depend on: without texts and examples. */
export function contractOf(document: OpenAPIObject): unknown {
  return withoutTexts(JSON.parse(JSON.stringify(document)), false);
}

function withoutTexts(node: unknown, isMap: boolean): unknown {
  if (Array.isArray(node)) return node.map((item) => withoutTexts(item, false));
  if (typeof node !== "object" || node === null) return node;
  const kept = Object.entries(node).filter(
    ([key, value]) => isMap || !TEXTS.has(key) || typeof value === "number",
  );
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutTexts(value, !isMap && MAPS.has(key))]));
}

/**
 * Returns the breaking changes that forbid replacing the published document. None for a new major version. `today` is a date such
 * as `2026-11-29`.
 */
export function contractProblems(published: OpenAPIObject, current: OpenAPIObject, today: string): string[] {
  const major = ({ info }: OpenAPIObject) => Number(info.version.split(".")[0]);
  return major(current) > major(published) ? [] : breakingChanges(published, current, today);
}
