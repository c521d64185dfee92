import { ORIGIN, type Listings } from "./requests.ts";

/** Programs of the pages. A test runs each of them unchanged. */

/** Settings for all listings. */
export const SETTINGS = `export PARTNER_ID=your-id
export AUTH_KEY=your-key`;

/** Sets the ids that the listings of operations use. */
export const NEWEST_IDS = String.raw`
newest() {
  curl -sS "${ORIGIN}/api/$1/" -H "Authorization: Bearer $AUTH_KEY" -H "Partner-Id: $PARTNER_ID" |
    grep -o "\"$2\":\"[^\"]*" | head -n 1 | cut -d '"' -f 4
}
export FILE_ID=$(newest files file_id) ACTIVITY_ID=$(newest activities activity_id)
export IMPORT_ID=$(newest imports import_id) EVENT_ID=$(newest events id)
export ENDPOINT_ID=$(newest endpoints endpoint_id)
`;

const OWN_RIDE_SHELL = String.raw`
call() {
  path=$1
  shift
  curl -sS "${ORIGIN}/api/$path" \
    -H "Authorization: Bearer $AUTH_KEY" -H "Partner-Id: $PARTNER_ID" "$@"
}

send_ride() {
  inspection=$(call fit/inspect/ -H "Content-Type: application/octet-stream" --data-binary "@$1")
  start=$(echo "$inspection" | grep -o '"start_time_in_seconds":[0-9]*' | head -n 1 | cut -d : -f 2)
  [ -n "$start" ] || { echo "$inspection"; return 1; }

  accepted=$(call fit_partner_ping/ -H "Content-Type: application/json" -d @- <<END
{ "activity_files": [{
  "file_type": "FIT", "activity_name": "My ride", "priority": 1, "user_id": "rider-1",
  "source": "head-unit", "overwrite_mode": false, "start_time_in_seconds": "$start",
  "callback_url": "$(base64 < "$1" | tr -d '\n')", "summary_id": "$(cksum < "$1" | tr ' ' '-')"
}] }
END
  )
  # Prints the response: the file with its status, such as "duplicate", or the problem.
  echo "$accepted"
  file_id=$(echo "$accepted" | grep -o '"file_id":"[^"]*' | cut -d '"' -f 4)
  [ -n "$file_id" ] || return 1

  while file=$(call "files/$file_id/") && echo "$file" | grep -q '"status":"queued"'; do sleep 1; done
  echo "$file"
  echo "$file" | grep -q '"status":"imported"' || return 1
  call "activities/$file_id.0/"
}

send_ride "${"$"}{1:-ride.fit}"
`;

const OWN_RIDE_TYPESCRIPT = String.raw`
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

const api = "${ORIGIN}/api";

async function call(path: string, body?: RequestInit["body"], type = "application/json") {
  const response = await fetch(api + path, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      Authorization: ${"`Bearer ${process.env.AUTH_KEY}`"},
      "Partner-Id": ${"`${process.env.PARTNER_ID}`"},
      "Content-Type": type,
    },
    body,
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json() as any;
}

const bytes = await readFile(process.argv[2] ?? "ride.fit");
const inspection = await call("/fit/inspect/", bytes, "application/octet-stream");
const ping = {
  file_type: "FIT",
  activity_name: "My ride",
  priority: 1,
  user_id: "rider-1",
  source: "head-unit",
  overwrite_mode: false,
  start_time_in_seconds: String(inspection.activities[0].start_time_in_seconds),
  callback_url: bytes.toString("base64"),
  summary_id: createHash("sha256").update(bytes).digest("hex"),
};
const accepted = await call("/fit_partner_ping/", JSON.stringify({ activity_files: [ping] }));
const { file_id, status } = accepted.files[0];
if (status === "duplicate") console.error("This file was sent before.");

let file = await call(${"`/files/${file_id}/`"});
while (file.status !== "imported") {
  if (file.status === "failed") throw new Error(file.error.detail);
  await new Promise((resolve) => setTimeout(resolve, 500));
  file = await call(${"`/files/${file_id}/`"});
}
console.log(await call(${"`/activities/${file.activity_ids[0]}/`"}));
`;

const OWN_RIDE_PYTHON = String.raw`
import base64, hashlib, json, os, sys, time, urllib.request

API = "${ORIGIN}/api"

def call(path, body=None, content_type="application/json"):
    """Returns the JSON of a response. Prints the problem document of an error."""
    headers = {
        "Authorization": "Bearer " + os.environ["AUTH_KEY"],
        "Partner-Id": os.environ["PARTNER_ID"],
        "Content-Type": content_type,
    }
    request = urllib.request.Request(API + path, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise SystemExit(error.read().decode())

with open(sys.argv[1] if len(sys.argv) > 1 else "ride.fit", "rb") as ride:
    content = ride.read()
inspection = call("/fit/inspect/", content, "application/octet-stream")
ping = {
    "file_type": "FIT",
    "activity_name": "My ride",
    "priority": 1,
    "user_id": "rider-1",
    "source": "head-unit",
    "overwrite_mode": False,
    "start_time_in_seconds": str(inspection["activities"][0]["start_time_in_seconds"]),
    "callback_url": base64.b64encode(content).decode(),
    "summary_id": hashlib.sha256(content).hexdigest(),
}
accepted = call("/fit_partner_ping/", json.dumps({"activity_files": [ping]}).encode())
if accepted["files"][0]["status"] == "duplicate":
    print("This file was sent before.", file=sys.stderr)
path = "/files/" + accepted["files"][0]["file_id"] + "/"

file = call(path)
while file["status"] != "imported":
    if file["status"] == "failed":
        raise SystemExit(file["error"]["detail"])
    time.sleep(0.5)
    file = call(path)
print(json.dumps(call("/activities/" + file["activity_ids"][0] + "/"), indent=2))
`;

/** Sends a FIT file of the reader, waits for its import, and prints its first activity. */
export const OWN_RIDE: Listings = {
  curl: OWN_RIDE_SHELL,
  typescript: OWN_RIDE_TYPESCRIPT,
  python: OWN_RIDE_PYTHON,
};

const VERIFY_TYPESCRIPT = String.raw`
import { createHmac, timingSafeEqual } from "node:crypto";

// body: the original bytes of the request body, before parsing.
export function verify(
  secret: string,
  headers: Record<string, string | string[] | undefined>,
  body: Uint8Array,
): boolean {
  const id = String(headers["webhook-id"] ?? "");
  const timestamp = String(headers["webhook-timestamp"] ?? "");
  const signatures = String(headers["webhook-signature"] ?? "");
  if (!id || !timestamp || !signatures) return false;
  const ageInSeconds = Date.now() / 1000 - Number(timestamp);
  if (!(Math.abs(ageInSeconds) <= 300)) return false;

  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(id + "." + timestamp + ".").update(body).digest();
  return signatures.split(" ").some((entry) => {
    const [version, signature] = entry.split(",");
    const given = Buffer.from(signature ?? "", "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
}
`;

const VERIFY_PYTHON = String.raw`
import base64, hashlib, hmac, time

def verify(secret, headers, body):
    """body: the original bytes of the request body, before parsing."""
    event_id = headers.get("webhook-id")
    timestamp = headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature")
    if not event_id or not timestamp or not signatures:
        return False
    try:
        if abs(time.time() - int(timestamp)) > 300:
            return False
    except ValueError:
        return False

    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{event_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(entry.encode(), expected.encode()) for entry in signatures.split(" "))
`;

const VERIFY_SHELL = String.raw`
# SECRET, ID, TIMESTAMP and SIGNATURE: your secret and the three headers. body.json: the original bytes of the body.
key=$(printf '%s' "$SECRET" | sed 's/^whsec_//' | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
expected=$({ printf '%s.%s.' "$ID" "$TIMESTAMP"; cat body.json; } |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
case " $SIGNATURE " in
  *" v1,$expected "*) echo "the signature is good" ;;
  *) echo "the signature is not good"; exit 1 ;;
esac
`;

/** Verifies the signature of an event. */
export const VERIFY: Listings = {
  curl: VERIFY_SHELL,
  typescript: VERIFY_TYPESCRIPT,
  python: VERIFY_PYTHON,
};

const RECEIVER_TYPESCRIPT = String.raw`
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { verify } from "./verify.ts";

const secret = process.env.WEBHOOK_SECRET ?? "";
// Replace this with a table that has a unique column: the ids are lost when the program stops.
const received = new Set<string>();

const server = createServer(async (request, response) => {
  try {
    const body = await buffer(request);
    if (!verify(secret, request.headers, body)) {
      response.writeHead(401).end();
      return;
    }
    const id = String(request.headers["webhook-id"]);
    const event = JSON.parse(body.toString());
    const isNew = !received.has(id);
    received.add(id);
    // Store a new event here. Process it after the response.
    const { challenge } = event.data;
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(challenge === undefined ? {} : { challenge }));
    if (isNew) console.log(id, event.type, event.data);
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
});
server.listen(Number(process.env.PORT ?? 8080));
`;

const RECEIVER_PYTHON = String.raw`
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from verify import verify

SECRET = os.environ["WEBHOOK_SECRET"]
# Replace this with a table that has a unique column: the ids are lost when the program stops.
received = set()

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not verify(SECRET, self.headers, body):
            return self.respond(401, {})
        event_id = self.headers["webhook-id"]
        event = json.loads(body)
        is_new = event_id not in received
        received.add(event_id)
        # Store a new event here. Process it after the response.
        challenge = event["data"].get("challenge")
        self.respond(200, {} if challenge is None else {"challenge": challenge})
        if is_new:
            print(event_id, event["type"], event["data"], flush=True)

    def respond(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("", int(os.environ.get("PORT", 8080))), Receiver).serve_forever()
`;

/** A whole receiver of events. It imports the listing `VERIFY`. */
export const RECEIVER = { typescript: RECEIVER_TYPESCRIPT, python: RECEIVER_PYTHON };
