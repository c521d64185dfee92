import { MAX_RETRIED_FILES, MAX_USERS } from "../contract/limits.ts";
import { BYTES_PER_REQUEST } from "../http/rateLimit.ts";

/** What is said of an operation beyond its route: its name for generated clients, its chapter, its story. */
export interface Operation {
  operationId: string;
  tag: Tag;
  description: string;
}

export const TAGS = {
  Sending: "Announce files, or bring them along; say when a history is complete.",
  Files: "What became of each file.",
  Activities: "What the files hold.",
  Imports: "What became of each bulk task.",
  Events: "What we told you, and whether you took it.",
  Users: "Whom we know from you, and how to make us forget.",
  Service: "Your settings, trying out a file, and whether the service is there.",
} as const;
export type Tag = keyof typeof TAGS;

/** By method and path, in the order of the page. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  "POST /api/fit_partner_ping/": {
    operationId: "postPings",
    tag: "Sending",
    description:
      "202 means durable: each file that was taken ends as `imported`, or as `failed` with a reason that can be read. " +
      "It is answered before anything is downloaded. One bad item and nothing is taken, unless the request says " +
      "`Prefer: handling=lenient`. Fields that are not listed are ignored. A request of more than " +
      `${MAX_USERS} users, each counted once for each source, is refused as a whole with 413: split it by user.`,
  },
  "POST /api/task_partner/": {
    operationId: "postTask",
    tag: "Sending",
    description:
      "Takes every file that is held for this user and source at this moment. Send it after all answers to the pings " +
      "have arrived. Sent twice it is one import: the second answer has `repeated: true`.",
  },
  "GET /api/files/": {
    operationId: "listFiles",
    tag: "Files",
    description:
      "A ping, or a change of a file, is in the list within about 3 seconds. `summary_id` needs `user_id` and `source` beside it.",
  },
  "GET /api/files/{file_id}/": {
    operationId: "getFile",
    tag: "Files",
    description:
      "Readable from the moment that its ping is answered, before the lists have it. `error.code` is one of a closed list.",
  },
  "GET /api/files/{file_id}/original/": {
    operationId: "getOriginal",
    tag: "Files",
    description:
      "Byte for byte; the content type tells a FIT file from a gzip or a zip. 404 until they are stored. Bytes that hold " +
      "no FIT file, such as a page that a host returned, are never returned: 409 `original_not_fit`.",
  },
  "GET /api/files/{file_id}/timeline/": {
    operationId: "getTimeline",
    tag: "Files",
    description:
      "When it was pinged, held, released, tried, imported: of the newest version. Of many attempts the first and the " +
      "latest are kept. Readable from the moment that its ping is answered.",
  },
  "POST /api/files/{file_id}/retry/": {
    operationId: "retryFile",
    tag: "Files",
    description:
      "If neither bytes nor URL are kept any more, the answer is 409: send a new ping, with priority 1 unless you send the task again. " +
      "A retry counts as one file of the `files` limit. A file that failed again can be retried once a minute: sooner, the answer is 429 with `Retry-After`.",
  },
  "GET /api/activities/": {
    operationId: "listActivities",
    tag: "Activities",
    description: "Without laps, lengths and devices: ask for one activity to see these.",
  },
  "GET /api/activities/{activity_id}/": {
    operationId: "getActivity",
    tag: "Activities",
    description: "A quantity that was not measured is null, never 0.",
  },
  "GET /api/activities/{activity_id}/streams/": {
    operationId: "getStreams",
    tag: "Activities",
    description:
      "Columns of equal length: one index is one instant, null where there is no reading. Fields of developers are " +
      "columns named `developer.<name>`. " +
      `Each ${BYTES_PER_REQUEST / 1024} KiB of the answer counts as one request.`,
  },
  "GET /api/imports/": {
    operationId: "listImports",
    tag: "Imports",
    description: "One import for each bulk task.",
  },
  "GET /api/imports/{import_id}/": {
    operationId: "getImport",
    tag: "Imports",
    description: "Poll this until `completed_at` is set, if you take no events.",
  },
  "POST /api/imports/{import_id}/retry/": {
    operationId: "retryImport",
    tag: "Imports",
    description:
      "`completed_at` stays, and there is no second event and no second plan. Each file that is queued counts as one file of the " +
      `\`files\` limit, and at most ${MAX_RETRIED_FILES.toLocaleString("en")} are queued: send the request again for the files after them. Files ` +
      "that were retried within the last minute are skipped; if no others are left, the answer is 429 with `Retry-After`.",
  },
  "GET /api/events/": {
    operationId: "listEvents",
    tag: "Events",
    description: "Also a feed for those who have no public address: poll it with `updated_since`.",
  },
  "GET /api/events/{event_id}/": {
    operationId: "getEvent",
    tag: "Events",
    description: "Each attempt says what your receiver answered.",
  },
  "POST /api/events/{event_id}/resend/": {
    operationId: "resendEvent",
    tag: "Events",
    description:
      "Under the same `webhook-id`: a receiver that has it already may leave it. One that waits for its next attempt leaves now; 409 means that it is being delivered, or is about to be.",
  },
  "POST /api/events/test/": {
    operationId: "sendTestEvent",
    tag: "Events",
    description:
      "Its type is `test.ping`, and it is signed as all others are. A receiver that has verified it proves so by " +
      'answering `{"challenge":"…"}` with the `challenge` in its `data`: the answer stands in the event\'s attempts. ' +
      "With `signature=wrong` it is signed with a secret that nobody has and sent once: `delivered` then means that " +
      "the receiver refused it with 400, 401, 403 or 422, `failed` that it did not.",
  },
  "GET /api/users/": {
    operationId: "listUsers",
    tag: "Users",
    description:
      "Everyone of whom a ping was taken and who was not deleted since. A new user is in the list within about 3 seconds.",
  },
  "GET /api/users/{user_id}/": {
    operationId: "getUser",
    tag: "Users",
    description:
      "Shows what waits: held files, and imports that run. Counts follow pings within about 3 seconds.",
  },
  "DELETE /api/users/{user_id}/": {
    operationId: "deleteUser",
    tag: "Users",
    description: "Files, activities, held pings, imports and events go; work in flight writes nothing back.",
  },
  "GET /api/overview/": {
    operationId: "getOverview",
    tag: "Service",
    description:
      "Files by the day of their newest ping and by status, failures by code, imports that run, events that wait or " +
      "have failed, of the last 14 days (UTC); and all files that are held. Only the newest of each are looked at; see `capped`. " +
      "Counts follow pings within about 3 seconds.",
  },
  "GET /api/partner/": {
    operationId: "getPartner",
    tag: "Service",
    description:
      "Shows which keys and secrets are live, by their ids, your limits, and how much of your quotas you use.",
  },
  "POST /api/fit/inspect/": {
    operationId: "inspectFile",
    tag: "Service",
    description:
      "Returns what an import would make of these bytes, or 422 and the code that it would fail with. " +
      `Each ${BYTES_PER_REQUEST / 1024} KiB of the body, and of an answer with streams, counts as one request.`,
  },
  "GET /health/": { operationId: "getHealth", tag: "Service", description: "Needs no key." },
};
