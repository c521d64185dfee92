import type { OperationObject } from "openapi3-ts/oas31";
import { SMALL_RIDE } from "./smallRide.ts";
import type { ShownRequest } from "./requests.ts";

/** Values of the parameters in paths. Names with `$` are variables that the reader has set. */
const PATH_VALUES: Readonly<Record<string, string>> = {
  file_id: "$FILE_ID",
  activity_id: "$ACTIVITY_ID",
  import_id: "$IMPORT_ID",
  id: "$EVENT_ID",
  endpoint_id: "$ENDPOINT_ID",
  key_id: "$KEY_ID",
  user_id: "rider-1",
};

/** Queries by operation. */
const QUERIES: Readonly<Record<string, string>> = {
  listFiles: "?status=imported&limit=10",
  listActivities: "?sport=cycling&limit=10",
  getStreams: "?resolution=500",
  inspectFile: "?streams=true",
};

/** Examples of bodies that run without a host for files. By default the first example is shown. */
const BODIES: Readonly<Record<string, string>> = { postPings: "inline" };

/** Returns the name of the example that the request beside an operation has as its body. */
export function shownExample(operationId: string, names: readonly string[]): string {
  return BODIES[operationId] ?? names[0] ?? "";
}

/** Returns the request that the page shows beside an operation. */
export function requestOf(operation: OperationObject, method: string, path: string): ShownRequest {
  const id = operation.operationId ?? "";
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => PATH_VALUES[name] ?? name);
  const request: ShownRequest = { method, path: filled + (QUERIES[id] ?? "") };
  const body = operation.requestBody;
  const content = body === undefined || "$ref" in body ? {} : body.content;
  const examples = content["application/json"]?.examples ?? {};
  const example = examples[shownExample(id, Object.keys(examples))];
  if (example !== undefined && "value" in example) request.json = example.value;
  if (content["application/octet-stream"] !== undefined) request.file = SMALL_RIDE;
  const returned = Object.keys(operation.responses?.["200"]?.content ?? {});
  if (returned.includes("application/gzip")) request.saveAs = "original.fit";
  if (returned.includes("application/x-ndjson")) request.isText = true;
  if (operation.security?.length === 0) request.isOpen = true;
  return request;
}
