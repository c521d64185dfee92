import { DELAYS_MS as EVENT_DELAYS_MS } from "../deliveries/schedule.pure.ts";
import { inBytes, inDigits, inWords } from "../contract/amounts.ts";
import { BASELINE_ACTIVITIES, MAX_BASELINE_BYTES } from "../training/baseline.ts";
import {
  ENDPOINT_DAYS,
  EVENTS_HELD_FOR_MS,
  MAX_ENDPOINTS,
  MAX_KEYS,
  MAX_WEBHOOK_SECRETS,
  MAX_RETRIED_FILES,
  MAX_RR_INTERVALS,
  MAX_USERS,
  OVERVIEW_DAYS,
  REPEATED_TASK_WINDOW_MS,
  RETRY_PAUSE_MS,
  USAGE_DAYS,
} from "../contract/limits.ts";
import { ANSWER_CELLS } from "../fit/index.ts";
import { BYTES_PER_REQUEST, ROWS_PER_REQUEST } from "../http/rateLimit.ts";

/** Documentation of an operation that its route does not have: name for generated clients, chapter, description. */
export interface Operation {
  operationId: string;
  tag: Tag;
  description: string;
}

export const TAGS = {
  Sending: "Announce or send files, and say when a history is complete.",
  Files: "The state of each file.",
  Activities: "The decoded content of the files.",
  Imports: "The progress of each task.",
  Events: "Events sent to you, with every attempt to deliver them.",
  Users: "Your users: list them, inspect them, delete them.",
  Service: "Your settings, keys and usage, the inspection of a file, and the health of the service.",
} as const;
export type Tag = keyof typeof TAGS;

const LAG = "within about three seconds";
const RETRY_PAUSE = `At least ${inWords(RETRY_PAUSE_MS)} must pass between two retries of a file`;

/** Operations by method and path, in the order of the page. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "POST /api/fit_partner_ping/": {
    operationId: "postPings",
    tag: "Sending",
    description:
      "202 means that the accepted pings are stored durably: each file ends as `imported`, or as `failed` with a reason. " +
      "The service responds before it downloads any file. One invalid item rejects the whole request, unless the request has " +
      "`Prefer: handling=lenient`. Fields that are not listed are ignored. A request with more than " +
      `${inDigits(MAX_USERS)} users, each counted once for each source, gets 413: split it by user.`,
  },
  "POST /api/task_partner/": {
    operationId: "postTask",
    tag: "Sending",
    description:
      "Releases all files that are held for this user and source as one import. Send the task after you receive the responses to all " +
      `pings. An equal task within ${inWords(REPEATED_TASK_WINDOW_MS)} returns the earlier import with \`repeated: true\` if no file is held.`,
  },
  "GET /api/files/": {
    operationId: "listFiles",
    tag: "Files",
    description: `New pings and changes appear in the list ${LAG}. \`summary_id\` requires \`user_id\` and \`source\`.`,
  },
  "GET /api/files/{file_id}/": {
    operationId: "getFile",
    tag: "Files",
    description: "Returns the file as soon as its ping is accepted, before it appears in lists.",
  },
  "PATCH /api/files/{file_id}/": {
    operationId: "patchFile",
    tag: "Files",
    description:
      "Sets the name of a file, in any status. Nothing is downloaded or decoded. The edit also applies to later versions of the file, whatever name their pings have, " +
      "until `null` undoes it. Repeating the request is harmless.",
  },
  "GET /api/files/{file_id}/original/": {
    operationId: "getOriginal",
    tag: "Files",
    description:
      "Returns the original bytes. The content type says whether they are FIT, gzip or zip. The response is 404 until the bytes are stored. " +
      "Bytes that contain no FIT file, such as an error page of a host, are not returned: the response is 409 `original_not_fit`.",
  },
  "GET /api/files/{file_id}/timeline/": {
    operationId: "getTimeline",
    tag: "Files",
    description:
      "Returns when the newest version was pinged, held, downloaded before its task, released, attempted and imported. If there are many attempts, only the first " +
      "and the latest are kept. The timeline can be read as soon as the ping is accepted.",
  },
  "POST /api/files/{file_id}/retry/": {
    operationId: "retryFile",
    tag: "Files",
    description:
      "Imports a failed file again, from its stored bytes or its stored URL. If neither is stored, the response is 409: send a new ping. " +
      `A retry counts as one file of the \`files\` limit. ${RETRY_PAUSE}. A retry before that gets 429 with \`Retry-After\`.`,
  },
  "DELETE /api/files/{file_id}/": {
    operationId: "deleteFile",
    tag: "Files",
    description:
      "Deletes the file with all its versions, its activities and its bytes. Work in progress writes nothing back. A running import counts the " +
      "file as skipped. Deleting it again returns 404. A later ping with the same names starts a new file with the same `file_id`. After a 503 send the request again: the deletion may have begun.",
  },
  "GET /api/activities/": {
    operationId: "listActivities",
    tag: "Activities",
    description: "Returns activities without their details, such as laps. Read one activity to get these.",
  },
  "GET /api/activities/{activity_id}/": {
    operationId: "getActivity",
    tag: "Activities",
    description: "A quantity that was not measured is null, never 0.",
  },
  "PATCH /api/activities/{activity_id}/": {
    operationId: "patchActivity",
    tag: "Activities",
    description:
      "Sets the sport or sub-sport of an activity, or excludes it from training. Nothing is downloaded or decoded, and all other fields stay as they were decoded. The edits also apply " +
      "to later versions of the file, until `null` undoes them. While no version of the file is imported, any session of it can be edited: the response is 202, and the edit waits " +
      "for the import. Afterwards a session that the file does not have gets 404. Repeating the request is harmless.",
  },
  "GET /api/activities/{activity_id}/streams/": {
    operationId: "getStreams",
    tag: "Activities",
    description:
      "Returns columns of equal length. Index n of every column is the same instant. " +
      `A response has at most ${inDigits(ANSWER_CELLS)} numbers. If there are more, rows are left out and \`downsampled\` is true. ` +
      `Each ${inBytes(BYTES_PER_REQUEST)} of the unpacked file, and of the response, counts as one request.`,
  },
  "GET /api/activities/{activity_id}/rr/": {
    operationId: "getRrIntervals",
    tag: "Activities",
    description:
      "Returns each interval between two heartbeats, for the analysis of heart rate variability. " +
      "The records around them place the intervals in time, so a drop-out of the sensor shifts no later beat. Times can overlap their intervals where " +
      "the device counted more time than passed. An activity without intervals gets 200 with empty lists; `has_rr_intervals` of the activity is then false. " +
      `A response has at most ${inDigits(MAX_RR_INTERVALS)} intervals. If there are more, the later ones are left out and \`truncated\` is true. ` +
      `Each ${inBytes(BYTES_PER_REQUEST)} of the unpacked file, and of the response, counts as one request.`,
  },
  "GET /api/imports/": {
    operationId: "listImports",
    tag: "Imports",
    description: `Returns one import for each task. Poll it with \`updated_since\` to follow imports without events. New counts of a running import appear ${LAG}.`,
  },
  "GET /api/imports/{import_id}/": {
    operationId: "getImport",
    tag: "Imports",
    description: "If you do not receive events, poll the import until `completed_at` is set.",
  },
  "GET /api/imports/{import_id}/report/": {
    operationId: "getReport",
    tag: "Imports",
    description:
      "Returns JSON lines (`application/x-ndjson`) in the order of file ids, also for a running import. A report is complete if its last line has the type `end`. " +
      "A last line of the type `error`, or another one, means that files are missing: request the report again. Files that belong to another import, such as repeated " +
      `pings and files that a later task released again, and deleted files have no line. So a report may have fewer lines than \`files.total\`. Every ${inDigits(ROWS_PER_REQUEST)} rows that the database reads for it count as one request.`,
  },
  "POST /api/imports/{import_id}/cancel/": {
    operationId: "cancelImport",
    tag: "Imports",
    description:
      "Skips the files of a running import that are not imported yet. Files that the service is working on at that moment are finished: they are imported or fail, and those that need another attempt are skipped. " +
      "Then the import completes: its event has the status `cancelled`, and no training plan is requested. A `skipped` file is not released by a later task: retry it, " +
      "or ping it again. Files that you retried, or pinged again with `priority` 1, are imported. A repeated cancellation returns 202 as well. A completed import gets 409 `import_completed`.",
  },
  "POST /api/imports/{import_id}/retry/": {
    operationId: "retryImport",
    tag: "Imports",
    description:
      "Imports the failed and skipped files of an import again. `completed_at` does not change, and no second event or plan request is sent. Each queued file counts " +
      `as one file of the \`files\` limit. At most ${inDigits(MAX_RETRIED_FILES)} files are queued: send the request again for the others. ${RETRY_PAUSE}. ` +
      `Files that were retried more recently are skipped. If no other file is left, the response is 429 with \`Retry-After\`.`,
  },
  "GET /api/events/": {
    operationId: "listEvents",
    tag: "Events",
    description: "If your system has no public address, poll this list with `updated_since`.",
  },
  "GET /api/events/{id}/": {
    operationId: "getEvent",
    tag: "Events",
    description: "Returns the event with each attempt to deliver it and your receiver's response.",
  },
  "POST /api/events/{id}/resend/": {
    operationId: "resendEvent",
    tag: "Events",
    description:
      "Sends the event now, with the same `webhook-id`, and starts its retry schedule again. An event that had no endpoint is sent to each endpoint that receives its type now; each further endpoint gets its own event. While an attempt is in progress or due, the response is 409 `event_in_delivery`. A test event that is sent again counts as another test event.",
  },
  "POST /api/events/test/": {
    operationId: "sendTestEvent",
    tag: "Events",
    description:
      "Sends a signed event of type `test.ping`. Your receiver verifies the signature, then returns " +
      '`{"challenge":"…"}` with the `challenge` of the event\'s `data`. The event\'s attempts show the response. ' +
      "With `signature=wrong` the event is signed with an unknown secret and sent once. Its status `delivered` then means that " +
      "the receiver rejected it with 400, 401, 403 or 422, and `failed` that it did not.",
  },
  "GET /api/endpoints/": {
    operationId: "listEndpoints",
    tag: "Events",
    description:
      "Without endpoints of your own, the list contains your `event_url` as `ep_default`. Secrets are shown only when they are created.",
  },
  "POST /api/endpoints/": {
    operationId: "createEndpoint",
    tag: "Events",
    description:
      `Creates an endpoint. A partner can have ${MAX_ENDPOINTS}. The endpoint receives no events before its receiver has returned the challenge of a test event, which is sent at once ` +
      `and, after failures, again by the retry schedule. \`POST /api/events/test/\` with \`endpoint_id\` and \`challenge\` sends another one. The challenge may arrive before this response: a receiver that rejects it, because it does not know the secret yet, gets it again after at most ${inWords(EVENT_DELAYS_MS[0] ?? 0)}, then after at most ${inWords(EVENT_DELAYS_MS[1] ?? 0)}. Store \`webhook_secret\`: it is not shown again. ` +
      `Until the challenge is returned, events are held for up to ${inWords(EVENTS_HELD_FOR_MS)}, then they fail. They are sent within minutes after it. Outcomes are reported from then on.`,
  },
  "GET /api/endpoints/{endpoint_id}/": {
    operationId: "getEndpoint",
    tag: "Events",
    description: `Returns the endpoint with its attempts of the last ${ENDPOINT_DAYS} days.`,
  },
  "PATCH /api/endpoints/{endpoint_id}/": {
    operationId: "changeEndpoint",
    tag: "Events",
    description:
      "Changes the fields that the body contains. A new `url` receives no events before it has returned a challenge: until then its events are held, and outcomes are not reported. " +
      `While \`on_hold\` is true, events wait for up to ${inWords(EVENTS_HELD_FOR_MS)}, then they fail. Ending the hold sends them, oldest first.`,
  },
  "DELETE /api/endpoints/{endpoint_id}/": {
    operationId: "deleteEndpoint",
    tag: "Events",
    description: "Deletes the endpoint. Its undelivered events fail. `GET /api/events/` still lists them.",
  },
  "POST /api/endpoints/{endpoint_id}/recover/": {
    operationId: "recoverEndpoint",
    tag: "Events",
    description:
      "Resends failed events that were created since `since`, oldest first, with a new retry schedule. Includes events of the endpoint's types that had no endpoint: it becomes theirs. Enables a disabled endpoint. If there are many events, the first few hundred are sent at once and the others within minutes.",
  },
  "POST /api/endpoints/{endpoint_id}/rotate_secret/": {
    operationId: "rotateEndpointSecret",
    tag: "Events",
    description:
      "Creates a new secret. The older ones stay valid for `overlap_in_hours`. An event has one signature for each valid secret. " +
      `At most ${MAX_WEBHOOK_SECRETS} secrets are valid at the same time.`,
  },
  "GET /api/users/": {
    operationId: "listUsers",
    tag: "Users",
    description: `Returns every user with an accepted ping, without deleted users. A new user appears in the list ${LAG}.`,
  },
  "GET /api/users/{user_id}/": {
    operationId: "getUser",
    tag: "Users",
    description: `Returns the user's sources, held files and running imports. Counts include pings ${LAG}.`,
  },
  "GET /api/users/{user_id}/training/": {
    operationId: "getTraining",
    tag: "Users",
    description:
      "Returns the training of a user, computed from the activities that can be read now: edits, deletions and late files count at once. Of several recordings of one ride, only the canonical one counts. " +
      `The response has at most ${inBytes(MAX_BASELINE_BYTES)} and is computed from at most the newest ${inDigits(BASELINE_ACTIVITIES)} activities. \`left_out\` says how many others there are.`,
  },
  "DELETE /api/users/{user_id}/": {
    operationId: "deleteUser",
    tag: "Users",
    description:
      "Deletes all files, activities, held pings, imports and events of the user. Imports in progress write nothing back.",
  },
  "GET /api/overview/": {
    operationId: "getOverview",
    tag: "Service",
    description:
      `Returns counts of the last ${OVERVIEW_DAYS} days (UTC): files by day and status, failures by code, running imports and undelivered ` +
      "events. Also returns the number of all held files. If there are too many rows, only the newest are counted, and `capped` is true. " +
      `Counts include pings ${LAG}.`,
  },
  "GET /api/partner/": {
    operationId: "getPartner",
    tag: "Service",
    description:
      "Returns your settings, the ids of your valid keys and secrets, your limits, your quotas and how much of them you use. A change appears at once, even before it is in force.",
  },
  "PATCH /api/partner/": {
    operationId: "patchPartner",
    tag: "Service",
    description:
      "Changes the fields that the body contains. `in_force_at` is the time from which every request uses the change. To change other settings, ask us.",
  },
  "GET /api/usage/": {
    operationId: "getUsage",
    tag: "Service",
    description: `Returns one row for each day (UTC), at most ${USAGE_DAYS}. Days are kept for ${USAGE_DAYS} days. Files appear ${LAG}, requests within a minute.`,
  },
  "POST /api/keys/": {
    operationId: "createKey",
    tag: "Service",
    description:
      `Creates a key. A partner can have ${MAX_KEYS} valid keys. Store \`auth_key\`: it is not shown again. A new key may get 401 until \`in_force_at\`. ` +
      "If you lose the response, delete the new key and create another one.",
  },
  "DELETE /api/keys/{key_id}/": {
    operationId: "deleteKey",
    tag: "Service",
    description:
      "Deletes a key, which may be the key of this request. Requests with it get 401 from `in_force_at` on, changes of keys, endpoints and settings immediately. The last valid key with the scope `full` cannot be deleted.",
  },
  "POST /api/fit/inspect/": {
    operationId: "inspectFile",
    tag: "Service",
    description:
      "Returns the activities that an import would read from these bytes, or 422 with the error code of that import. Stores nothing. " +
      `Each ${inBytes(BYTES_PER_REQUEST)} of the unpacked file, and of a response with streams, counts as one request.`,
  },
  "GET /health/": { operationId: "getHealth", tag: "Service", description: "Requires no key." },
};
