import type { TypedResponse } from "hono";
import type { ZodError } from "zod";
import { USER_ERASED } from "../erasure/userErased.ts";
import { faultsOf, listFaultOf, type Fault } from "../contract/fault.ts";
import { BODY_GRACE_MS } from "./bodyChunks.ts";
import type { RequestContext } from "./context.ts";
import { MIN_BYTES_PER_SECOND, TRANSFER_MS } from "./pace.ts";
import { MAX_FAULTS, problemSchema, type Problem } from "./problemSchema.ts";

/** All problems of the API, by status. The codes are stable. */
export const PROBLEMS = {
  malformed_json: { status: 400, title: "The body is not valid JSON" },
  validation_failed: { status: 400, title: "The request is invalid" },
  conflicting_credentials: { status: 400, title: "The request contains conflicting credentials" },
  unauthorized: { status: 401, title: "The Partner-Id header and the key do not match" },
  https_required: { status: 403, title: "HTTPS is required" },
  partner_suspended: { status: 403, title: "The partner is suspended" },
  insufficient_scope: { status: 403, title: "The credential does not permit this request" },
  quota_exceeded: { status: 403, title: "The partner's quota is used up" },
  read_only_key: { status: 403, title: "The key is read-only" },
  self_service_locked: { status: 403, title: "The partner's keys, endpoints and settings are locked" },
  not_found: { status: 404, title: "The resource was not found" },
  method_not_allowed: { status: 405, title: "The path does not support this method" },
  body_too_slow: { status: 408, title: "The body arrived too slowly" },
  not_retryable: { status: 409, title: "No file can be retried" },
  import_completed: { status: 409, title: "The import has completed" },
  no_event_url: { status: 409, title: "The event has no receiver" },
  original_not_fit: { status: 409, title: "The stored bytes are not a FIT file" },
  too_many_endpoints: { status: 409, title: "The partner has too many endpoints" },
  too_many_keys: { status: 409, title: "The partner has too many keys" },
  last_key: { status: 409, title: "The key is the last one with the scope full" },
  too_many_secrets: { status: 409, title: "The endpoint has too many valid secrets" },
  endpoint_on_hold: { status: 409, title: "The endpoint is on hold" },
  changed_meanwhile: { status: 409, title: "Another request changed the resource" },
  event_in_delivery: { status: 409, title: "The event is still being delivered" },
  idempotency_in_flight: { status: 409, title: "A request with this idempotency key is in progress" },
  body_too_large: { status: 413, title: "The body is too large" },
  too_many_items: { status: 413, title: "The request contains too many items" },
  too_many_users: { status: 413, title: "The request names too many users" },
  too_many_values: { status: 413, title: "The body contains too many JSON values" },
  unsupported_media_type: { status: 415, title: "The media type of the body is not supported" },
  unsupported_content_encoding: {
    status: 415,
    title: "The content encoding of the body is not supported",
  },
  file_empty: { status: 422, title: "The file is empty" },
  file_too_large: { status: 422, title: "The unpacked file is too large" },
  not_fit: { status: 422, title: "The file is not a FIT file" },
  archive_invalid: { status: 422, title: "The archive cannot be unpacked to one FIT file" },
  not_an_activity: { status: 422, title: "The FIT file is not an activity file" },
  no_activity_data: { status: 422, title: "The FIT file contains no activity data" },
  answer_too_large: { status: 422, title: "The response is too large" },
  idempotency_key_reused: { status: 422, title: "The idempotency key was used for another request" },
  rate_limited: { status: 429, title: "Too many requests" },
  internal: { status: 500, title: "Internal error" },
  original_missing: { status: 500, title: "The stored bytes of the file are missing" },
  original_damaged: { status: 500, title: "The stored bytes of the file are damaged" },
  store_unavailable: { status: 503, title: "A data store is unavailable" },
  schema_missing: { status: 503, title: "The database has no current schema" },
  memory_short: { status: 503, title: "Not enough memory for the request" },
  database_full: { status: 503, title: "The service has no room for further files" },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;
type StatusOf<C extends ProblemCode> = (typeof PROBLEMS)[C]["status"];
type CodeOf<S extends number> = { [C in ProblemCode]: StatusOf<C> extends S ? C : never }[ProblemCode];

export interface ProblemExtras {
  errors?: readonly Fault[];
  headers?: Record<string, string>;
}

/** Retry-After of a 503 for an unavailable store. */
const STORE_RETRY_SECONDS = 5;

/** Returns the body of a problem response. Partners read `detail`: it must contain no data of other partners. */
export function problemDocument(
  code: ProblemCode,
  detail: string,
  requestId: string,
  errors?: readonly Fault[],
): Problem {
  const { status, title } = PROBLEMS[code];
  return {
    type: `/docs/#problem-${code}`,
    title,
    status,
    detail,
    code,
    request_id: requestId,
    ...(errors === undefined ? {} : { errors: errors.slice(0, MAX_FAULTS) }),
  };
}

/** Returns a problem response. */
export function problem<C extends ProblemCode>(
  c: RequestContext,
  code: C,
  detail: string,
  { errors, headers }: ProblemExtras = {},
): TypedResponse<Problem, StatusOf<C>, "json"> & Response {
  const { status }: { status: StatusOf<C> } = PROBLEMS[code];
  const body = problemDocument(code, detail, c.var.requestId, errors);
  return c.json(body, status, { "Content-Type": "application/problem+json", ...headers });
}

/** Returns a 404. It does not show whether another partner has the resource. */
export function notFound(
  c: RequestContext,
  resource: "activity" | "endpoint" | "event" | "file" | "import" | "key" | "user",
) {
  return problem(c, "not_found", `The partner has no ${resource} with this id. Check the id in the path.`);
}

/** Returns the response to a request of a suspended partner. */
export function partnerSuspended(c: RequestContext) {
  return problem(
    c,
    "partner_suspended",
    "An operator suspended this partner, so its requests are rejected. Ask us for the reason.",
  );
}

/** Returns a 503 for a request that failed and may be repeated. */
export function storeUnavailable(c: RequestContext) {
  return problem(
    c,
    "store_unavailable",
    "The request could not be completed. Send the same request again after the time in `Retry-After`. Repeating it is safe.",
    { headers: { "Retry-After": String(STORE_RETRY_SECONDS) } },
  );
}

/** Returns a 503 for a request whose database lacks its tables. */
export function schemaMissing(
  c: RequestContext,
  detail = "An operator must update the service's database. `GET /health/` names the command. Send the same request again after the time in `Retry-After`.",
) {
  c.var.logFields.fault = "schema_missing";
  return problem(c, "schema_missing", detail, { headers: { "Retry-After": String(STORE_RETRY_SECONDS) } });
}

/** Returns a 503 for a request that was processed while its user was erased. A repeated request creates the user again. */
export function userErased(c: RequestContext) {
  c.var.logFields.fault = USER_ERASED.code;
  return storeUnavailable(c);
}

/** Returns a 400 that lists the errors of a body, query or header. */
export function validationFailed(c: RequestContext, errors: readonly Fault[]) {
  const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
  const listed = errors.length > MAX_FAULTS ? `the first ${MAX_FAULTS}` : "each";
  return problem(
    c,
    "validation_failed",
    `The request contains ${count}. \`errors\` lists ${listed} with a JSON pointer. Correct the request and send it again.`,
    { errors },
  );
}

/** A validator's result for a request that its schema rejects. `data` is the validated value. */
export interface SchemaFailure {
  error: ZodError;
  data?: unknown;
}

export function faultsIn({ error, data }: SchemaFailure): Fault[] {
  return faultsOf(error.issues, data);
}

/** Returns the response to a request that its schema rejects: a 413 if a whole list is rejected, else a 400. */
export function invalidRequest(c: RequestContext, errors: readonly Fault[]) {
  const rejected = listFaultOf(errors);
  return rejected === null
    ? validationFailed(c, errors)
    : problem(c, rejected.code, rejected.fault.detail, { errors: [rejected.fault] });
}

/** Returns the response for stored bytes that are lost. It is a 500, because a repeated request does not help. */
export function originalMissing(c: RequestContext) {
  return problem(
    c,
    "original_missing",
    "The bytes of this file were stored, but they are now missing from our store. Ping the file again with `overwrite_mode: true`.",
  );
}

/** Returns the response for stored bytes that no longer contain the activity that was decoded from them. */
export function originalDamaged(c: RequestContext) {
  return problem(
    c,
    "original_damaged",
    "The activity was decoded from the stored bytes of this file, but these bytes no longer contain it: our store has damaged them. Ping the file again with `overwrite_mode: true`.",
  );
}

/** Returns a 503 while the requests of this partner, or of all partners, use all their memory. */
export function memoryShort(c: RequestContext) {
  return problem(
    c,
    "memory_short",
    "The large requests of this partner, or of all partners, use all the memory that they may use. Send the same request again after the time in `Retry-After`, and send one large request at a time.",
    { headers: { "Retry-After": "1" } },
  );
}

/** Returns a 408 for a body that arrived too slowly or incompletely. */
export function bodyTooSlow(c: RequestContext) {
  return problem(
    c,
    "body_too_slow",
    `The body arrived too slowly or incompletely. After ${BODY_GRACE_MS / 1000} s, a body must arrive at ${MIN_BYTES_PER_SECOND / 1024} KiB per second or faster, and it must be complete within ${TRANSFER_MS / 1000} s. Send the same request again.`,
    { headers: { "Retry-After": "1" } },
  );
}

export function unsupportedMediaType(c: RequestContext) {
  return problem(
    c,
    "unsupported_media_type",
    "The `Content-Type` header is missing or names another type. Send the body as `application/json`.",
  );
}

/** Returns the description of one error status for a route's `responses`, with an example for each code. */
function errorResponse(description: string, ...codes: ProblemCode[]) {
  const examples = Object.fromEntries(
    codes.map((code) => [code, { $ref: `#/components/examples/${code}` }] as const),
  );
  return { description, content: { "application/problem+json": { schema: problemSchema, examples } } };
}

/** Problems of a route without authentication and parameters. */
export const publicProblems = {
  400: errorResponse("The route has no parameters, and the request has some.", "validation_failed"),
  403: errorResponse("The request did not use HTTPS.", "https_required"),
  503: errorResponse("A database has no current schema.", "schema_missing"),
};

/** Problems of every authenticated read, for a route's `responses`. */
export const readProblems = {
  400: errorResponse("The request is invalid.", "validation_failed", "conflicting_credentials"),
  401: errorResponse("The `Partner-Id` header and the key do not match.", "unauthorized"),
  403: errorResponse(
    "The partner is suspended, the credential does not permit the request, or it did not use HTTPS.",
    "partner_suspended",
    "insufficient_scope",
    "https_required",
  ),
  429: errorResponse(
    "The partner sent too many requests. Wait as long as `Retry-After` says.",
    "rate_limited",
  ),
  500: errorResponse("An error in this service prevented the request.", "internal"),
  503: errorResponse(
    "A data store is unavailable, or memory is short. Wait as long as `Retry-After` says.",
    "store_unavailable",
    "schema_missing",
    "memory_short",
  ),
};

/** Problems of a self-service change. Spread it after the route's other problems: it replaces their 403. */
export const selfServiceProblem = {
  403: errorResponse(
    "The partner is suspended, its keys, endpoints and settings are locked, the key is read-only, or the request did not use HTTPS.",
    "partner_suspended",
    "self_service_locked",
    "https_required",
  ),
};

/** Problems of a read of stored bytes. Spread it after `readProblems`: it replaces their 500. */
export const originalMissingProblem = {
  500: errorResponse("An error in this service prevented the request.", "internal", "original_missing"),
};

/** The same for a read that decodes the bytes. */
export const originalProblems = {
  500: errorResponse(
    "An error in this service prevented the request.",
    "internal",
    "original_missing",
    "original_damaged",
  ),
};

export function conflictProblem(...codes: CodeOf<409>[]) {
  return { 409: errorResponse("The current state does not allow this request.", ...codes) };
}

export const keyReusedProblem = {
  422: errorResponse("The `Idempotency-Key` was used for another request.", "idempotency_key_reused"),
};

/** Problems of a request that counts against a quota. Spread it after `writeProblems`: it replaces their 403. */
export const quotaProblem = {
  403: errorResponse(
    "The partner is suspended, its quota is used up, the credential does not permit the request, or it did not use HTTPS.",
    "partner_suspended",
    "insufficient_scope",
    "quota_exceeded",
    "https_required",
  ),
};

export const notFoundProblem = {
  404: errorResponse("The resource does not exist, or it belongs to another partner.", "not_found"),
};

const slowProblem = {
  408: errorResponse("The body arrived too slowly. Wait as long as `Retry-After` says.", "body_too_slow"),
};

/** Problem of a route that can produce a response over the memory limit. */
export const responseTooLargeProblem = {
  422: errorResponse("The response is too large.", "answer_too_large"),
};

/** Problems of a POST of a file's bytes. */
export const fileProblems = {
  ...slowProblem,
  413: errorResponse("The file is too large.", "body_too_large"),
  415: errorResponse(
    "The media type or the content encoding of the body is not supported.",
    "unsupported_media_type",
    "unsupported_content_encoding",
  ),
  422: errorResponse(
    "An import would reject this file, or the response is too large.",
    "file_empty",
    "file_too_large",
    "not_fit",
    "archive_invalid",
    "not_an_activity",
    "no_activity_data",
    "answer_too_large",
  ),
};

/** Problems of a request that needs room for files. Spread it after `writeProblems`: it replaces their 503. */
export const databaseFullProblem = {
  503: errorResponse(
    "A store is unavailable or full. Repeating the request later is safe.",
    "store_unavailable",
    "memory_short",
    "database_full",
  ),
};

/** Problems of a POST of pings. Spread it after `writeProblems`: it replaces their 413. */
export const tooManyUsersProblem = {
  413: errorResponse(
    "The body or the list is too large, or names too many users.",
    "body_too_large",
    "too_many_items",
    "too_many_users",
    "too_many_values",
  ),
};

/** Problems of a POST with a JSON body. */
export const writeProblems = {
  ...readProblems,
  ...slowProblem,
  400: errorResponse(
    "The request is invalid.",
    "validation_failed",
    "malformed_json",
    "conflicting_credentials",
  ),
  413: errorResponse(
    "The body or the list is too large.",
    "body_too_large",
    "too_many_items",
    "too_many_values",
  ),
  415: errorResponse(
    "The media type or the content encoding of the body is not supported.",
    "unsupported_media_type",
    "unsupported_content_encoding",
  ),
};
