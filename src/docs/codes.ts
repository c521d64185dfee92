import { MAX_USERS } from "../contract/limits.ts";
import type { FaultCode } from "../contract/fault.ts";
import type { ProblemCode } from "../http/problem.ts";

/** What to do about each problem. */
export const PROBLEM_ADVICE: Readonly<Record<ProblemCode, string>> = {
  malformed_json: "Send one JSON value in UTF-8.",
  validation_failed:
    "`errors` lists everything that is wrong, each with a pointer. Mend it; sending it again as it is will not help.",
  conflicting_credentials:
    "A header came in its own name and in its `HTTP_` spelling, with different values. Send one of them.",
  unauthorized:
    "Check `Partner-Id` and key. An unknown partner and a wrong, expired or revoked key look the same. A key that has just been made may take a minute.",
  https_required:
    "Send the request to the `https://` address. The key of the refused one went over the network in clear: ask us for a new key. A local service accepts plain http under a loopback name.",
  partner_suspended:
    "Ask us why. Files that were accepted wait, and so do events; both continue when you are resumed. Held files still expire after 30 days.",
  quota_exceeded:
    "You keep as many files or bytes as your quota allows; `GET /api/partner/` shows both. Delete users whose data you no longer need here, or ask us for more. Then send the request again.",
  not_found: "Check the id and the address. What belongs to another partner looks like what does not exist.",
  not_retryable: "Neither bytes nor URL are kept, or nothing has failed. Send a new ping.",
  original_not_fit:
    "Only FIT files, and gzip or zip files with a FIT file, are returned. The file's `error` says what was received. Ping it again with a URL that returns the FIT file.",
  no_event_url: "Ask us to set your `event_url`.",
  event_in_delivery:
    "It is being delivered at this moment, or is about to be. Look at its attempts in a minute.",
  idempotency_in_flight:
    "The first request with this key has not been answered yet. Wait as long as `Retry-After` says.",
  method_not_allowed: "`Allow` lists the methods that this address takes.",
  body_too_slow:
    "Repeat the same request after `Retry-After`. If it happens again, send smaller bodies, or send fewer at the same time.",
  body_too_large: "Send fewer items in one request, or URLs instead of base64.",
  too_many_items: "Split the list; `detail` says into how many.",
  too_many_users: `A request of pings names at most ${MAX_USERS} users; a user with two sources counts twice. Nothing was accepted. Sort the items by user and split the list; \`detail\` says into how many requests.`,
  too_many_values: "A body has at most 500,000 values. Split it.",
  file_empty: "There are no bytes.",
  file_too_large: "It unpacks to more than an import takes.",
  not_fit: "It does not begin as a FIT file does.",
  archive_invalid: "A gzip or zip must hold exactly one FIT file, without a password.",
  not_an_activity: "It is a FIT file of another kind: a workout, a course, settings.",
  no_activity_data: "It says that it is an activity, and holds none.",
  answer_too_large:
    "Ask for fewer columns with `keys`, or for fewer points with `resolution`; inspect without `streams`.",
  idempotency_key_reused: "A key stands for one request for 24 hours. Use a new one for a new request.",
  rate_limited: "Wait as long as `Retry-After` says.",
  unsupported_media_type: "Name the body's type: `application/json`, or for files what the operation lists.",
  unsupported_content_encoding:
    "Send the body as it is, without `Content-Encoding` (or with `identity`). No other encoding is accepted.",
  internal: "This was our fault, and it is in our log under `request_id`. Repeat the request later.",
  original_missing:
    "This was our fault, and repeating the request does not help. Ping the file again with `overwrite_mode: true`, and tell us the `request_id`.",
  store_unavailable: "Repeat the same request after `Retry-After`. Repeating it does no harm.",
  memory_short:
    "Repeat the same request after `Retry-After`. Send one large request at a time: a partner's large requests share a part of the memory.",
};

/** What is wrong with one field of a request: `errors[].code`. */
export const FAULT_CODES: Readonly<Record<FaultCode, string>> = {
  required: "The field is missing.",
  invalid_type: "It is of another type: numbers are numbers, ids are strings.",
  invalid_value: "It is not one of the values that are allowed here.",
  invalid_format: "It is not written as this field must be.",
  too_short: "It has too few characters or items.",
  too_long: "It has too many characters or items.",
  too_small: "The number is too small.",
  too_big: "The number is too large.",
  too_many_items: "The list is longer than one request may be.",
  too_many_users: "The list names more users than one request may.",
  time_not_in_seconds: "Eleven digits or more: these are milliseconds. Send seconds.",
  control_character: "It holds a control character.",
  lone_surrogate: "It holds half of a surrogate pair, which is no character.",
  unknown_parameter: "There is no such query parameter here.",
  invalid_cursor: "The cursor is of another list, or of other filters.",
  invalid_callback: "It is neither an `http(s)` URL nor base64.",
  address_refused: "We do not download from such an address; `detail` says why.",
  file_too_large: "The file in base64 has more than 8 MiB. Send a URL.",
  not_fit: "The bytes begin like no FIT, gzip or zip file.",
};
