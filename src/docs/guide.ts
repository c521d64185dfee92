import { inBytes, inDigits, inWords } from "../contract/amounts.ts";
import {
  CLOSED_IMPORT_KEPT_FOR_MS,
  DEPRECATION_MONTHS,
  DOWNLOAD_DEADLINE_MS,
  ENDPOINT_FAILS_FOR_MS,
  ERASURE_KEPT_FOR_MS,
  EVENTS_HELD_FOR_MS,
  EVENTS_KEPT_FOR_MS,
  HELD_FOR_MS,
  HOST_RETRIES_FOR_MS,
  HOST_RETRY_DELAYS_MS,
  IMPORTS_KEPT,
  KEPT_URL_FOR_MS,
  MAX_EDIT_BODY_BYTES,
  MAX_CALLBACK_HOSTS,
  MAX_ENDPOINTS,
  MAX_EXPECTED_IDS,
  MAX_FILE_BYTES,
  MAX_INLINE_BYTES,
  MAX_JSON_BODY_BYTES,
  MAX_JSON_VALUES,
  MAX_NAME_CHARACTERS,
  MAX_KEYS,
  REQUESTS_STORED_AFTER_MS,
  SETTINGS_SPREAD_FOR_MS,
  USAGE_DAYS,
  MAX_ORDERED_SOURCES,
  MAX_PINGS,
  MAX_REDIRECTS,
  MAX_RETRIED_FILES,
  MAX_RR_INTERVALS,
  MAX_TITLE_CHARACTERS,
  MAX_URL_CHARACTERS,
  MAX_USERS,
  MAX_WAITING_PREFETCHES,
  OUTCOMES_GATHERED_FOR_MS,
  OUTCOMES_IN_EVENT,
  PAGE_ROWS,
  REMOVAL_BYTES_OF_FILE,
  REPEATED_TASK_WINDOW_MS,
  REPEAT_WINDOW_MS,
  RETENTION_HOURS,
  RETRY_PAUSE_MS,
  STORE_RETRIES_FOR_MS,
  MAX_WEBHOOK_SECRETS,
  TEST_EVENTS_A_DAY,
} from "../contract/limits.ts";
import { DELAYS_MS as EVENT_DELAYS_MS, JITTER, RESPONSE_DEADLINE_MS } from "../deliveries/schedule.pure.ts";
import { MAX_START_DIFFERENCE_SECONDS } from "../activities/duplicates/groups.pure.ts";
import { BASELINE_ACTIVITIES } from "../training/baseline.ts";
import { DEVELOPER_PREFIX, STREAM_DESCRIPTIONS, STREAM_KEYS } from "../activities/activity.ts";
import { FILE_ERROR_CODES, RETRY_CAN_HELP } from "../files/errorCodes.ts";
import { EFFORT_SECONDS, MAX_MISSING_SHARE } from "../fit/bestEfforts.ts";
import { SPORT_NAMES, SUB_SPORT_NAMES } from "../fit/index.ts";
import { GAP_SECONDS } from "../fit/recordRuns.ts";
import { LOAD_PER_MET_HOUR, MIN_COVERAGE, TRIMP_EXPONENT, TRIMP_FACTOR } from "../fit/trainingLoad.ts";
import { DEFAULT_LIMITS, DEFAULT_QUOTAS } from "../partners/partner.ts";
import { FAULT_CODES, PROBLEM_ADVICE } from "./codes.ts";
import { OPEN_LIST_KEYWORD } from "./changes/keywords.ts";
import { aside, card, jsonOf, requestTabs, tabs } from "./code.ts";
import { FILE_ADVICE, FILE_ERRORS, FILE_WARNINGS } from "./fileWords.ts";
import { BODY_GRACE_MS, SMALL_BODY_MS } from "../http/bodyChunks.ts";
import { REQUEST_SHARES, UNCOUNTED_BODY_BYTES } from "../http/jsonBody.ts";
import { MIN_BYTES_PER_SECOND, PAUSE_MS, TRANSFER_MS } from "../http/pace.ts";
import { PROBLEMS, type ProblemCode } from "../http/problem.ts";
import { USER_AGENT_NAME } from "../outbound/userAgent.ts";
import { BYTES_PER_REQUEST, ROWS_PER_REQUEST } from "../http/rateLimit.ts";
import { MORE_DETAILS } from "./examples.ts";
import { escape, prose, table } from "./html.ts";
import type { Listings, ShownRequest } from "./requests.ts";
import { FIRST_PING, NEXT_RIDE } from "./smallRide.ts";
import { OWN_RIDE, RECEIVER, SETTINGS, VERIFY } from "./snippets.ts";

const HISTORY = {
  activity_files: [
    { ...FIRST_PING.activity_files[0], priority: 0, summary_id: "history-0001" },
    { ...FIRST_PING.activity_files[0], ...NEXT_RIDE, priority: 0, summary_id: "history-0002" },
  ],
};
const TASK = {
  bulk_fit_transfer_complete: true,
  user_id: "rider-1",
  source: "head-unit",
  is_initial_import: true,
  event_id: "history-of-rider-1",
  expected_summary_ids: ["history-0001", "history-0002"],
};

function get(path: string): ShownRequest {
  return { method: "GET", path };
}

function post(path: string, json: object, headers: Readonly<Record<string, string>> = {}): ShownRequest {
  return { method: "POST", path, json, headers };
}

function patch(path: string, json: object): ShownRequest {
  return { method: "PATCH", path, json };
}

/** Titles of the listings, by name. */
const TITLES: Readonly<Record<string, string>> = {
  "first-ping": "Step 1: send a ride",
  "first-read": "Step 2: read the activity",
  "own-ride": "Step 3: send your own ride",
  "history-ping": "Step 1: ping the files",
  task: "Step 3: send the task",
  imports: "Step 4: wait for completion",
  "failed-files": "Step 5: check the failed files",
  idempotency: "Ping with an idempotency key",
  "create-endpoint": "Step 1: create an endpoint",
  verify: "verify.ts or verify.py: verify the signature",
  receiver: "receiver.ts or receiver.py: the whole receiver",
  challenge: "Step 3: ask for a challenge",
  endpoint: "Step 4: read the state of the endpoint",
  poll: "Poll events",
  activities: "List the activities of a user",
  streams: "Read streams",
  rr: "Read beat-to-beat intervals",
  canonical: "List each ride once",
  training: "Read the training baseline",
  rename: "Rename a file",
  sport: "Correct a sport",
  delete: "Delete a user",
  "create-key": "Create a key",
  "delete-key": "Delete a key",
  settings: "Change a setting",
  usage: "Read the usage",
};

const titleOf = (name: string) => TITLES[name] ?? "";
/** Names of the tabs of listings that are programs. */
const PROGRAM_TABS = { curl: "Shell", typescript: "TypeScript", python: "Python" };

/** Returns a request beside the text. */
function request(shown: ShownRequest, name: string): string {
  return aside(requestTabs(shown, name, titleOf(name)));
}

/** Returns a program beside the text. */
function program(listings: Partial<Listings>, name: string): string {
  return aside(tabs(listings, name, { title: titleOf(name), tabNames: PROGRAM_TABS }));
}

const FIRST_RESPONSE = `{
  "accepted": 1,
  "files": [
    {
      "file_id": "…",
      "user_id": "rider-1",
      "source": "head-unit",
      "summary_id": "first-ride",
      "status": "queued"
    }
  ]
}`;

const names = (all: readonly string[]) => all.map((name) => `<code>${escape(name)}</code>`).join(", ");

export interface Section {
  id: string;
  title: string;
  html: string;
}

const isProblemCode = (code: string): code is ProblemCode => code in PROBLEMS;

function codeTable(words: Readonly<Record<string, string>>, prefix: string): string {
  return table(
    ["Code", "Meaning"],
    Object.entries(words).map(([code, meaning]) => [`<code>${escape(code)}</code>`, prose(meaning)]),
    Object.keys(words).map((code) => `${prefix}-${code}`),
  );
}

function fileErrorTable(): string {
  return table(
    ["Code", "Meaning", "Can a retry help?", "What to do"],
    FILE_ERROR_CODES.map((code) => [
      `<code>${code}</code>`,
      prose(FILE_ERRORS[code]),
      RETRY_CAN_HELP[code] ? "yes" : "no",
      prose(FILE_ADVICE[code]),
    ]),
    FILE_ERROR_CODES.map((code) => `error-${code}`),
  );
}

function problemTable(): string {
  const codes = Object.keys(PROBLEMS).filter(isProblemCode);
  codes.sort((a, b) => PROBLEMS[a].status - PROBLEMS[b].status);
  return table(
    ["Code", "Status", "Meaning", "What to do"],
    codes.map((code) => [
      `<code>${code}</code>`,
      String(PROBLEMS[code].status),
      escape(PROBLEMS[code].title),
      prose(PROBLEM_ADVICE[code]),
    ]),
    codes.map((code) => `problem-${code}`),
  );
}

const HOUR_MS = 3_600_000;
const sum = (times: readonly number[]) => times.reduce((total, time) => total + time, 0);
const listed = (times: readonly number[]) => times.map((time) => inWords(time)).join(", ");
/** Returns a time rounded up to whole hours, such as `4 hours`. */
const inHours = (milliseconds: number) => inWords(Math.ceil(milliseconds / HOUR_MS) * HOUR_MS);

/** Returns a size rounded down to whole MiB, such as `10 MiB`. */
const inWholeMiB = (bytes: number) => inBytes(bytes - (bytes % (1024 * 1024)));

function limitRows(): [what: string, most: string][] {
  const pace = `${inBytes(MIN_BYTES_PER_SECOND)} per second, with pauses of at most ${inWords(PAUSE_MS)}`;
  return [
    [
      "Body of a request",
      `${inBytes(MAX_JSON_BODY_BYTES)} of JSON, ${inBytes(MAX_FILE_BYTES)} for a file to inspect, ${inBytes(MAX_EDIT_BODY_BYTES)} for an edit. These limits also apply to chunked bodies.`,
    ],
    ["Values in a JSON body", inDigits(MAX_JSON_VALUES)],
    [
      "Time to send a body",
      `${inWords(TRANSFER_MS)}. After the first ${inWords(BODY_GRACE_MS)} the minimum rate is ${pace}. A slower body gets 408. A body of up to ${inBytes(UNCOUNTED_BODY_BYTES)} with a <code>Content-Length</code> has no minimum rate, but must arrive within ${inWords(SMALL_BODY_MS)}.`,
    ],
    [
      `Time to read a response with streams or beat-to-beat intervals, or the response to a body of more than ${inBytes(UNCOUNTED_BODY_BYTES)}`,
      `${inWords(TRANSFER_MS)}. The minimum rate is ${pace}. The service closes a slower connection.`,
    ],
    [
      "Size of simultaneous requests",
      `${inWholeMiB(REQUEST_SHARES.otherLargeBytes)} for all requests of more than ${inWholeMiB(REQUEST_SHARES.smallRequestBytes)} together, and ${inWholeMiB(REQUEST_SHARES.otherSmallBytes)} for all smaller ones. The largest request of each group does not count. A JSON body counts at twice its size. A request beyond this gets 503.`,
    ],
    ["Pings in one request", inDigits(MAX_PINGS)],
    ["Users in one ping request", `${inDigits(MAX_USERS)}; a user counts once for each source`],
    ["A file in base64", `${inBytes(MAX_INLINE_BYTES)}, decoded`],
    [
      "A file by URL",
      `${inBytes(MAX_FILE_BYTES)}, before and after decompression; ${inWords(DOWNLOAD_DEADLINE_MS)} for the whole download; ${MAX_REDIRECTS} redirects`,
    ],
    ["<code>expected_summary_ids</code>", inDigits(MAX_EXPECTED_IDS)],
    [
      "<code>user_id</code>, <code>source</code>, <code>summary_id</code>, <code>event_id</code>",
      `${MAX_NAME_CHARACTERS} characters, no control characters`,
    ],
    ["<code>activity_name</code>", `${inDigits(MAX_TITLE_CHARACTERS)} characters`],
    ["A URL", `${inDigits(MAX_URL_CHARACTERS)} characters; <code>https</code>, port 443, a public host name`],
    [
      "Beat-to-beat intervals in a response",
      `${inDigits(MAX_RR_INTERVALS)}. <code>truncated</code> is true when there are more.`,
    ],
    ["Rows on a page of a list", `${PAGE_ROWS.max}; ${PAGE_ROWS.default} without <code>limit</code>`],
    [
      "Time that a file is held",
      `${inWords(HELD_FOR_MS)}. Without a task by then, it fails as <code>held_expired</code>.`,
    ],
    [
      "Requests",
      `${inDigits(DEFAULT_LIMITS.requests_per_minute)} a minute for reads (GET and HEAD), and the same number for all other requests, unless agreed otherwise. Requests that decode a file (inspections, and reads of one activity, its streams or its beat-to-beat intervals) count as one request for each ${inBytes(BYTES_PER_REQUEST)} of the unpacked file. The size of their responses counts in the same way. A request for a list, the overview, a report, a user or its training counts as one request for each ${inDigits(ROWS_PER_REQUEST)} database rows that it reads, including rows that its filters skip. So does a recovery of events.`,
    ],
    [
      "Files",
      `${inDigits(DEFAULT_LIMITS.files_per_minute)} a minute, pinged or retried, unless agreed otherwise`,
    ],
    ["Time between two retries of one file", `at least ${inWords(RETRY_PAUSE_MS)}`],
    ["Files that one retry of an import queues", inDigits(MAX_RETRIED_FILES)],
    [
      "Stored for you",
      `${inDigits(DEFAULT_QUOTAS.files)} files and ${inBytes(DEFAULT_QUOTAS.stored_bytes)}, unless agreed otherwise`,
    ],
    ["Test events", `${inDigits(TEST_EVENTS_A_DAY)} in 24 hours`],
    ["Valid keys", inDigits(MAX_KEYS)],
    ["Endpoints", inDigits(MAX_ENDPOINTS)],
    ["<code>callback_hosts</code>", inDigits(MAX_CALLBACK_HOSTS)],
    ["<code>source_order</code>", inDigits(MAX_ORDERED_SOURCES)],
    ["Valid secrets of an endpoint", inDigits(MAX_WEBHOOK_SECRETS)],
  ];
}

function statusRows(): string[][] {
  return [
    ["200", "The request succeeded.", "Not needed."],
    ["201", "An endpoint, a key or a secret was created.", "No: it would create another one."],
    ["202", "The request was accepted and stored durably.", "Not needed, and harmless."],
    ["400", "The request is invalid. <code>errors</code> lists the faults.", "After you correct it."],
    [
      "401",
      "The <code>Partner-Id</code> header and the key do not match.",
      "With the right partner id and key.",
    ],
    [
      "403",
      "You are suspended, your quota is used up, your key is read-only, your settings are locked, or the request used plain <code>http</code>.",
      "Over <code>https</code>, or with a key of the scope <code>full</code>. If a quota is used up, after you delete users. If you are suspended or your settings are locked, contact us.",
    ],
    [
      "404",
      "The resource does not exist, or belongs to another partner.",
      "No, except for original bytes that are not stored yet.",
    ],
    ["405", "The path does not support the method. <code>Allow</code> lists the methods.", "No."],
    [
      "408",
      "The body arrived too slowly.",
      "After <code>Retry-After</code>, with fewer requests at the same time.",
    ],
    [
      "409",
      "The request conflicts with the current state. The code says how.",
      "<code>idempotency_in_flight</code>: after <code>Retry-After</code>. <code>event_in_delivery</code>: after a minute. Other codes: after the state has changed.",
    ],
    ["413", "The request is too large, or has too many items or users.", "In smaller parts."],
    [
      "415",
      "The media type is not supported, or the body is compressed.",
      "With the right <code>Content-Type</code> and without <code>Content-Encoding</code>.",
    ],
    [
      "422",
      "The idempotency key was used for another request, the file to inspect cannot be imported, or the response is too large.",
      "With another key, with another file, or for less data.",
    ],
    ["429", "A rate limit was reached.", "After <code>Retry-After</code>."],
    [
      "500",
      "The service failed.",
      "Later, but not after <code>original_missing</code> or <code>original_damaged</code>.",
    ],
    [
      "503",
      "A store is unavailable or full, memory is short, or the service is being set up.",
      "After <code>Retry-After</code>.",
    ],
  ];
}

function headerRows(): string[][] {
  return [
    ["<code>X-Request-Id</code>", "Every response", "Id of the request. Include it when you contact us."],
    [
      "<code>RateLimit-Policy</code>",
      "Every response under <code>/api/</code> to a partner with limits, after authentication",
      'The limits that this request counts against, such as <code>"intake";q=6000;w=60, "files";q=60000;w=60</code>: <code>q</code> requests or files in <code>w</code> seconds. <code>read</code> is for GET and HEAD, <code>intake</code> for other requests, <code>files</code> for pinged and retried files.',
    ],
    [
      "<code>RateLimit</code>",
      "The same",
      'What is left, such as <code>"intake";r=5999;t=1</code>: <code>r</code> requests or files now. The whole limit is available again in <code>t</code> seconds.',
    ],
    [
      "<code>Retry-After</code>",
      "408, 429, 503, and 409 <code>idempotency_in_flight</code>",
      "Seconds to wait before you repeat the request. Always a number.",
    ],
    ["<code>WWW-Authenticate</code>", "401", "<code>Bearer</code>"],
    ["<code>Allow</code>", "405", "The methods of this path."],
    [
      "<code>Preference-Applied</code>",
      "202 to pings with <code>Prefer: handling=lenient</code>",
      "<code>handling=lenient</code>",
    ],
    ["<code>Content-Disposition</code>", "Original files", "A file name."],
    ["<code>Cache-Control</code>", "Every response under <code>/api/</code>", "<code>no-store</code>"],
    [
      "<code>Deprecation</code>, <code>Sunset</code>",
      "Responses to deprecated operations",
      'The day of the deprecation, such as <code>@1796083200</code> in Unix seconds (RFC 9745), and the day from which the operation may be removed (RFC 8594). See <a href="#compatibility">Compatibility</a>.',
    ],
  ];
}

/** Returns the sections of the integration guide in order. `html` is the section without its heading. */
export function guide(): Section[] {
  const retryTimes = listed(HOST_RETRY_DELAYS_MS);
  return [
    {
      id: "first-ping",
      title: "First ping in five minutes",
      html: `
<p>You announce FIT files with <em>pings</em>. The service downloads each file, stores it unchanged, and decodes it into activities
that you can read. You need the address of the service, your partner id and a key.</p>
${aside(card(SETTINGS, "Settings for the shell"))}
<p>Send the partner id and the key with every request under <code>/api/</code>, in two headers. (The spellings <code>HTTP_AUTHORIZATION</code> and
<code>HTTP_PARTNER_ID</code> are also accepted.)</p>
<p><strong>1. Send a ride.</strong> This file is small enough to send in the request, in base64:</p>
${request(post("/api/fit_partner_ping/", FIRST_PING), "first-ping")}
<p>The response is <code>202</code> and lists the file.</p>
${aside(card(FIRST_RESPONSE, "Response 202"))}
<p>202 means that the ping is stored durably: the file ends as <code>imported</code>, or as <code>failed</code> with a reason.
You can read the file by its <code>file_id</code> at once. Lists, users and the overview show it within about three seconds.</p>
<p><strong>2. Read the activity.</strong> A live ride is usually imported within a second.</p>
${request(get("/api/activities/?user_id=rider-1"), "first-read")}
<p><strong>3. Send your own ride.</strong> The program asks the service for the start of the ride, sends the file in base64, waits for the import, and prints the activity. If you send the same file again, it is a <code>duplicate</code>: the program says so, and prints the activity of the first import.
Store a FIT file as <code>ride.fit</code>. Store the program as <code>ride.ts</code> and run <code>node ride.ts</code> (Node 22.18 or newer; with Node 20 run <code>npx tsx ride.ts</code>), as <code>ride.py</code> and run <code>python3 ride.py</code>, or as <code>ride.sh</code> and run <code>sh ride.sh</code>. To send another file, add its name: <code>sh ride.sh other.fit</code>.</p>
${program(OWN_RIDE, "own-ride")}
<p><strong>4. Send the URL of a file.</strong> For larger files, put an <code>https://</code> URL into <code>callback_url</code>. The service requests the URL exactly as you sent it.
<a href="#downloads">Downloads</a> says how often the service requests it and how long it must work.</p>`,
    },
    {
      id: "limits",
      title: "Limits",
      html:
        table(["What", "Limit"], limitRows()) +
        `<p><code>GET /api/partner/</code> shows your own limits and quotas, and how much of your quotas you use. Each of our servers counts the
limits per minute on its own, so you may be able to send more in total. A limit of <code>null</code> means that you have no limit of your own. A ceiling that protects the service applies to every partner. Partners of a local service, such as
<code>demo</code>, have no limits, so their responses have no <code>RateLimit</code> headers.</p>
<p>When a quota is used up, all pings get 403 <a href="#problem-quota_exceeded"><code>quota_exceeded</code></a>. Reads, tasks and deletions still work.
After you delete users, pings are accepted again within minutes. Pings are compared with usage that is about a minute old, so the service may accept pings beyond a quota for some minutes.</p>
<p>The service keeps a record of each deletion for ${inWords(ERASURE_KEPT_FOR_MS)}: about ${inDigits(REMOVAL_BYTES_OF_FILE)} bytes for a file that you delete alone, and less for the files of a deleted user. An overwrite that removes activities leaves a record, too. <code>usage.removal_bytes</code> is the size of all records. When it reaches ${inDigits(REMOVAL_BYTES_OF_FILE)} bytes
for each file of your quota, pings get the same problem until older records expire. So you may delete about as many files in ${inWords(ERASURE_KEPT_FOR_MS)} as your quota allows you to store.</p>`,
    },
    {
      id: "downloads",
      title: "Downloads",
      html: `
<p>The service downloads each version of a file once. After one complete response with status 200 it stores the bytes and does not request the URL again. The URL may be
single-use, but a failed attempt must not use it up.</p>
<ul>
<li><strong>When the first request is sent:</strong> with <code>priority</code> 1 within seconds of the ping; with <code>priority</code> 0 after the task, or soon after the ping with the setting <a href="#prefetch"><code>prefetch_held</code></a>.</li>
<li><strong>When the URL is requested again:</strong> after 408, 425, 429 and 5xx, when no connection is possible, when the body is incomplete, and when the
whole file does not arrive within ${inWords(DOWNLOAD_DEADLINE_MS)}. In rare cases also when this service fails before it stores the bytes.</li>
<li><strong>Schedule:</strong> the pauses after failed attempts are ${retryTimes}. Then the file fails. All attempts take about ${inHours(sum(HOST_RETRY_DELAYS_MS))}. <code>Retry-After</code> of your host
lengthens a pause, but the last attempt is at most ${inWords(HOST_RETRIES_FOR_MS)} after the first failed one.</li>
<li><strong>A host that does not respond:</strong> its other files wait without an attempt for up to ${inWords(HOST_RETRIES_FOR_MS)}. Then they fail as <code>callback_timeout</code>.</li>
<li><strong>When the file fails at once:</strong> after 400, 401, 403, 404 and 410 (<code>callback_gone</code>), and after any other status that is not listed above, such as 204 or 451 (<code>callback_http_error</code>).</li>
<li><strong>When you retry a failed file:</strong> the service requests the URL again if it has not stored the bytes. It keeps the URL for ${inWords(KEPT_URL_FOR_MS)} after the failure.</li>
</ul>
<p>A signed URL should therefore work for at least ${inWords(2 * HOST_RETRIES_FOR_MS)} after the ping. For a history, it should work for that time after the task, unless you use the setting <a href="#prefetch"><code>prefetch_held</code></a>. A failure of this service can delay a download by up to ${inWords(STORE_RETRIES_FOR_MS)}.
The service follows at most ${MAX_REDIRECTS} redirects. It cannot send your own headers or credentials to the host.</p>
<h3 id="user-agent">Recognizing our requests</h3>
<p>The <code>User-Agent</code> of downloads and events is <code class="long">${USER_AGENT_NAME}/<em>version</em> (+<em>address of this page</em>)</code>. The name never changes.
The service has no fixed IP addresses, so an allowlist of addresses cannot admit its requests. Anyone can send this <code>User-Agent</code>: trust events by their signature, and protect files by URLs that cannot be guessed.</p>`,
    },
    {
      id: "statuses",
      title: "Statuses and response headers",
      html: `${table(["Status", "Meaning", "Send it again?"], statusRows())}
<p>Every error is a problem document (RFC 9457, <code>application/problem+json</code>). Let your program decide by <code>status</code> and <code>code</code>, which are stable. The wording of <code>title</code> and <code>detail</code> may change.
<a href="#problems">Error codes</a> lists all of them.</p>
<h3 id="headers">Response headers</h3>
${table(["Header", "Sent with", "Content"], headerRows())}`,
    },
    {
      id: "compatibility",
      title: "Compatibility",
      html: `
<p>Without notice we may add endpoints, optional request fields, response fields, response headers, problem codes, event types, and values of open lists. We may also accept larger values. So a client must:</p>
<ul>
<li>ignore fields and headers that it does not know,</li>
<li>acknowledge event types that it does not know,</li>
<li>handle a value of an open list that it does not know,</li>
<li>treat an unknown problem code by its HTTP status.</li>
</ul>
<p>The reference states for each list whether it is open. In the OpenAPI document, <code>${OPEN_LIST_KEYWORD}</code> is true for an open list and false for a closed one.
Names, types and meanings of fields, statuses, and closed lists do not change. Before each release a check compares the OpenAPI document with the last published one. It fails if a client of the published one could break.</p>
<h3 id="deprecation">Deprecation</h3>
<p>An operation that will be removed works for at least ${DEPRECATION_MONTHS} months after its deprecation. During this time the reference marks it, the <a href="/docs/changelog/">changelog</a> names its replacement, and each of its responses has a
<code>Deprecation</code> header, a <code>Sunset</code> header, and a <code>Link</code> to the changelog. Log these headers, so that a person sees them.</p>
<p>Unknown fields in pings and tasks are ignored. Unknown query parameters, and unknown fields of an edit or of endpoints, get 400.</p>`,
    },
    {
      id: "bulk-import",
      title: "Importing a history",
      html: `
<ol>
<li><p><strong>Ping every file</strong> with <code>priority</code> 0, at most ${inDigits(MAX_PINGS)} in a request. The files are <code>held</code>: nothing is downloaded yet,
so their URLs must work until the import completes. If they expire earlier, use the setting <a href="#prefetch"><code>prefetch_held</code></a>.</p>
${request(post("/api/fit_partner_ping/", HISTORY), "history-ping")}</li>
<li><p><strong>Wait for every response.</strong> Repeat a request that got a 429, a 5xx or no response.</p></li>
<li><p><strong>Send the task.</strong> It releases all files that are held for this user and source as one import.</p>
${request(post("/api/task_partner/", TASK), "task")}
<p><code>missing_summary_ids</code> in the response lists the expected files that were never pinged.
Treat the warning <code>nothing_held</code> as an error. It means that no file was held for this user and source, so the import has no files: the <code>user_id</code> or <code>source</code> of the task probably differs from that of the pings. <code>held_under_other_source</code> lists the user's other sources that had held files: if
one of them is the right one, send the task again with it.
The warning <code>no_event_url</code> means that no endpoint receives the event of the import, and <code>endpoint_unverified</code> that the endpoint has not returned its challenge yet: the event is held until it has.
<code>is_initial_import: true</code> requests a training plan when the import completes. Use it only for the first history of a user.</p></li>
<li><p><strong>Wait for completion.</strong> If the task has an <code>event_id</code>, the service sends an event to your <code>event_url</code>. You can also poll:</p>
${request(get("/api/imports/?user_id=rider-1&source=head-unit"), "imports")}
<p>Every import completes exactly once, when each of its files is imported, skipped or failed.</p></li>
<li><p><strong>Check the failed files:</strong></p>
${request(get("/api/files/?user_id=rider-1&status=failed"), "failed-files")}
<p><a href="#file-errors"><code>error.code</code></a> is the reason. If <code>error.retryable</code> is true, you can
<a href="#retryFile">retry</a> the file. Otherwise ping it again with a new URL: with
<code>priority</code> 1 it is downloaded at once, with 0 it is held until the next task.</p></li>
</ol>
<p><a href="#cancelImport">Cancel</a> an import that you started by mistake. Files that are being imported at that moment are finished. The others become <code>skipped</code>. No plan is requested, and the event has the status <code>cancelled</code>.</p>
<p>The <a href="#getReport">report</a> of an import has a line for each of its files, with outcome, start, sport and distance. Its last line has the longest gap between two starts, and the expected files that were never pinged.</p>
<p>If a failed file of an import is imported after you retry it, or ping it again with <code>priority</code> 1, the import counts it as imported instead of failed. Without other failures the status of the import becomes <code>completed</code>.
If you ping the file again with <code>priority</code> 0, the import counts it as skipped, and the import of the next task counts the new version. No second event is sent. The counts of an import are final ${inWords(CLOSED_IMPORT_KEPT_FOR_MS)} after its completion, or when its user and source have ${IMPORTS_KEPT} newer imports.</p>
<p>Live rides do not need a task. Ping them with <code>priority</code> 1.</p>
<h3 id="prefetch">URLs that expire before the task</h3>
<p>With your setting <code>prefetch_held</code>, the service downloads held files soon after their ping, and stores the bytes. <a href="#patchPartner"><code>PATCH /api/partner/</code></a> changes the setting. A file stays <code>held</code> until the task, which decodes
the stored bytes and does not request the URL again.</p>
<ul>
<li><strong>When:</strong> within seconds if few files wait. Live rides and released histories come first, and few of your held files are downloaded at a time. A history of thousands of files takes minutes to hours.</li>
<li><strong>When a download fails:</strong> the file stays <code>held</code>, and <code>last_error</code> and <code>attempts</code> change at once. Temporary errors are retried by the same <a href="#downloads">schedule</a>; <code>next_attempt_at</code> is the time of the next
attempt. If it is null, no attempt follows before the task: ping the file again, with a new URL or the same one. Lists with <code>updated_since</code> contain each of these changes.</li>
<li><strong>When a download succeeds:</strong> the file does not change. Its <a href="#getTimeline">timeline</a> has a step for it. The fields <code>sha256</code> and <code>size_in_bytes</code> are null until the import.</li>
<li><strong>The task</strong> downloads what is not stored yet, with the full schedule of retries. So each file of the import ends as imported or failed.</li>
<li><strong>Which files:</strong> those that you ping while the setting is on, and at most about ${inDigits(MAX_WAITING_PREFETCHES)} that wait for each user and source. The task downloads the others. After you turn the setting off, files that are not stored yet are left to their task.</li>
<li><strong>Timeline:</strong> a <code>downloaded</code> step shows when the bytes were stored.</li>
</ul>`,
    },
    {
      id: "repeating",
      title: "Repeating a request",
      html: `
<p>You may repeat every request.</p>
<ul>
<li><strong>Ping of a held file:</strong> changes nothing if all fields equal those of the file's newest ping, and its status is <code>held</code> again. Otherwise it replaces the held version. After a failed <a href="#prefetch">download before the task</a>, an equal ping replaces it as well.</li>
<li><strong>Ping of a queued file:</strong> a <code>duplicate</code> if all fields equal those of the file's newest ping. With <code>overwrite_mode: false</code> it is also a <code>duplicate</code> as long as no attempt has failed. Otherwise it is a new version, for example with a new URL.</li>
<li><strong>Ping of an imported file:</strong> with <code>overwrite_mode: false</code> always a <code>duplicate</code>. With <code>overwrite_mode: true</code> it imports the file again, unless it equals the newest ping and comes within ${inWords(REPEAT_WINDOW_MS)} of it.</li>
<li><strong>Ping of a failed file:</strong> imports the file again. With <code>priority</code> 0 the new version is held until the next task.</li>
<li><strong>Task:</strong> a task repeats an earlier one if no file is held, it comes within ${inWords(REPEATED_TASK_WINDOW_MS)} of the earlier one, and it has the same <code>user_id</code>, <code>source</code>, <code>event_id</code>
and <code>is_initial_import</code>. It returns the earlier import with <code>repeated: true</code>. No second plan is requested and no second event is sent. If a file is held, the task starts a new import.</li>
</ul>
<h3 id="sequence">The order of pings</h3>
<p>Requests may arrive in another order than you sent them. Without <code>sequence_number</code> the newest arrival wins. With it, a ping with a lower number than an accepted ping of the same file
is <code>superseded</code> and changes nothing. Use a number that rises with each change of the file, such as your version or the time of the change, and send <code>overwrite_mode: true</code>: without it,
a ping of an imported file stays a <code>duplicate</code> with any number.</p>
<ul>
<li>Pings with the same number are compared like pings without one: an equal ping is a <code>duplicate</code>, and a different one, for example with a new URL, follows the rules above.</li>
<li>A ping without a number is never <code>superseded</code>. It does not change the number that later pings are compared with.</li>
<li>The number stays after imports, failures and retries. Deleting the file or its user resets it.</li>
<li>A <code>superseded</code> ping with <code>priority</code> 0 counts as <code>skipped</code> in the next import, like a <code>duplicate</code>.</li>
</ul>
<p>To get an identical response to a repeated ping request or task, send both with the same <code>Idempotency-Key</code>. The response is kept for ${RETENTION_HOURS} hours. While the first request is in progress,
the second gets 409. A different body with the same key gets 422. Error responses are not kept.</p>
${request(post("/api/fit_partner_ping/", FIRST_PING, { "Idempotency-Key": "ride-1-attempt" }), "idempotency")}
<p><code>?dry_run=true</code> validates a request and stores nothing. With <code>Prefer: handling=lenient</code> the valid items of a ping request are accepted, and the others are returned
as <code>rejected</code>. Without it, one invalid item rejects the whole request.</p>
<p>Repeat failed requests with growing random pauses of about 1, 2, 4, 8 … seconds up to one minute, and never before <code>Retry-After</code>.</p>`,
    },
    {
      id: "events",
      title: "Receiving webhooks",
      html: `
<p>Events are POST requests to your <code>event_url</code>, or to each of your <a href="#createEndpoint">endpoints</a>. Each endpoint gets its own event with its own id. Events are signed as Standard Webhooks specifies. Use one of its libraries or the listings below.</p>
<p><strong>1. Create an endpoint.</strong> <code>url</code> is the address of your receiver. The response has the <code>endpoint_id</code>, and the <code>webhook_secret</code>, which is not shown again. The endpoint is <code>unverified</code>.</p>
${request(post("/api/endpoints/", { url: "https://receiver.example.com/events", event_types: ["bulk_fit_import.completed", "file.imported", "file.failed"] }), "create-endpoint")}
<p><strong>2. Start your receiver.</strong> Store the listings as <code>verify.ts</code> and <code>receiver.ts</code>, or as <code>verify.py</code> and <code>receiver.py</code>. Set <code>WEBHOOK_SECRET</code> to the secret, and run <code>node receiver.ts</code> (Node 22.18 or newer; with Node 20 <code>npx tsx receiver.ts</code>) or <code>python3 receiver.py</code>. The receiver listens on <code>PORT</code>, or on 8080. It:</p>
<ul>
<li><strong>Verifies the signature</strong> over the original bytes of the body, and rejects a request if its <code>webhook-timestamp</code> is more than five minutes old. This is the time of the attempt: an event that is sent again has a new one.</li>
<li><strong>Returns the challenge.</strong> See step 3.</li>
<li><strong>Recognizes repeated events.</strong> An event may arrive more than once, always with the same <code>webhook-id</code>.</li>
<li><strong>Responds in time,</strong> with any 2xx within ${inWords(RESPONSE_DEADLINE_MS)}, also to event types that it does not know. It stores the event before the response, and processes it afterwards.</li>
</ul>
${program(VERIFY, "verify")}
${program(RECEIVER, "receiver")}
<p>The listing for the shell is for a manual test of a signature.</p>
<p><strong>3. Return the challenge.</strong> The first event is a <code>test.ping</code> with a text in <code>data.challenge</code>. Verify it, then respond with 200 and <code>{"challenge": "…"}</code> with the same text. Until then the endpoint stays <code>unverified</code>, and its other events are held. A 2xx without the challenge does not verify the endpoint, and the challenge is not sent again.</p>
<p>The service sends the challenge when you create the endpoint. A receiver that rejects it, because it does not know the secret yet, gets it again after at most ${inWords(EVENT_DELAYS_MS[0] ?? 0)}, then after at most ${inWords(EVENT_DELAYS_MS[1] ?? 0)}, and so on. To get another challenge at once, set <code>ENDPOINT_ID</code> and ask for one with a text of your choice:</p>
${request({ method: "POST", path: "/api/events/test/?endpoint_id=$ENDPOINT_ID&challenge=my-receiver" }, "challenge")}
<p><strong>4. Check the endpoint.</strong> Its <code>state</code> is now <code>active</code>.</p>
${request(get("/api/endpoints/$ENDPOINT_ID/"), "endpoint")}
<h3 id="event-body">The body of an event</h3>
<p>The event's id is only in the header <code>webhook-id</code>. <code>type</code> says what <code>data</code> contains. The reference shows <a href="#webhooks">each type</a>.</p>
<h3 id="attempts">When the receiver fails</h3>
<p>If your receiver does not respond with 2xx in time, the service sends the event again. The pauses are ${listed(EVENT_DELAYS_MS)}, each shortened at random by at most ${JITTER * 100} %. <code>Retry-After</code> lengthens a pause. Redirects are not followed. 410 ends the attempts.
While your receiver does not respond in time, other events wait without an attempt. <code>next_attempt_at</code> of an event is the time of its next attempt.
<a href="#getEvent"><code>GET /api/events/{id}/</code></a> shows each attempt with your response.
<a href="#sendTestEvent"><code>POST /api/events/test/</code></a> sends a test event. When your receiver works again, <a href="#resendEvent"><code>POST /api/events/{id}/resend/</code></a> sends
an event at once. An event is sent only after its import can be read.</p>
<h3 id="verifying">Several secrets</h3>
<p>Your secret begins with <code>whsec_</code>. While a secret is rotated, an event has several signatures. Accept the event if one of them matches.</p>`,
    },
    {
      id: "outcomes",
      title: "Receiving outcomes",
      html: `
<p>An endpoint chooses its event types with <a href="#createEndpoint"><code>POST /api/endpoints/</code></a> or <a href="#changeEndpoint"><code>PATCH /api/endpoints/{endpoint_id}/</code></a>.
Without a choice it receives <code>bulk_fit_import.completed</code>.</p>
${table(
  ["Type", "Meaning", "Sent as"],
  [
    [
      "<code>bulk_fit_import.completed</code>",
      "An import with an <code>event_id</code> has completed.",
      "an event",
    ],
    ["<code>file.imported</code>", "A version of a file can be read.", "an outcome"],
    [
      "<code>file.failed</code>",
      "A file has failed, and is not tried again. <code>error</code> says why.",
      "an outcome",
    ],
    [
      "<code>activity.updated</code>",
      "Activities changed without an import: by an edit, or because they were decoded again.",
      "an outcome",
    ],
    [
      "<code>activity.deleted</code>",
      "Activities were deleted: with their file or user, or because an overwrite no longer contains them.",
      "an outcome",
    ],
    [
      "<code>import.cancelled</code>",
      "A cancelled import has ended. <code>bulk_fit_import.completed</code> is sent as well.",
      "an event",
    ],
    [
      "<code>user.erased</code>",
      "The deletion of a user is complete. The receipt has numbers of files, activities and imports.",
      "an event",
    ],
  ],
)}
<p>The service gathers outcomes for ${inWords(OUTCOMES_GATHERED_FOR_MS)}, and sends each endpoint one event of type <code>outcomes.reported</code> with at most ${OUTCOMES_IN_EVENT} of them. An outcome is sent only after
it can be read. If a file changes twice within this time, you receive its newest outcome.</p>
<ul>
<li><strong>Order:</strong> <code>sequence</code> rises by 1 with each outcome for an endpoint, in the order of the changes. Events may arrive in another order, or twice. Store the highest <code>sequence</code> of each file, and ignore lower ones.</li>
<li><strong>Gaps:</strong> a number that does not arrive belongs to an event that is still retried, held or failed. <code>GET /api/events/?type=outcomes.reported&amp;endpoint_id=…</code> lists it.</li>
<li><strong>Histories:</strong> files of a history are not reported, unless the endpoint has <code>include_history</code>. An import announces them as a whole. <code>activity.deleted</code> is reported for all activities.</li>
<li><strong>Start:</strong> an endpoint receives outcomes from the time at which it was verified, or first chose one of these types. Read earlier ones from the lists, with <code>updated_since</code>.</li>
<li><strong>Holding and recovery:</strong> while an endpoint has <code>on_hold</code>, its events wait for up to ${inWords(EVENTS_HELD_FOR_MS)}. After failures for ${inWords(ENDPOINT_FAILS_FOR_MS)} the endpoint is disabled. <a href="#recoverEndpoint"><code>POST /api/endpoints/{endpoint_id}/recover/</code></a> sends again what failed or was held, with the same ids and sequences.</li>
<li><strong>Deleted users:</strong> stored events contain no names. <code>user_id</code>, <code>source</code> and <code>summary_id</code> are added when an event is sent or read. They are null after the file or its user was deleted. A receipt contains the <code>user_id</code>.</li>
<li><strong>Storage:</strong> events with outcomes, and receipts, are deleted after ${inWords(EVENTS_KEPT_FOR_MS)}. They belong to several files or to a deleted user, so filters by user or import do not find them.</li>
</ul>`,
    },
    {
      id: "polling",
      title: "Polling instead of events",
      html: `
<p>If your system has no public address, poll. With <code>?updated_since=</code> the lists of files, activities, imports and events return rows in the order of their changes.</p>
<ol>
<li>Start with a time before your first ping. Follow <code>next_cursor</code> until it is null.</li>
<li>Store the <code>updated_at</code> of the last row and use it for the next poll. The next poll returns that row again, so you miss no change.</li>
<li>Poll once a minute.</li>
<li>A task does not change <code>updated_at</code> of the files that it releases. <code>GET /api/files/{file_id}/</code> returns them as <code>queued</code> at once, and lists do so within about three seconds. A poll with <code>updated_since</code> returns them after their first attempt.</li>
<li>Add <code>include_deleted=true</code> to the lists of files and activities to read removals as well: deleted files and users, and activities that a newer version of their file does not have. A removal is <code>{"file_id": …, "deleted_at": …}</code>, or has an <code>activity_id</code> instead. It is in the order of changes, so use <code>deleted_at</code> like <code>updated_at</code>. Delete your copy of that id, and ignore ids that you do not know. An id that is pinged again later appears again after its removal.</li>
<li>Imports and events of a deleted user are removed without such a row. Delete your copies when you delete the user.</li>
<li>Removals are kept for ${inWords(ERASURE_KEPT_FOR_MS)}. A program that was off for longer must read the lists without <code>updated_since</code>, and delete what they do not return.</li>
</ol>
${request(get("/api/events/?updated_since=2026-01-01T00:00:00Z"), "poll")}
<p>Without <code>updated_since</code> files are sorted by their newest ping, newest first. A file that you ping again while you page moves to a page that you have already read.</p>
<p>A page may be short or empty although more rows follow: it reads a limited number of rows, and few of them may match your filters. Only a null <code>next_cursor</code> marks the last page.</p>
<p>A cursor works only for its list and its filters. Use it only to read the next page, and do not store it.</p>`,
    },
    {
      id: "reading",
      title: "Reading activities and streams",
      html: `
<p>A file has one activity for each session: a triathlon has one for each leg and each transition.
The name of each quantity contains its unit. A quantity that was not measured is <code>null</code>, never 0.
<code>derived</code> lists the fields and streams that are missing in the file and were computed from its other values.</p>
<p><code>local_date</code> is the athlete's date at the start, from <code>start_time_in_seconds</code> and <code>utc_offset_in_seconds</code>. <code>offset_source</code> says whether the device stated the offset, or whether it follows from the time zone at the start position.
Show <code>recorded_with</code>, such as <code>Garmin Edge 820</code>, beside the activity's data: manufacturers' brand guidelines require it.</p>
${request(get("/api/activities/?user_id=rider-1&sport=cycling&limit=10"), "activities")}
<p>Streams are columns of equal length. Index <em>n</em> of every column is the same instant. Null means that the device recorded no value. <code>resolution</code> is the maximum number of points in each column. The highest and lowest values are kept.
An activity's <code>streams</code> lists its streams. <code>${DEVELOPER_PREFIX}<em>name</em></code> is a developer field of the file, in the unit that the file uses.</p>
${request(get("/api/activities/$ACTIVITY_ID/streams/?keys=time_in_seconds,heart_rate_in_beats_per_minute&resolution=500"), "streams")}
${table(
  ["Stream", "Values"],
  STREAM_KEYS.map((key) => [`<code>${key}</code>`, STREAM_DESCRIPTIONS[key]]),
)}
<h3 id="details">Athlete, zones and strength sets</h3>
<p><a href="#getActivity"><code>GET /api/activities/{id}/</code></a> also returns the laps, pool lengths, strength sets and devices, the settings of the athlete, the time in zones and the fields of apps on the device. Lists do not contain them. An excerpt:</p>
${aside(card(jsonOf(MORE_DETAILS), "Details of an activity"))}
<ul>
<li><code>athlete</code> is what the device knew when it recorded the activity. It can differ from what the athlete has set elsewhere since. Nothing is estimated: what the file does not say is <code>null</code>.</li>
<li><code>time_in_zones</code> is what the device counted. Zone <em>n</em> lasts from bound <em>n</em> − 1 to bound <em>n</em>. In the example the first zone ends at 93, and the last one, without a bound, begins above 187. Laps have their own.</li>
<li><code>sets</code> are in the order of the file, with rests between them as sets of the type <code>rest</code>. The sport of strength training is <code>training</code>, and such an activity often has no records, so <code>streams</code> is empty.</li>
<li><code>perceived_exertion</code> is from 0 to 10. <code>feel</code> is from 0 to 100, in steps of 25 on most devices. Both are what the athlete entered after the activity.</li>
</ul>
<h3 id="training-load">Training load and best efforts</h3>
<p><code>training_load</code> says how demanding an activity was. <code>basis</code> names what it was computed from: the first of these that the activity has. Loads of different bases have different scales, so compare and add up loads of one basis, or weigh them yourself.</p>
${table(
  ["Basis", "Value"],
  [
    [
      "<code>device_training_stress_score</code>",
      "<code>training_stress_score</code>, as the device computed it",
    ],
    ["<code>device_training_load_peak</code>", "<code>training_load_peak</code>, as the device computed it"],
    [
      "<code>power</code>",
      "training stress score (Allen and Coggan): hours × (normalized power / functional threshold power that the file states)² × 100. An hour at the threshold is 100",
    ],
    [
      "<code>heart_rate</code>",
      `training impulse (Banister): the sum of minutes × r × ${TRIMP_FACTOR} × e<sup>${TRIMP_EXPONENT} r</sup>, where r = (heart rate − resting) / (maximum − resting) with the bounds that the file states. The two weights are those that Banister found for men, and they are used for all athletes, because files seldom state the sex. For women he found 0.86 and 1.67`,
    ],
    [
      "<code>duration</code>",
      `a rough estimate from sport and timer time: hours × metabolic equivalents of the sport (Compendium of Physical Activities) × ${LOAD_PER_MET_HOUR}`,
    ],
  ],
)}
<p><code>coverage</code> is the share of the timer time with power or heart rate. Readings that cover less than ${MIN_COVERAGE * 100} % are no basis.</p>
<p><code>best_efforts</code> are the best averages over ${EFFORT_SECONDS.map((seconds) => inWords(seconds * 1000)).join(", ")}. They are computed second by second, also over pauses. A reading holds until the next one, for at most ${GAP_SECONDS} seconds, and never into a pause.
An effort may lack readings for ${MAX_MISSING_SHARE * 100} % of its seconds: power and speed count as 0 in them, and the heart rate as the one before. So a power or a speed is never too high because of a gap. In a pool the speed comes from the lengths, and a duration shorter than the fastest length has none.</p>
<h3 id="rr-intervals">Beat-to-beat intervals</h3>
<p>Some devices record the time between two heartbeats (R-R interval). An activity with such intervals has <code>has_rr_intervals: true</code>.</p>
${request(get("/api/activities/$ACTIVITY_ID/rr/"), "rr")}
<p><code>intervals_in_seconds</code> are the lengths as the device recorded them. <code>time_in_seconds</code> is the time of the beat at the end of each interval, on the same
axis as the stream <code>time_in_seconds</code>. Most devices record no time of a beat. The service then places the intervals by the records around them in the file: they continue the intervals before, but a beat lies between the records around it. So a beat may be up to a second from its true time, and after a drop-out the times are right again.
Compute heart rate variability from <code>intervals_in_seconds</code>, not from differences of times, and only over stretches without drop-outs: there the differences equal the intervals.</p>
<p><code>coverage</code> says how much of the timer time the intervals cover, and <code>artefact_share</code> how many of them are probably wrong. The lists contain all intervals, also artefacts:
remove them as your analysis needs.</p>
<p><a href="#getOriginal"><code>GET /api/files/{file_id}/original/</code></a> returns the original bytes of a file.</p>
<h3 id="file-warnings">Warnings of a file</h3>
<p>Warnings do not prevent an import: a file with warnings was imported.</p>
${codeTable(FILE_WARNINGS, "warning")}`,
    },
    {
      id: "duplicates",
      title: "Recordings of one ride",
      html: `
<p>A ride that a watch and a head unit recorded, or that reaches you from two sources, has several activities. The service finds these recordings when you read. Two activities of a user are recordings of one ride if they come from different files, start at most ${inWords(MAX_START_DIFFERENCE_SECONDS * 1_000)} apart, overlap for more than half of the longer one, and have the same kind of sport. If one of them has an unspecific sport, such as <code>generic</code>, they must overlap even more. The legs of a triathlon, two sessions on one day and a short warm-up within a ride are different activities.</p>
${request(get("/api/activities/?user_id=rider-1&canonical=true"), "canonical")}
<ul>
<li><strong>Group:</strong> recordings of one ride have the same <code>duplicate_group</code>, in whatever order they arrive. Use it only to compare activities: it can change when a recording is added or deleted.</li>
<li><strong>Canonical recording:</strong> the one that counts has <code>is_canonical: true</code>. It has the most of these kinds of data: power, beat-to-beat intervals, position, several laps. If two recordings have as many, your setting <code>source_order</code> decides, then the kinds of data in this order, then the duration. <code>possible_duplicate_of</code> of the others is its id.</li>
<li><strong>To choose another recording,</strong> exclude the canonical one from training. An excluded recording counts only if all recordings of its group are excluded.</li>
<li><strong>Changes are not reported.</strong> When one recording of a ride changes, another can become canonical or a duplicate without a change of its <code>updated_at</code>. So <code>canonical</code> cannot be combined with <code>updated_since</code>.</li>
<li><strong>Lists over all users</strong> compare a limited number of activities for each page, so they can miss duplicates when very many of your users ride at the same time. Lists of one user, single activities and the training baseline compare up to some thousand activities of the user.</li>
</ul>`,
    },
    {
      id: "training",
      title: "The training of a user",
      html: `
<p><a href="#getTraining"><code>GET /api/users/{user_id}/training/</code></a> returns the training baseline, which a training plan starts from: hours, distance and load by sport and week, the load of each day, averages, fitness and fatigue, the longest sessions, best efforts, and evidence of thresholds.</p>
${request(get("/api/users/rider-1/training/"), "training")}
<ul>
<li><strong>Current.</strong> The service computes it when you read. Deletions, edits, exclusions and late files count at the next read.</li>
<li><strong>Each ride counts once,</strong> by its <a href="#duplicates">canonical recording</a>. <code>left_out</code> has the numbers of the others: duplicates, activities with <code>exclude_from_training</code>, activities without a start or with a start in the future, and activities older than the newest ${inDigits(BASELINE_ACTIVITIES)}.</li>
<li><strong>Days are local.</strong> An activity counts on its <code>local_date</code>, or on its date in UTC if that is unknown. <code>activities_with_local_date</code> says for how many it is known. Weeks begin on Monday.</li>
<li><strong>Loads</strong> are those of <code>training_load</code>. If a file lacks the maximum or resting heart rate for a training impulse, <code>heart_rate_bounds</code> is used. <code>load_bases</code> says what the loads were computed from.</li>
<li><strong>Columns.</strong> Weeks and days are columns of equal length, oldest first. A week or day without activities has 0. <code>activities_with_duration</code> and <code>activities_with_distance</code> are the numbers of activities that have this value: only they add to the sums.</li>
</ul>`,
    },
    {
      id: "editing",
      title: "Editing",
      html: `
<p>You can rename a file, correct the sport of an activity, and exclude an activity from training, without a new ping:</p>
${request(patch("/api/files/$FILE_ID/", { activity_name: "Sunday ride" }), "rename")}
${request(patch("/api/activities/$ACTIVITY_ID/", { sport: "running", sub_sport: "trail" }), "sport")}
<p>Nothing is downloaded or decoded. Reads by id and lists, also with a filter by <code>sport</code>, return the edit right after the response. <code>updated_at</code> changes.</p>
<ul>
<li><strong>Edits stay.</strong> They also apply to every later version of the file, whatever its name and sport. <code>null</code> undoes an edit: the value of the readable version is returned again.
<code>edited</code> lists the edited fields.</li>
<li><strong>Before the import.</strong> Edits of a held, queued or failed file are stored, and apply when it is imported. Until then an edit of an activity gets 202 for any session, because the number of sessions is not known. If the imported file does not have that session, the edit has no effect.</li>
<li><strong>Other fields stay as they were decoded</strong>, also those that depend on the sport, such as <code>average_cadence_in_cycles_per_minute</code>. If you edit <code>sport</code>, edit <code>sub_sport</code> as well when the file's sub-sport does not fit.</li>
<li><strong>Deletion.</strong> When the file or its user is deleted, the edits are deleted as well.</li>
</ul>
<h3 id="sports">Sports</h3>
<p>${names(SPORT_NAMES)}</p>
<h3 id="sub-sports">Sub-sports</h3>
<p>${names(SUB_SPORT_NAMES)}</p>`,
    },
    {
      id: "deleting",
      title: "Deleting a file or a user",
      html: `
<p><a href="#deleteFile"><code>DELETE /api/files/{file_id}/</code></a> deletes one file with all its versions, its activities and its bytes. After the 202 no request returns them.
Work in progress writes nothing back, and a running import counts the file as skipped. A later ping with the same names starts the file again, without the old data. Deleting a deleted file returns 404.</p>
${request({ method: "DELETE", path: "/api/users/rider-1/" }, "delete")}
<p><a href="#deleteUser"><code>DELETE /api/users/{user_id}/</code></a> deletes all files, activities, held pings, imports and events of the user, and stops imports in progress. An endpoint with the type <code>user.erased</code> receives a receipt, which is kept for ${inWords(EVENTS_KEPT_FOR_MS)}. The response is 202, or 404 for an unknown user.
A later ping creates the user again, without the old data.</p>
<p>For ${inWords(ERASURE_KEPT_FOR_MS)} we keep a hash of your partner id and the user id, and the ids of the deleted files, which are hashes too, with the time of the deletion. So delayed work cannot write data back, and <a href="#polling">readers of changes</a> learn of the deletion. A hash does not
hide an id that is easy to guess. Use ids that cannot be guessed, not e-mail addresses or consecutive numbers.</p>
<h3 id="jurisdiction">Where data is stored</h3>
<p><code>jurisdiction</code> of <a href="#getHealth"><code>GET /health/</code></a> names the jurisdiction in which we store all files, activities and settings:
<code>eu</code>, <code>us</code> or <code>fedramp</code>, or null for no jurisdiction. It does not change.</p>`,
    },
    {
      id: "self-service",
      title: "Keys, settings and usage",
      html: `
<p>You create and delete your keys yourself. The key is shown once, in this response:</p>
${request(post("/api/keys/", { label: "server 2027" }), "create-key")}
<p>You can have ${MAX_KEYS} valid keys. A key may have a <code>label</code> and an expiry (<code>expires_at</code>). Its <code>scope</code> is one of:</p>
<ul>
<li><code>full</code>: every request.</li>
<li><code>read</code>, for a read-only key: only requests that change nothing, which are GET, HEAD and the <a href="#inspectFile">inspection of a file</a>. Other requests get 403 <a href="#problem-read_only_key"><code>read_only_key</code></a>. Use such a key for dashboards and analyses.</li>
</ul>
<p><strong>Rotating a key.</strong> Create a key, wait until <code>in_force_at</code>, switch your programs to it, then delete the old key with the new one:</p>
${request({ method: "DELETE", path: "/api/keys/$KEY_ID/" }, "delete-key")}
<ul>
<li><strong>When a change is in force.</strong> Our servers cache your settings for a short time. From <code>in_force_at</code> on, usually ${inWords(SETTINGS_SPREAD_FOR_MS)} after the change, every request uses the change. Until then a new key may get 401, and a deleted key may still work. But it can no longer change keys, endpoints and settings.
<code>GET /api/partner/</code> shows a change at once.</li>
<li><strong>Simultaneous changes</strong> are all kept. In rare cases a request gets 409 <a href="#problem-changed_meanwhile"><code>changed_meanwhile</code></a> and has changed nothing: send it again.</li>
<li><strong>A lost response.</strong> If you lose the response with a new key, find the key in <code>GET /api/partner/</code> by its label and <code>created_at</code>, delete it, and create another one. An <code>Idempotency-Key</code> has no effect here, because the service never stores a key.</li>
<li><strong>The last key.</strong> The last valid key with the scope <code>full</code> cannot be deleted (409 <a href="#problem-last_key"><code>last_key</code></a>). If it expires, ask us for another one.</li>
<li><strong>A lock.</strong> We can lock your keys, endpoints and settings, for example after a key has leaked. Changes then get 403 <a href="#problem-self_service_locked"><code>self_service_locked</code></a>. All other requests work as before.</li>
</ul>
<p><a href="#patchPartner"><code>PATCH /api/partner/</code></a> changes your settings <code>callback_hosts</code>, <code>source_order</code> and <code>prefetch_held</code>:</p>
${request(patch("/api/partner/", { source_order: ["head-unit", "watch"] }), "settings")}
<p>The service downloads only from the hosts in <code>callback_hosts</code>. If the list is empty, it downloads from any public host.
To change <a href="#events">endpoints</a> and their secrets, use <a href="#createEndpoint"><code>/api/endpoints/</code></a>. To change your limits, quotas or <code>event_url</code>, ask us.</p>
<p><strong>Usage.</strong> <a href="#getUsage"><code>GET /api/usage/</code></a> returns a row for each day (UTC): imported, failed and deleted files, stored bytes, requests by status, and attempts to deliver events. The service keeps ${USAGE_DAYS} days.</p>
${request(get("/api/usage/"), "usage")}
<ul>
<li><strong>Files</strong> count on the day on which they were imported, failed or deleted. A file that is imported again, also by us, counts again. Duplicate pings are not counted.</li>
<li><strong>Requests</strong> are approximate. Each of our servers counts in memory and stores its counts after ${inWords(REQUESTS_STORED_AFTER_MS)}. A request counts on the day on which its count is stored. Counts are lost when a server stops before it stores them. Requests without a valid key, and requests of a suspended partner, are not counted.</li>
<li><strong>Deliveries</strong> count attempts, so an event that was delivered at the third attempt counts once as delivered and twice as failed. Test events are not counted.</li>
</ul>`,
    },
    {
      id: "going-live",
      title: "Going live",
      html: `
<p><strong>Run the check.</strong> <a href="/console/#/check">Check my integration</a> in the console tests a whole integration with a new user and deletes the user afterwards.
It sends a live ping, a history with its task, an overwrite, a duplicate and edits, and waits for the event. <code>npm run verify</code> does the same in a terminal. Two
<a href="#sendTestEvent">test events</a> show whether your receiver verifies signatures:</p>
<ol>
<li>One contains <code>data.challenge</code>. Verify the signature, then respond with 200 and the same text: <code>{"challenge": "…"}</code>.</li>
<li>One is signed with an unknown secret. Respond with 400, 401, 403 or 422, as for any forged event.</li>
</ol>
<p>Then check the rest yourself:</p>
<ul>
<li>You store the key and the webhook secret as secrets, and use different ones for test and production.</li>
<li><code>callback_url</code> is <code>https</code> on a public host, needs no headers, and works as long as <a href="#downloads">Downloads</a> says.</li>
<li><code>user_id</code> and <code>summary_id</code> never change for the same user and file.</li>
<li>Times are Unix <em>seconds</em>, sent as strings.</li>
<li>Your client repeats requests after 429, 5xx or no response, with growing pauses. It logs each 400 with its <code>errors</code>, and a person reads the log.</li>
<li>You send the task after the responses to all pings, with <code>expected_summary_ids</code>.</li>
<li>Your receiver verifies signatures, responds before it processes an event, and recognizes repeated events. It responded with 2xx to the event of <code>POST /api/events/test/</code>.</li>
<li>A person checks files with status <code>failed</code>.</li>
<li>When you delete a user in your system, you also delete the user here.</li>
<li>You can rotate keys without an outage, as <a href="#self-service">Keys, settings and usage</a> shows.</li>
</ul>`,
    },
    { id: "problems", title: "Error codes", html: problemTable() },
    {
      id: "faults",
      title: "Validation errors",
      html: `<p>Values of <code>errors[].code</code> in the problems <a href="#problem-validation_failed"><code>validation_failed</code></a>, <a href="#problem-too_many_items"><code>too_many_items</code></a> and <a href="#problem-too_many_users"><code>too_many_users</code></a>. <code>errors[].pointer</code> is the location of the fault.</p>${codeTable(FAULT_CODES, "fault")}`,
    },
    {
      id: "file-errors",
      title: "Why a file failed",
      html: `<p>Values of <code>error.code</code> of a file, and of <code>code</code> of a failed file in an event. <a href="#listFiles"><code>GET /api/files/</code></a> with <code>error_code</code> lists the files with one of them. You can retry a file (<code>POST /api/files/{file_id}/retry/</code>) or the failed files of an import (<code>POST /api/imports/{import_id}/retry/</code>) if <code>error.retryable</code> is true: a retry can help, and the service has stored the bytes, or still has the URL, which it keeps for ${inWords(KEPT_URL_FOR_MS)}. Otherwise correct the file and ping it again; a retry gets 409 <a href="#problem-not_retryable"><code>not_retryable</code></a>. A queued file has no <code>error</code>: <code>last_error</code> says why its last attempt failed, and <code>next_attempt_at</code> when the next one is due. Each file that a retry queues counts against your limit of files. At least ${inWords(RETRY_PAUSE_MS)} must pass between two retries of a file.</p>${fileErrorTable()}`,
    },
  ];
}
