import { inBytes, inDigits, inWords } from "../contract/amounts.ts";
import {
  DOWNLOAD_DEADLINE_MS,
  HELD_FOR_MS,
  MAX_EXPECTED_IDS,
  MAX_FILE_BYTES,
  MAX_INLINE_BYTES,
  MAX_JSON_BODY_BYTES,
  MAX_NAME_CHARACTERS,
  MAX_PINGS,
  MAX_REDIRECTS,
  MAX_RETRIED_FILES,
  MAX_TITLE_CHARACTERS,
  MAX_URL_CHARACTERS,
  MAX_USERS,
  PAGE_ROWS,
  RETRY_PAUSE_MS,
  TEST_EVENTS_A_DAY,
} from "../contract/limits.ts";
import { DEVELOPER_PREFIX, STREAM_KEYS } from "../activities/activity.ts";
import { FILE_ERROR_CODES } from "../files/file.ts";
import { DEFAULT_LIMITS, DEFAULT_QUOTAS } from "../partners/partner.ts";
import { FAULT_CODES, PROBLEM_ADVICE } from "./codes.ts";
import { FILE_ADVICE, FILE_ERRORS, FILE_WARNINGS } from "./fileWords.ts";
import { BODY_GRACE_MS, SMALL_BODY_MS } from "../http/bodyChunks.ts";
import { REQUEST_SHARES, UNCOUNTED_BODY_BYTES } from "../http/jsonBody.ts";
import { MIN_BYTES_PER_SECOND, PAUSE_MS, TRANSFER_MS } from "../http/pace.ts";
import { PROBLEMS, type ProblemCode } from "../http/problem.ts";
import { BYTES_PER_REQUEST } from "../http/rateLimit.ts";
import { SMALL_RIDE, SMALL_RIDE_START } from "./examples.ts";
import { escape, listing, prose, table } from "./html.ts";
import { VERIFY_NODE, VERIFY_PYTHON, VERIFY_SHELL } from "./snippets.ts";

const MIB = 1024 * 1024;
const wholeMiB = (bytes: number) => Math.floor(bytes / MIB);

const HEADERS = [`-H "Authorization: Bearer $AUTH_KEY"`, `-H "Partner-Id: $PARTNER_ID"`];
const JSON_TYPE = `-H 'Content-Type: application/json'`;

const FIRST_PING = {
  activity_files: [
    {
      file_type: "FIT",
      activity_name: "Morning ride",
      priority: 1,
      user_id: "rider-1",
      source: "head-unit",
      overwrite_mode: false,
      start_time_in_seconds: SMALL_RIDE_START,
      callback_url: SMALL_RIDE,
      summary_id: "first-ride",
    },
  ],
};
const HISTORY = {
  activity_files: [
    { ...FIRST_PING.activity_files[0], priority: 0, summary_id: "history-0001" },
    { ...FIRST_PING.activity_files[0], priority: 0, summary_id: "history-0002" },
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

/** A command for the shell, one header a line. */
function curl(path: string, ...options: string[]): string {
  return [`curl -sS "$API${path}"`, ...HEADERS, ...options].join(" \\\n  ");
}

function post(path: string, body: object, ...options: string[]): string {
  return curl(path, JSON_TYPE, ...options, `-d '${JSON.stringify(body, null, 2)}'`);
}

interface Section {
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
    ["Code", "Meaning", "What to do"],
    FILE_ERROR_CODES.map((code) => [
      `<code>${code}</code>`,
      prose(FILE_ERRORS[code]),
      prose(FILE_ADVICE[code].advice),
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

/** The integration guide, in its order; `html` is the section without its heading. */
export function guide(): Section[] {
  return [
    {
      id: "first-ping",
      title: "First ping in five minutes",
      html: `
<p>You tell us of FIT files with <em>pings</em>; we fetch each file once, keep it as it came, and decode it into activities
that you can read back. You need the address of the service, your partner id and a key.</p>
<p>Every request under <code>/api/</code> carries both in two headers. (<code>HTTP_AUTHORIZATION</code> and
<code>HTTP_PARTNER_ID</code>, spelled like that, are accepted as well.)</p>
${listing(`export API=https://the.address.you.were.given\nexport PARTNER_ID=your-id\nexport AUTH_KEY=your-key`, "Settings for the shell")}
<p><strong>1. Send a ride.</strong> This one is small enough to stand in the request, in base64. Paste it as it is:</p>
${listing(post("/api/fit_partner_ping/", FIRST_PING), "Sending a ride with curl", "first-ping")}
<p>The answer is <code>202</code>, and it lists the file:</p>
${listing(`{ "accepted": 1, "files": [ { "file_id": "…", "user_id": "rider-1", "source": "head-unit",\n  "summary_id": "first-ride", "status": "queued" } ] }`, "The answer")}
<p>202 is a promise: whatever happens next, this file ends as <code>imported</code>, or as <code>failed</code> with a reason.
You can read it by its <code>file_id</code> from now on; lists, users and the overview follow within about 3 seconds.</p>
<p><strong>2. Read what it became.</strong> A live ride takes about a second.</p>
${listing(curl("/api/activities/?user_id=rider-1"), "Reading activities with curl", "first-read")}
<p><strong>3. Send your own.</strong> Put an <code>https://</code> URL into <code>callback_url</code>. It is used once, byte for
byte as you wrote it, so that a signed URL for one download is enough.</p>`,
    },
    {
      id: "limits",
      title: "Limits",
      html:
        table(
          ["What", "At most"],
          [
            [
              "Body of a request",
              `${inBytes(MAX_JSON_BODY_BYTES)}, or ${inBytes(MAX_FILE_BYTES)} for a file to inspect; also when it is sent in chunks`,
            ],
            [
              "Time for a body",
              `${TRANSFER_MS / 1000} s; after ${BODY_GRACE_MS / 1000} s it must arrive at ${MIN_BYTES_PER_SECOND / 1024} KiB a second or faster, with pauses of up to ${PAUSE_MS / 1000} s. Else 408. A body of up to ${UNCOUNTED_BODY_BYTES / 1024} KiB with a <code>Content-Length</code> has ${SMALL_BODY_MS / 1000} s at any rate`,
            ],
            [
              `Time to read an answer with streams, or to a body over ${UNCOUNTED_BODY_BYTES / 1024} KiB`,
              `${TRANSFER_MS / 1000} s, at ${MIN_BYTES_PER_SECOND / 1024} KiB a second or faster, with pauses of up to ${PAUSE_MS / 1000} s. Else the connection is closed`,
            ],
            [
              "Large requests at the same time",
              `One of any size, and ${wholeMiB(REQUEST_SHARES.otherLargeBytes)} MiB for all others together; a JSON body counts twice. Requests of up to ${wholeMiB(REQUEST_SHARES.smallRequestBytes)} MiB have ${wholeMiB(REQUEST_SHARES.otherSmallBytes)} MiB of their own. Else 503`,
            ],
            ["Files in one ping request", MAX_PINGS.toLocaleString("en")],
            ["Users in one ping request", `${MAX_USERS}; a user with two sources counts twice`],
            ["A file in base64", `${inBytes(MAX_INLINE_BYTES)}, decoded`],
            [
              "A file by URL",
              `${inBytes(MAX_FILE_BYTES)}, also what a gzip or zip unpacks to; ${inWords(DOWNLOAD_DEADLINE_MS)} for the whole download; ${MAX_REDIRECTS} redirects`,
            ],
            ["<code>expected_summary_ids</code>", inDigits(MAX_EXPECTED_IDS)],
            [
              "<code>user_id</code>, <code>source</code>, <code>summary_id</code>",
              `${MAX_NAME_CHARACTERS} characters, no control characters`,
            ],
            ["<code>activity_name</code>", `${inDigits(MAX_TITLE_CHARACTERS)} characters`],
            [
              "A URL",
              `${inDigits(MAX_URL_CHARACTERS)} characters; <code>https</code>, port 443, a public host name`,
            ],
            [
              "Rows on a page of a list",
              `${PAGE_ROWS.max}; ${PAGE_ROWS.default} unless you send <code>limit</code>`,
            ],
            ["Held files", `${inWords(HELD_FOR_MS)} until the task must come`],
            [
              "Requests",
              `${inDigits(DEFAULT_LIMITS.requests_per_minute)} a minute to send, as many to read, unless agreed otherwise. A file to inspect, and an answer with streams, counts as one request for each ${BYTES_PER_REQUEST / 1024} KiB`,
            ],
            [
              "Files",
              `${inDigits(DEFAULT_LIMITS.files_per_minute)} a minute, unless agreed otherwise: those of pings, and those that a retry queues again`,
            ],
            ["Retries of one file", `1 in ${inWords(RETRY_PAUSE_MS)}`],
            ["Files that one retry of an import queues", MAX_RETRIED_FILES.toLocaleString("en")],
            [
              "What we keep for you",
              `${DEFAULT_QUOTAS.files.toLocaleString("en")} files and ${(DEFAULT_QUOTAS.stored_bytes / 1e12).toLocaleString("en")} TB of bytes, unless agreed otherwise`,
            ],
            ["Test events", `${TEST_EVENTS_A_DAY.toLocaleString("en")} in 24 hours`],
          ],
        ) +
        `<p><code>RateLimit</code> in each answer says how much of the minute is left; with 429 and 503 wait as long as <code>Retry-After</code> says.
<code>GET /api/partner/</code> shows your own limits, your quotas, and how much of them you use. Limits a minute hold for each
location of our network: requests that reach us in two places of the world are counted apart.</p>
<p>At a quota your pings get 403 <a href="#problem-quota_exceeded"><code>quota_exceeded</code></a>, also those of files that we have. Reading, tasks and deleting go on.
Deleting users makes room within some minutes. What you use is published about once a minute, so a quota may be passed by some minutes of pings.</p>`,
    },
    {
      id: "statuses",
      title: "What each status means",
      html: `${table(
        ["Status", "Meaning", "Send it again?"],
        [
          ["200", "Here it is.", "No need."],
          ["202", "Taken, and durable.", "No need; harmless."],
          [
            "400",
            "Something in the request breaks the contract; <code>errors</code> lists all of it.",
            "Not as it is.",
          ],
          ["401", "Partner id and key do not fit.", "Not with this key."],
          [
            "403",
            "You are suspended, your quota is used up, or the request came over plain <code>http</code>.",
            "Over <code>https</code>; at a quota, after deleting users; if you are suspended, ask us.",
          ],
          ["404", "Unknown, or somebody else's.", "No."],
          ["405", "The address does not take this method; see <code>Allow</code>.", "No."],
          [
            "409",
            "This cannot be done at present; the code says why.",
            "Only <code>idempotency_in_flight</code>.",
          ],
          [
            "408",
            "The body arrived too slowly.",
            "Yes, after <code>Retry-After</code>; fewer at the same time.",
          ],
          ["413", "Too large, or too many items or users.", "In smaller parts."],
          [
            "415",
            "The body's type is not what this operation takes, or the body is compressed.",
            "With the right <code>Content-Type</code>, and without <code>Content-Encoding</code>.",
          ],
          [
            "422",
            "The idempotency key stands for another request; the file to inspect cannot be read; or the answer is too large.",
            "With a key of its own; for less at a time.",
          ],
          ["429", "Too many requests.", "Yes, after <code>Retry-After</code>."],
          ["500", "Our fault.", "Yes, later; not after <code>original_missing</code>."],
          ["503", "A store is down or memory is short.", "Yes, after <code>Retry-After</code>."],
        ],
      )}
<p>Every error is a problem document (RFC 9457, <code>application/problem+json</code>). Decide by <code>code</code>: it is stable. Words may change.
All codes are <a href="#problems">listed below</a>. Every answer carries <code>X-Request-Id</code>: name it when you ask us about an answer.</p>`,
    },
    {
      id: "bulk-import",
      title: "Importing a history",
      html: `
<ol>
<li><p><strong>Ping every file</strong> with <code>priority</code> 0, up to ${MAX_PINGS.toLocaleString("en")} in a request. The files are <code>held</code>: nothing is downloaded yet,
so their URLs must live until the import runs.</p>
${listing(post("/api/fit_partner_ping/", HISTORY), "Pinging a history with curl", "history-ping")}</li>
<li><p><strong>Wait for every answer.</strong> A request without an answer, or with a 503, is sent again as it was.</p></li>
<li><p><strong>Say that it is complete.</strong> The task takes all that is held for this user and source.</p>
${listing(post("/api/task_partner/", TASK), "Sending the task with curl", "task")}
<p><code>missing_summary_ids</code> in the answer names what never arrived.
<code>is_initial_import: true</code> asks for a training plan when the import completes; say it once for each user, with the first history.</p></li>
<li><p><strong>Learn when it is done.</strong> With an <code>event_id</code> you are told at your <code>event_url</code>; or ask:</p>
${listing(curl("/api/imports/?user_id=rider-1&source=head-unit"), "Reading imports with curl", "imports")}
<p>Every import completes, once, when each of its files is imported, skipped or failed.</p></li>
<li><p><strong>Look at what failed:</strong></p>
${listing(curl("/api/files/?user_id=rider-1&status=failed"), "Reading failed files with curl", "failed-files")}
<p><a href="#file-errors"><code>error.code</code></a> says why, <code>retryable</code> whether
<a href="#retryFile">retry</a> can work. Otherwise ping the file again, with a fresh URL: with
<code>priority</code> 1 it is fetched at once; with 0 it is held until you send the task again.</p></li>
</ol>
<p>A ride that has just ended does not wait for any of this: ping it with <code>priority</code> 1.</p>`,
    },
    {
      id: "repeating",
      title: "Repeating requests safely",
      html: `
<p>Repeating a ping is harmless. One file is (user_id, source, summary_id): a repetition names the same file and is answered
<code>duplicate</code> when there is nothing new to do: also when the answer to the first never reached you.</p>
<ul>
<li><code>overwrite_mode: true</code> imports the file again. What was stored stays readable until the new version has replaced it whole. The newest ping wins.
The same overwriting ping again within ten minutes is taken for a repetition, <code>duplicate</code>; later it is a new one.</li>
<li>A file whose last attempt failed is tried again on any new ping, also while its import is still running and would ask the host again:
with <code>priority</code> 1 at once, counted in that import; with 0 only when you send the task again, as part of a new import.</li>
<li>A task that finds nothing newly held within 24 hours of the same task answers the import that was started then, with <code>repeated: true</code>: no second plan, no second event.</li>
</ul>
<p>If you want the very same answer again, send an <code>Idempotency-Key</code> with pings and tasks. It is kept for 24 hours. While the first request is being
answered the second gets 409; another body under the same key gets 422. Answers with 5xx are not kept.</p>
${listing(post("/api/fit_partner_ping/", FIRST_PING, `-H 'Idempotency-Key: ride-1-attempt'`), "Sending an idempotency key with curl", "idempotency")}
<p><code>?dry_run=true</code> checks a request and stores nothing. With <code>Prefer: handling=lenient</code> the good items of a ping request are taken and the bad ones
come back as <code>rejected</code>; without it one bad item refuses them all.</p>
<p>Try again with growing pauses: after 1, 2, 4, 8 … seconds up to a minute, each with some chance in it, and never sooner than <code>Retry-After</code>.</p>`,
    },
    {
      id: "events",
      title: "Taking events",
      html: `
<p>We POST events to your <code>event_url</code>, signed as Standard Webhooks say; a library of theirs will do as well as the listings below.</p>
<ol>
<li>Verify the signature over the bytes as they came. Refuse what is older than five minutes.</li>
<li>Keep the event, then answer with any 2xx within 15 seconds, then work.</li>
<li>An event may come more than once: <code>webhook-id</code> is the same each time.</li>
<li>Answer 2xx to types that you do not know.</li>
</ol>
<p>Anything but 2xx is tried again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h. Redirects are not followed. 410 ends the attempts.
While your receiver does not answer in time, its other events wait without an attempt, up to 30 minutes at a time; <code>next_attempt_at</code> says until when.
Each attempt and your answer to it can be read at <a href="#getEvent"><code>GET /api/events/{id}/</code></a>, and
<a href="#sendTestEvent"><code>POST /api/events/test/</code></a> sends you one to try with. Mended your receiver? <a href="#resendEvent"><code>POST /api/events/{id}/resend/</code></a> sends
an event now instead of at its next attempt. An event leaves only after what it announces can be read.</p>
<h3 id="verifying">Verifying the signature</h3>
<p>Your secret begins with <code>whsec_</code>. While it is being rotated there are several signatures, and one that fits is enough.</p>
<h4>Node</h4>
${listing(VERIFY_NODE, "Verifying in Node", "verify-node")}
<h4>Python</h4>
${listing(VERIFY_PYTHON, "Verifying in Python", "verify-python")}
<h4>Shell, to try it by hand</h4>
${listing(VERIFY_SHELL, "Verifying in a shell", "verify-shell")}`,
    },
    {
      id: "polling",
      title: "Polling instead of events",
      html: `
<p>Without a public address, ask. <code>?updated_since=</code> turns the lists of files, activities and events into feeds, in the order of their changes.</p>
<ol>
<li>Begin with an instant before your first ping. Follow <code>next_cursor</code> until it is null.</li>
<li>Keep the <code>updated_at</code> of the last row. Next time ask from there: that row comes again, nothing is left out.</li>
<li>A minute between two looks is plenty.</li>
<li>A task makes held files read as <code>queued</code> at once, but is no change of each: they come again when they are imported or have failed.</li>
<li>What you delete is gone from the lists, without a last word.</li>
</ol>
${listing(curl("/api/events/?updated_since=2026-01-01T00:00:00Z"), "Polling events with curl", "poll")}
<p>Without <code>updated_since</code> files come by their newest ping, the newest first: one that you ping again while you walk moves to a page that you have passed.</p>
<p>Follow <code>next_cursor</code> until it is null, also after a page that is short or empty: a page looks at a bounded number of rows, and few of them may match your filters.</p>
<p>A cursor belongs to its list and its filters. Keep it for a walk, not for a day.</p>`,
    },
    {
      id: "reading",
      title: "Reading activities and streams",
      html: `
<p>One file gives one activity for each session in it: a triathlon gives its legs and its transitions.
Each quantity has its unit in its name. What was not measured is <code>null</code>, never 0.
<code>derived</code> names the fields that the file lacked and that we computed from its records.</p>
${listing(curl("/api/activities/?user_id=rider-1&sport=cycling&limit=10"), "Listing activities with curl", "activities")}
<p>Streams are columns of equal length: index <em>n</em> of every column is the same instant. <code>resolution</code> asks for at most so many points; highs and lows stay.
The keys are ${STREAM_KEYS.map((key) => `<code>${key}</code>`).join(", ")}, and <code>${DEVELOPER_PREFIX}<em>name</em></code> for fields of developers; an activity's <code>streams</code> lists those that it has.</p>
${listing(curl("/api/activities/$ACTIVITY_ID/streams/?keys=time_in_seconds,heart_rate_in_beats_per_minute&resolution=500"), "Reading streams with curl", "streams")}
<p><a href="#getOriginal"><code>GET /api/files/{file_id}/original/</code></a> gives the file back as you sent it.</p>
<h3 id="file-warnings">Warnings of a file</h3>
<p>The file was imported all the same.</p>
${codeTable(FILE_WARNINGS, "warning")}`,
    },
    {
      id: "deleting",
      title: "Deleting a user",
      html: `
${listing(curl("/api/users/rider-1/", "-X DELETE"), "Deleting a user with curl", "delete")}
<p>Everything of this user goes: files, activities, held pings, imports and events. Work in flight writes nothing back. The answer is 202; an unknown user is 404.
Pinging the user again later starts afresh.</p>
<p>For 90 days we keep a hash of your id and the user's id, with the time of the deletion, so that no late work writes anything back. If your user ids can be guessed, so can the
id behind a hash: use ids that cannot be guessed, not e-mail addresses or consecutive numbers.</p>`,
    },
    {
      id: "going-live",
      title: "Going live",
      html: `
<p><strong>Let it be proved.</strong> <a href="/console/#/check">Check my integration</a> in the console plays a whole integration with a user of its own and deletes it:
a live ping, a history with its task, an overwrite, a duplicate, the event. <code>npm run verify</code> does the same in a terminal. Your receiver shows that it verifies signatures by two
<a href="#sendTestEvent">test events</a>:</p>
<ol>
<li>One carries <code>data.challenge</code>. Having verified the signature, answer 200 with <code>{"challenge": "…"}</code>, the same text.</li>
<li>One is signed with a secret that nobody has. Answer it with 400, 401, 403 or 422, as you would answer anybody's forgery.</li>
</ol>
<p>Then look at the rest yourself:</p>
<ul>
<li>Key and webhook secret are kept where secrets are kept, and differ between test and production.</li>
<li><code>callback_url</code> is <code>https</code> on a public host, works for one GET without headers of yours, and lives as long as the file may be held.</li>
<li>Ids are yours and lasting: <code>user_id</code> and <code>summary_id</code> never change for the same user and file.</li>
<li>Times are Unix <em>seconds</em>, sent as strings.</li>
<li>Requests without an answer, 429 and 5xx are repeated with growing pauses; 400 is logged with <code>errors</code> and looked at by a person.</li>
<li>The task is sent after the last ping's answer, with <code>expected_summary_ids</code>.</li>
<li>Your receiver verifies signatures, answers before it works, and knows an event that it has seen. <code>POST /api/events/test/</code> has been answered with 2xx.</li>
<li>Somebody looks at files with status <code>failed</code>.</li>
<li>Deleting a user on your side deletes it here.</li>
<li>A key is rotated without an outage: you get a second one, use it, and we revoke the first. A revoked key stops working within about a minute.</li>
</ul>`,
    },
    { id: "problems", title: "Problems, by code", html: problemTable() },
    {
      id: "faults",
      title: "Faults in a request",
      html: `<p><code>errors[].code</code> of a <a href="#problem-validation_failed"><code>validation_failed</code></a>; <code>pointer</code> says where.</p>${codeTable(FAULT_CODES, "fault")}`,
    },
    {
      id: "file-errors",
      title: "Why a file failed",
      html: `<p><code>error.code</code> of a file, and the code of a failed file in an event. Hosts that are slow, busy (408, 425, 429) or faulty (5xx) are asked again for hours before that. A retry (<code>POST /api/files/{file_id}/retry/</code>, or of a whole import) needs <code>error.retryable</code>: the bytes, or for seven days the URL, are kept; without it, ping again. Each file that a retry queues counts as a file of your limit. A file can be retried once a minute.</p>${fileErrorTable()}`,
    },
  ];
}
