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
FILE_ID=$(
  curl -sS "${ORIGIN}/api/fit_partner_ping/" \
    -H "Authorization: Bearer $AUTH_KEY" -H "Partner-Id: $PARTNER_ID" \
    -H "Content-Type: application/json" -d @- <<END | grep -o '"file_id":"[^"]*' | cut -d '"' -f 4
{ "activity_files": [{
  "file_type": "FIT", "activity_name": "My ride", "priority": 1, "user_id": "rider-1",
  "source": "head-unit", "overwrite_mode": false, "start_time_in_seconds": "$(date +%s)",
  "callback_url": "$(base64 < ride.fit | tr -d '\n')", "summary_id": "my-ride"
}] }
END
)

# Prints the file until its import has ended, then the activity.
until curl -sS "${ORIGIN}/api/files/$FILE_ID/" \
  -H "Authorization: Bearer $AUTH_KEY" -H "Partner-Id: $PARTNER_ID" |
  grep -E '"status":"(imported|failed)"'; do sleep 1; done
curl -sS "${ORIGIN}/api/activities/$FILE_ID.0/" \
  -H "Authorization: Bearer $AUTH_KEY" -H "Partner-Id: $PARTNER_ID"
`;

const OWN_RIDE_TYPESCRIPT = String.raw`
import { readFile } from "node:fs/promises";

const api = "${ORIGIN}/api";
const headers = {
  Authorization: ${"`Bearer ${process.env.AUTH_KEY}`"},
  "Partner-Id": ${"`${process.env.PARTNER_ID}`"},
  "Content-Type": "application/json",
};

// Returns the JSON of a response. Throws for an error response.
async function call(path: string, options: RequestInit = {}) {
  const response = await fetch(api + path, { ...options, headers });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

const ping = {
  file_type: "FIT",
  activity_name: "My ride",
  priority: 1,
  user_id: "rider-1",
  source: "head-unit",
  overwrite_mode: false,
  start_time_in_seconds: String(Math.floor(Date.now() / 1000)),
  callback_url: (await readFile("ride.fit")).toString("base64"),
  summary_id: "my-ride",
};
const accepted = await call("/fit_partner_ping/", {
  method: "POST",
  body: JSON.stringify({ activity_files: [ping] }),
});
const path = ${"`/files/${accepted.files[0].file_id}/`"};

let file = await call(path);
while (file.status !== "imported") {
  if (file.status === "failed") throw new Error(file.error.detail);
  await new Promise((resolve) => setTimeout(resolve, 500));
  file = await call(path);
}
console.log(await call(${"`/activities/${file.activity_ids[0]}/`"}));
`;

const OWN_RIDE_PYTHON = String.raw`
import base64, json, os, time, urllib.request

API = "${ORIGIN}/api"
HEADERS = {
    "Authorization": "Bearer " + os.environ["AUTH_KEY"],
    "Partner-Id": os.environ["PARTNER_ID"],
    "Content-Type": "application/json",
}

def call(path, body=None):
    """Returns the JSON of a response. Prints the problem document of an error."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data=data, headers=HEADERS)
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise SystemExit(error.read().decode())

ping = {
    "file_type": "FIT",
    "activity_name": "My ride",
    "priority": 1,
    "user_id": "rider-1",
    "source": "head-unit",
    "overwrite_mode": False,
    "start_time_in_seconds": str(int(time.time())),
    "callback_url": base64.b64encode(open("ride.fit", "rb").read()).decode(),
    "summary_id": "my-ride",
}
accepted = call("/fit_partner_ping/", {"activity_files": [ping]})
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
  headers: Record<string, string | undefined>,
  body: Uint8Array,
): boolean {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  const signatures = headers["webhook-signature"];
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

def verify(secret: str, headers: dict, body: bytes) -> bool:
    """body: the original bytes of the request body, before parsing."""
    try:
        event_id = headers["webhook-id"]
        timestamp = headers["webhook-timestamp"]
        signatures = headers["webhook-signature"]
        if abs(time.time() - int(timestamp)) > 300:
            return False
    except (KeyError, ValueError):
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
