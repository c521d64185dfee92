import type { TypedResponse } from "hono";
import type { ZodError } from "zod";
import { USER_ERASED } from "../erasure/userErased.ts";
import { faultsOf, listFaultOf, type Fault } from "../contract/fault.ts";
import { BODY_GRACE_MS } from "./bodyChunks.ts";
import type { RequestContext } from "./context.ts";
import { MIN_BYTES_PER_SECOND, TRANSFER_MS } from "./pace.ts";
import { MAX_FAULTS, problemSchema, type Problem } from "./problemSchema.ts";

/** Problems that a request can end with, by status. Partners may rely on the codes. */
export const PROBLEMS = {
  malformed_json: { status: 400, title: "The body is not valid JSON" },
  validation_failed: { status: 400, title: "The request breaks the contract" },
  conflicting_credentials: { status: 400, title: "Two different credentials in one request" },
  unauthorized: { status: 401, title: "Partner id and key do not fit" },
  https_required: { status: 403, title: "The request came over plain http" },
  partner_suspended: { status: 403, title: "This partner is suspended" },
  quota_exceeded: { status: 403, title: "This partner's quota is used up" },
  not_found: { status: 404, title: "There is no such thing" },
  method_not_allowed: { status: 405, title: "This address does not know that method" },
  body_too_slow: { status: 408, title: "The body arrived too slowly" },
  not_retryable: { status: 409, title: "There is nothing to try again with" },
  no_event_url: { status: 409, title: "No event_url is configured" },
  original_not_fit: { status: 409, title: "The stored bytes are not a FIT file" },
  event_in_delivery: { status: 409, title: "This event is still being delivered" },
  idempotency_in_flight: { status: 409, title: "The same request is being answered" },
  body_too_large: { status: 413, title: "The body is too large" },
  too_many_items: { status: 413, title: "Too many items in one request" },
  too_many_users: { status: 413, title: "Too many users in one request" },
  too_many_values: { status: 413, title: "Too many values in one body" },
  unsupported_media_type: { status: 415, title: "The body is of another media type" },
  unsupported_content_encoding: { status: 415, title: "The body is encoded" },
  file_empty: { status: 422, title: "The file is empty" },
  file_too_large: { status: 422, title: "The file unpacks to more than an import takes" },
  not_fit: { status: 422, title: "This is not a FIT file" },
  archive_invalid: { status: 422, title: "The archive does not hold one FIT file" },
  not_an_activity: { status: 422, title: "This FIT file is not an activity" },
  no_activity_data: { status: 422, title: "This FIT file holds no activity" },
  answer_too_large: { status: 422, title: "The answer is too large" },
  idempotency_key_reused: { status: 422, title: "This idempotency key stands for another request" },
  rate_limited: { status: 429, title: "Too many requests" },
  internal: { status: 500, title: "Something failed on our side" },
  original_missing: { status: 500, title: "The stored bytes of this file are lost" },
  store_unavailable: { status: 503, title: "A store is not available" },
  memory_short: { status: 503, title: "Too much is being received at this moment" },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;
type StatusOf<C extends ProblemCode> = (typeof PROBLEMS)[C]["status"];
type CodeOf<S extends number> = { [C in ProblemCode]: StatusOf<C> extends S ? C : never }[ProblemCode];

export interface ProblemExtras {
  errors?: readonly Fault[];
  headers?: Record<string, string>;
}

/** Retry-After while a store is down. */
const STORE_RETRY_SECONDS = 5;

/** Returns the body of a problem. `detail` is for the partner and contains no data of other partners. */
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

/** Answers with a problem document. */
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

/** Answers a request that failed and may be sent again. */
export function storeUnavailable(c: RequestContext) {
  return problem(c, "store_unavailable", "Send the same request again; repeating it does no harm.", {
    headers: { "Retry-After": String(STORE_RETRY_SECONDS) },
  });
}

/** Answers a request whose user was erased meanwhile. Sent again, it starts from nothing. */
export function userErased(c: RequestContext) {
  c.var.logFields.fault = USER_ERASED.code;
  return storeUnavailable(c);
}

/** Answers a body or a query that breaks the contract with 400. */
export function refusal(c: RequestContext, errors: readonly Fault[]) {
  const count = errors.length === 1 ? "One thing is" : `${errors.length} things are`;
  const listed = errors.length > MAX_FAULTS ? `; the first ${MAX_FAULTS} are listed` : "";
  return problem(c, "validation_failed", `${count} wrong with this request${listed}.`, { errors });
}

/** A validator's result for a request that breaks its schema. `data` is the validated value. */
export interface Refused {
  error: ZodError;
  data?: unknown;
}

export function faultsIn({ error, data }: Refused): Fault[] {
  return faultsOf(error.issues, data);
}

/** Answers faults that a schema found. A list that is too long, or of too many users, is a 413 without other faults. */
export function refuseInvalid(c: RequestContext, errors: readonly Fault[]) {
  const rejected = listFaultOf(errors);
  return rejected === null
    ? refusal(c, errors)
    : problem(c, rejected.code, rejected.fault.detail, { errors: [rejected.fault] });
}

/** Answers for bytes that were stored and are lost. The fault is ours, so a 5xx; a repeated request does not help. */
export function originalMissing(c: RequestContext) {
  return problem(
    c,
    "original_missing",
    "We stored the bytes of this file, but our store does not have them now. Ping the file again with `overwrite_mode: true`.",
  );
}

/** Answers 503 while too many bodies are in memory, of this partner or of all. */
export function memoryShort(c: RequestContext) {
  return problem(
    c,
    "memory_short",
    "Your large requests, or those of all partners, hold as much memory as they may. Send the same request again in a moment, and one large request at a time.",
    { headers: { "Retry-After": "1" } },
  );
}

/** Answers a body that came too slowly, or not whole. The caller is at fault, not a store. */
export function bodyTooSlow(c: RequestContext) {
  return problem(
    c,
    "body_too_slow",
    `After ${BODY_GRACE_MS / 1000} s a body must arrive at ${MIN_BYTES_PER_SECOND / 1024} KiB a second, and whole within ${TRANSFER_MS / 1000} s. Send the same request again.`,
    { headers: { "Retry-After": "1" } },
  );
}

export function unsupportedMediaType(c: RequestContext) {
  return problem(c, "unsupported_media_type", "Send the body as application/json.");
}

/** Returns the error answer of one status for a route's `responses`, with an example for each code. */
function answer(description: string, ...codes: ProblemCode[]) {
  const examples = Object.fromEntries(
    codes.map((code) => [code, { $ref: `#/components/examples/${code}` }] as const),
  );
  return { description, content: { "application/problem+json": { schema: problemSchema, examples } } };
}

/** Problems of a route without authentication and parameters. */
export const openProblems = {
  400: answer("There are no parameters here.", "validation_failed"),
  403: answer("The request came over plain http.", "https_required"),
};

/** Problems of every authenticated read, for a route's `responses`. */
export const readProblems = {
  400: answer(
    "Something in the request breaks the contract.",
    "validation_failed",
    "conflicting_credentials",
  ),
  401: answer("Partner id and key do not fit.", "unauthorized"),
  403: answer(
    "The partner is suspended, or the request came over plain http.",
    "partner_suspended",
    "https_required",
  ),
  429: answer("Too many requests; see Retry-After.", "rate_limited"),
  500: answer("Something failed on our side.", "internal"),
  503: answer("A store is down or memory is short; see Retry-After.", "store_unavailable", "memory_short"),
};

/** Further problems of a read of stored bytes. Put it after `readProblems`: it replaces their 500. */
export const originalMissingProblem = {
  500: answer("Something failed on our side.", "internal", "original_missing"),
};

export function conflictProblem(...codes: CodeOf<409>[]) {
  return { 409: answer("This cannot be done at present.", ...codes) };
}

export const keyReusedProblem = {
  422: answer("The Idempotency-Key stands for another request.", "idempotency_key_reused"),
};

/** Problems of a request that a quota may refuse. Put it after `writeProblems`: it replaces their 403. */
export const quotaProblem = {
  403: answer(
    "The partner is suspended or its quota is used up, or the request came over plain http.",
    "partner_suspended",
    "quota_exceeded",
    "https_required",
  ),
};

export const notFoundProblem = {
  404: answer("Unknown, or somebody else's: the two cannot be told apart.", "not_found"),
};

const slowProblem = { 408: answer("The body arrived too slowly; see Retry-After.", "body_too_slow") };

/** Problem of an answer that may be too large. */
export const answerTooLargeProblem = {
  422: answer("The answer is too large.", "answer_too_large"),
};

/** Problems of a POST of a file's bytes. */
export const fileProblems = {
  ...slowProblem,
  413: answer("The file is too large.", "body_too_large"),
  415: answer(
    "The body is not declared as a file, or is encoded.",
    "unsupported_media_type",
    "unsupported_content_encoding",
  ),
  422: answer(
    "An import would reject this file, or the answer is too large.",
    "file_empty",
    "file_too_large",
    "not_fit",
    "archive_invalid",
    "not_an_activity",
    "no_activity_data",
    "answer_too_large",
  ),
};

/** A further 413 of a POST of pings. Put it after `writeProblems`: it replaces theirs. */
export const tooManyUsersProblem = {
  413: answer(
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
  400: answer(
    "Something in the request breaks the contract.",
    "validation_failed",
    "malformed_json",
    "conflicting_credentials",
  ),
  413: answer("The body or the list is too large.", "body_too_large", "too_many_items", "too_many_values"),
  415: answer(
    "The body is not declared as JSON, or is encoded.",
    "unsupported_media_type",
    "unsupported_content_encoding",
  ),
};
