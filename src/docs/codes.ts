import { inBytes, inDigits, inWords } from "../contract/amounts.ts";
import type { FaultCode } from "../contract/fault.ts";
import {
  HELD_FOR_MS,
  MAX_INLINE_BYTES,
  MAX_JSON_VALUES,
  MAX_USERS,
  RETENTION_HOURS,
  SETTINGS_SPREAD_FOR_MS,
} from "../contract/limits.ts";
import type { ProblemCode } from "../http/problem.ts";

/** Advice for each problem. */
export const PROBLEM_ADVICE: Readonly<Record<ProblemCode, string>> = {
  malformed_json: "Send one JSON value in UTF-8.",
  validation_failed:
    "`errors` lists the faults, each with a pointer. Correct them before you send the request again.",
  conflicting_credentials:
    "A header was sent under its own name and in its `HTTP_` spelling, with different values. Send only one of them.",
  unauthorized: `Check \`Partner-Id\` and the key. The response is the same for an unknown partner and for a wrong, expired or revoked key. A new key works after about ${inWords(SETTINGS_SPREAD_FOR_MS)}.`,
  https_required:
    "Send the request to the `https://` address. The key was sent over the network unencrypted: ask us for a new key. A local service accepts plain `http` on a loopback host, such as `localhost`.",
  partner_suspended: `Contact us. Accepted files and events wait until you are active again. Held files still expire after ${inWords(HELD_FOR_MS)}.`,
  insufficient_scope:
    "The credential is a token of the training planner, which reads one user. Send the request with a key.",
  quota_exceeded:
    "You store as many files or bytes as your quota allows, or the records of your deletions take too much room (`detail` says which). `GET /api/partner/` shows your quotas and usage. Delete users that you no longer need here, wait until older records of deletions expire, or ask us for a higher quota. Then send the request again.",
  read_only_key: "Send the request with a key that has the scope `full`.",
  self_service_locked:
    "We have locked your keys, endpoints and settings. `GET /api/partner/` shows the lock. Ask us to make the change, or to unlock them.",
  not_found:
    "Check the id and the path. The response is the same for an unknown resource and for one of another partner.",
  not_retryable:
    "If a file failed, the same bytes would fail again, or its bytes and its URL are no longer stored: correct the file and ping it again. If no file has failed or was skipped, no retry is needed.",
  original_not_fit:
    "Only FIT files, and gzip or zip files with one FIT file, are returned. The file's `error` says what was received. Ping it again with a URL that returns the FIT file.",
  import_completed: "No action is needed. To remove the imported files, delete them.",
  no_event_url:
    "Create an endpoint for events of this type with `POST /api/endpoints/`, or ask us to set your `event_url`.",
  too_many_endpoints: "Change or delete one of your endpoints.",
  too_many_keys: "Delete a key that you no longer use.",
  last_key: "Create another key with the scope `full`, then use it to delete this one.",
  too_many_secrets:
    "Wait until one of the older secrets expires, or rotate with `overlap_in_hours` 0, which expires them at once.",
  endpoint_on_hold: 'Send `"on_hold": false` to the endpoint. This also sends the events that were held.',
  changed_meanwhile: "Read the resource, then send the request again if it is still needed.",
  event_in_delivery:
    "An attempt is in progress or due. Read the event's attempts in a minute, and send the request again if needed.",
  idempotency_in_flight:
    "The first request with this key is in progress. Send the request again after `Retry-After`.",
  method_not_allowed: "`Allow` lists the methods of this path.",
  body_too_slow:
    "Send the same request again after `Retry-After`. If it fails again, send smaller bodies, or fewer at the same time.",
  body_too_large:
    "Send fewer items in one request, or URLs instead of base64. To inspect a large file, omit `streams`.",
  too_many_items: "Split the list into as many requests as `detail` says.",
  too_many_users: `A ping request names at most ${MAX_USERS} users; a user with two sources counts twice. Nothing was accepted. Sort the items by user and split the list into as many requests as \`detail\` says.`,
  too_many_values: `Split the body: it may have at most ${inDigits(MAX_JSON_VALUES)} values.`,
  file_empty: "Send the bytes of a file.",
  file_too_large: "The unpacked file is larger than an import accepts. Send a smaller file.",
  not_fit: "Send a FIT file. These bytes do not begin like a FIT, gzip or zip file.",
  archive_invalid: "Send a gzip or zip with exactly one FIT file, without a password.",
  not_an_activity: "Send an activity. This FIT file is a workout, a course or settings.",
  no_activity_data: "Send a file with records or sessions. This activity file has none.",
  answer_too_large:
    "For streams, request fewer columns with `keys`, or fewer points with `resolution`. For an inspection, omit `streams`.",
  idempotency_key_reused: `A key identifies one request for ${RETENTION_HOURS} hours. Use a new key for each new request.`,
  rate_limited: "Send the request again after `Retry-After`.",
  unsupported_media_type:
    "Set `Content-Type` to `application/json`. For an inspection, set it to a type that the operation lists.",
  unsupported_content_encoding:
    "Send the body without `Content-Encoding`, or with `identity`. Other encodings are not accepted.",
  internal: "The service failed and logged the `request_id`. Send the request again later.",
  original_missing:
    "The service lost the stored bytes, and repeating the request does not help. Ping the file again with `overwrite_mode: true`, and send us the `request_id`.",
  original_damaged:
    "The service damaged the stored bytes, and repeating the request does not help. Ping the file again with `overwrite_mode: true`, and send us the `request_id`.",
  store_unavailable: "Send the same request again after `Retry-After`. Repeating it is harmless.",
  schema_missing: "The service is being set up. Send the same request again after `Retry-After`.",
  database_full:
    "The service has no room for further files. Nothing was accepted. Send the same request again after `Retry-After`. Reads, tasks and deletions still work.",
  memory_short:
    "Send the same request again after `Retry-After`. Send only one large request at a time: all your large requests share a limited amount of memory.",
};

/** Meaning of each fault in a request: `errors[].code`. */
export const FAULT_CODES: Readonly<Record<FaultCode, string>> = {
  required: "The field or parameter is missing.",
  invalid_type:
    "The value has the wrong type. For example, ids and times are strings, and `overwrite_mode` is `true` or `false` without quotes.",
  invalid_value: "The value is not allowed here.",
  invalid_format: "The value does not have the format of this field.",
  too_short: "The value has too few characters or items.",
  too_long: "The value has too many characters or items.",
  too_small: "The number is too small.",
  too_big: "The number is too large.",
  too_many_items: "The list has more items than one request may have.",
  too_many_users: "The list names more users than one request may name.",
  time_not_in_seconds: "The time has eleven digits or more, so it is probably in milliseconds. Send seconds.",
  control_character: "The value contains a control character.",
  lone_surrogate: "The value contains half of a surrogate pair, which is not a character.",
  unknown_parameter: "The operation does not have this query parameter or field.",
  invalid_cursor: "The cursor is invalid, or belongs to another list or to other filters.",
  invalid_callback: "The value is neither an `http(s)` URL nor base64.",
  address_refused: "The service sends no requests to this address. `detail` gives the reason.",
  file_too_large: `The file in base64 is larger than ${inBytes(MAX_INLINE_BYTES)} when decoded. Send a URL.`,
  not_fit: "The bytes do not begin like a FIT, gzip or zip file.",
};
