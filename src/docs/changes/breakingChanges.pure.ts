import type {
  MediaTypeObject,
  OpenAPIObject,
  OperationObject,
  ParameterObject,
  PathItemObject,
  RequestBodyObject,
} from "openapi3-ts/oas31";
import { METHODS, responsesOf } from "../document.ts";
import { SUNSET_KEYWORD } from "./keywords.ts";
import { SchemaComparison, type Direction } from "./schemas.pure.ts";

type Content = Readonly<Record<string, MediaTypeObject>>;
type Report = (line: string) => void;

/**
 * Returns the changes in the current document that break clients of the published one, one line for each. An operation may be
 * removed from its sunset on. `today` is a date such as `2026-11-29`.
 */
export function breakingChanges(published: OpenAPIObject, current: OpenAPIObject, today: string): string[] {
  const lines: string[] = [];
  const report: Report = (line) => void lines.push(line);
  const schemas = new SchemaComparison(
    published.components?.schemas ?? {},
    current.components?.schemas ?? {},
    report,
  );
  for (const { name, was, is } of pairs(published.paths ?? {}, current.paths ?? {})) {
    if (is === undefined) {
      if (!hasEnded(was, today)) report(`${name} was removed`);
    } else {
      compareOperations(was, is, name, report, schemas);
    }
  }
  for (const { name, was, is } of pairs(published.webhooks ?? {}, current.webhooks ?? {})) {
    if (is === undefined) report(`the event ${name} was removed`);
    else
      compareContent(
        bodyOf(was)?.content,
        bodyOf(is)?.content,
        "response",
        `the event ${name}`,
        report,
        schemas,
      );
  }
  return lines;
}

function pairs(
  published: Readonly<Record<string, PathItemObject>>,
  current: Readonly<Record<string, PathItemObject>>,
): { name: string; was: OperationObject; is: OperationObject | undefined }[] {
  return Object.entries(published).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const was = item[method];
      const name = `${method.toUpperCase()} ${path}`;
      return was === undefined ? [] : [{ name, was, is: current[path]?.[method] }];
    }),
  );
}

function hasEnded(operation: OperationObject, today: string): boolean {
  const sunset: unknown = SUNSET_KEYWORD in operation ? operation[SUNSET_KEYWORD] : undefined;
  return operation.deprecated === true && typeof sunset === "string" && sunset <= today;
}

function compareOperations(
  was: OperationObject,
  is: OperationObject,
  name: string,
  report: Report,
  schemas: SchemaComparison,
): void {
  if (was.operationId !== is.operationId) {
    report(`${name}: the operationId ${was.operationId} is now ${is.operationId}`);
  }
  if (was.security?.length === 0 && is.security?.length !== 0) report(`${name} now requires a key`);
  compareParameters(was, is, name, report, schemas);
  compareBodies(bodyOf(was), bodyOf(is), name, report, schemas);
  compareResponses(was, is, name, report, schemas);
}

function compareParameters(
  was: OperationObject,
  is: OperationObject,
  name: string,
  report: Report,
  schemas: SchemaComparison,
): void {
  const before = parametersOf(was);
  const after = parametersOf(is);
  for (const [key, parameter] of before) {
    const now = after.get(key);
    if (now === undefined) report(`${name}: the parameter ${key} was removed`);
    else schemas.compare(parameter.schema, now.schema, "request", `${name}: the parameter ${key}`);
  }
  for (const [key, { required }] of after) {
    if (required === true && before.get(key)?.required !== true) {
      report(`${name}: the parameter ${key} is now required`);
    }
  }
}

function parametersOf({ parameters = [] }: OperationObject): Map<string, ParameterObject> {
  return new Map(
    parameters.flatMap((parameter): [string, ParameterObject][] =>
      "$ref" in parameter ? [] : [[`${parameter.name} (${parameter.in})`, parameter]],
    ),
  );
}

function bodyOf({ requestBody }: OperationObject): RequestBodyObject | undefined {
  return requestBody === undefined || "$ref" in requestBody ? undefined : requestBody;
}

function compareBodies(
  was: RequestBodyObject | undefined,
  is: RequestBodyObject | undefined,
  name: string,
  report: Report,
  schemas: SchemaComparison,
): void {
  if (is?.required === true && was?.required !== true) report(`${name}: the body is now required`);
  if (was === undefined) return;
  if (is === undefined) report(`${name}: the body was removed`);
  else compareContent(was.content, is.content, "request", `${name}: the body`, report, schemas);
}

function compareResponses(
  was: OperationObject,
  is: OperationObject,
  name: string,
  report: Report,
  schemas: SchemaComparison,
): void {
  const before = new Map(responsesOf(was));
  const after = new Map(responsesOf(is));
  for (const [status, response] of before) {
    const now = after.get(status);
    if (now === undefined) {
      report(`${name}: the status ${status} was removed`);
      continue;
    }
    compareContent(response.content, now.content, "response", `${name} ${status}`, report, schemas);
    for (const header of Object.keys(response.headers ?? {})) {
      if (now.headers?.[header] === undefined) report(`${name} ${status}: the header ${header} was removed`);
    }
  }
  for (const status of after.keys()) {
    if (status.startsWith("2") && !before.has(status)) report(`${name}: the success status ${status} is new`);
  }
}

function compareContent(
  was: Content = {},
  is: Content = {},
  direction: Direction,
  at: string,
  report: Report,
  schemas: SchemaComparison,
): void {
  for (const [type, { schema }] of Object.entries(was)) {
    const now = is[type];
    if (now === undefined) report(`${at} no longer has the type ${type}`);
    else schemas.compare(schema, now.schema, direction, at);
  }
}
