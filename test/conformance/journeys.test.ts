import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { eventually } from "../support/eventually.ts";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, SOURCE, type PartnerClient } from "./partnerClient.ts";

let service: ServiceProcess;
let host: FileHost;
let receiver: EventReceiver;
let partner: PartnerClient;
let stranger: PartnerClient;

beforeAll(async () => {
  [service, host, receiver] = await Promise.all([
    ServiceProcess.start(),
    startFileHost(),
    startEventReceiver(),
  ]);
  const [own, other] = await Promise.all([
    service.createPartner("acme", "--event-url", receiver.url),
    service.createPartner("stranger"),
  ]);
  receiver.expect(own.webhook_secret);
  partner = partnerClient(service.url, own);
  stranger = partnerClient(service.url, other);
}, 180_000);

afterAll(async () => {
  await Promise.all([service.stop(), host.close(), receiver.close()]);
}, 60_000);

/** Returns a ride that starts on this day, so that no two files are duplicates. */
function ride(day: number) {
  const startInSeconds = 1_750_000_000 + day * 86_400;
  return { startInSeconds, text: String(startInSeconds), bytes: rideFile({ startInSeconds, seconds: 30 }) };
}

describe("a live ride", () => {
  test("that is sent inline is readable as the original bytes and as an activity with streams", async () => {
    const { bytes, startInSeconds, text } = ride(1);
    const { accepted, files } = await partner.ping({
      summary_id: "inline-1",
      callback_url: Buffer.from(bytes).toString("base64"),
      priority: 1,
      user_id: "live",
      start_time_in_seconds: text,
    });
    expect({ accepted, status: files[0]?.status }).toEqual({ accepted: 1, status: "queued" });
    const file = await partner.settledFile(files[0]?.file_id ?? "");
    expect(file).toMatchObject({ status: "imported", error: null });
    expect(file.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(file.activity_ids).toEqual([`${file.file_id}.0`]);

    const original = await partner.send("GET", `/api/files/${file.file_id}/original/`);
    expect(original.headers.get("content-type")).toBe("application/vnd.ant.fit");
    expect(Buffer.from(await original.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);

    const activity = await partner.readActivity(`${file.file_id}.0`);
    expect(activity).toMatchObject({ sport: "cycling", start_time_in_seconds: startInSeconds });
    const streams = await partner.send(
      "GET",
      `/api/activities/${file.file_id}.0/streams/?keys=time_in_seconds,heart_rate_in_beats_per_minute`,
    );
    const columns = z
      .object({
        time_in_seconds: z.array(z.number()),
        heart_rate_in_beats_per_minute: z.array(z.number()),
      })
      .parse(await streams.json());
    expect(columns.time_in_seconds).toHaveLength(30);
    expect(new Set(columns.heart_rate_in_beats_per_minute)).toEqual(new Set([140]));
  });

  test("is downloaded with one GET, also through redirects, in chunks, and from a slow host", async () => {
    const servings = { redirected: { redirects: 3 }, chunked: { chunked: true }, slow: { delayInMs: 2_000 } };
    const urls = Object.entries(servings).map(([name, serving], index) => ({
      name,
      ride: ride(10 + index),
      url: host.serve(ride(10 + index).bytes, serving),
    }));
    const { files } = await partner.ping(
      ...urls.map(({ name, url, ride: { text } }) => ({
        summary_id: name,
        callback_url: url,
        priority: 1 as const,
        user_id: "live",
        start_time_in_seconds: text,
      })),
    );
    for (const { file_id } of files) {
      expect(await partner.settledFile(file_id)).toMatchObject({ status: "imported", error: null });
    }
    for (const { url, name } of urls) expect(`${name} ${host.asked(url)}`).toBe(`${name} 1`);
  });

  test("that its host no longer has fails at once with the reason", async () => {
    const url = host.serve(ride(20).bytes, { status: 404 });
    const { files } = await partner.ping({
      summary_id: "gone",
      callback_url: url,
      priority: 1,
      user_id: "live",
      start_time_in_seconds: ride(20).text,
    });
    expect(await partner.settledFile(files[0]?.file_id ?? "")).toMatchObject({
      status: "failed",
      error: { code: "callback_gone", http_status: 404 },
      activity_ids: [],
    });
  });
});

describe("a history of 120 held files", () => {
  const HISTORY = 120;
  /** Indexes of two bad files: one that its host no longer has, one that is a web page. */
  const LOST = 17;
  const PAGE = 93;
  const urls: string[] = [];
  let importId = "";

  test("is held until the task; then each file is imported, or failed with its reason", async () => {
    for (let day = 0; day < HISTORY; day += 1) {
      if (day === LOST) urls.push(host.serve(ride(day).bytes, { status: 404 }));
      else if (day === PAGE) urls.push(host.serve(Buffer.from("<html>Please sign in</html>")));
      else
        urls.push(host.serve(ride(day).bytes, { delayInMs: day % 3 === 0 ? 50 : 0, chunked: day % 2 === 0 }));
    }
    const statuses: string[] = [];
    for (let start = 0; start < HISTORY; start += 40) {
      const { files } = await partner.ping(
        ...urls.slice(start, start + 40).map((callback_url, index) => ({
          summary_id: `history-${start + index}`,
          callback_url,
          priority: 0 as const,
          user_id: "history",
          start_time_in_seconds: ride(start + index).text,
        })),
      );
      statuses.push(...files.map(({ status }) => status));
    }
    expect(statuses).toEqual(Array.from({ length: HISTORY }, () => "held"));
    expect(urls.map((url) => host.asked(url))).toEqual(urls.map(() => 0));

    const started = await partner.task({
      user_id: "history",
      is_initial_import: true,
      event_id: "connect-1",
    });
    expect(started).toMatchObject({ repeated: false, event_id: "connect-1", warnings: [] });
    expect(started.files.total).toBe(HISTORY);
    importId = started.import_id;

    const completed = await partner.completedImport(importId, 120);
    expect(completed).toMatchObject({
      status: "completed_with_failures",
      files: { total: HISTORY, pending: 0, imported: HISTORY - 2, skipped: 0, failed: 2 },
      training_plan: { status: "requested" },
    });
    const files = await partner.listFiles(`import_id=${importId}`);
    expect(new Set(files.map(({ summary_id }) => summary_id)).size).toBe(HISTORY);
    expect(files.filter(({ status }) => status === "imported")).toHaveLength(HISTORY - 2);
    expect(
      files
        .filter(({ status }) => status === "failed")
        .map(({ summary_id, error }) => `${summary_id} ${error?.code}`)
        .sort(),
    ).toEqual([`history-${LOST} callback_gone`, `history-${PAGE} not_fit`]);
    expect(urls.map((url) => host.asked(url))).toEqual(urls.map(() => 1));
    expect(await partner.listActivities("user_id=history")).toHaveLength(HISTORY - 2);
  }, 240_000);

  test("sends one signed event with the counts and the reasons", async () => {
    const delivered = await eventually("the event is delivered", 30, async () => {
      const { event } = await partner.readImport(importId);
      return event?.status === "delivered" ? event : undefined;
    });
    expect(delivered.attempts).toBe(1);
    expect(await partner.listEvents()).toMatchObject([
      { type: "bulk_fit_import.completed", status: "delivered" },
    ]);
    expect({ received: receiver.received.length, refused: receiver.refused() }).toEqual({
      received: 1,
      refused: 0,
    });
    expect(receiver.received[0]?.body).toMatchObject({
      type: "bulk_fit_import.completed",
      data: {
        event_id: "connect-1",
        import_id: importId,
        user_id: "history",
        source: SOURCE,
        is_initial_import: true,
        status: "completed_with_failures",
        files: { total: HISTORY, imported: HISTORY - 2, skipped: 0, failed: 2 },
        more_failures: false,
      },
    });
    const { data } = z
      .object({
        data: z.object({ failures: z.array(z.object({ summary_id: z.string(), code: z.string() })) }),
      })
      .parse(receiver.received[0]?.body);
    expect(data.failures.map(({ summary_id, code }) => `${summary_id} ${code}`).sort()).toEqual([
      `history-${LOST} callback_gone`,
      `history-${PAGE} not_fit`,
    ]);
  });

  test("stays one import and one event when the task is sent again", async () => {
    const again = await partner.task({ user_id: "history", is_initial_import: true, event_id: "connect-1" });
    expect(again).toMatchObject({ repeated: true, import_id: importId, status: "completed_with_failures" });
    expect(await partner.listEvents()).toHaveLength(1);
    expect(receiver.received).toHaveLength(1);
  });

  test("has a duplicate, which is not downloaded, when a file is pinged again without overwrite_mode", async () => {
    const url = host.serve(ride(5).bytes);
    const { files } = await partner.ping({
      summary_id: "history-5",
      callback_url: url,
      priority: 1,
      user_id: "history",
      start_time_in_seconds: ride(5).text,
    });
    expect(files).toMatchObject([{ summary_id: "history-5", status: "duplicate" }]);
    expect(await partner.readFile(files[0]?.file_id ?? "")).toMatchObject({ status: "imported" });
    expect(host.asked(url)).toBe(0);
  });

  test("has one activity of the newer file when a file is pinged again with overwrite_mode", async () => {
    const newer = ride(400);
    const { files } = await partner.ping({
      summary_id: "history-5",
      callback_url: host.serve(newer.bytes),
      priority: 1,
      user_id: "history",
      start_time_in_seconds: newer.text,
      overwrite_mode: true,
    });
    expect(files).toMatchObject([{ status: "queued" }]);
    const fileId = files[0]?.file_id ?? "";
    await eventually("the newer ride is readable", 30, async () => {
      const activity = await partner.readActivity(`${fileId}.0`);
      return activity.start_time_in_seconds === newer.startInSeconds ? activity : undefined;
    });
    const activities = await partner.listActivities("user_id=history");
    expect(activities.filter(({ summary_id }) => summary_id === "history-5")).toHaveLength(1);
    expect(activities).toHaveLength(HISTORY - 2);
  });
});

test("a task without held files completes at once and sends the event", async () => {
  const before = receiver.received.length;
  const { import_id } = await partner.task({
    user_id: "nobody",
    is_initial_import: false,
    event_id: "empty-1",
  });
  expect(await partner.completedImport(import_id, 20)).toMatchObject({
    status: "completed",
    files: { total: 0, pending: 0 },
    training_plan: null,
  });
  await eventually("the event arrives", 30, () => (receiver.received.length > before ? true : undefined));
  expect(receiver.received.at(-1)?.body).toMatchObject({
    data: { event_id: "empty-1", files: { total: 0 } },
  });
});

test("another partner gets the same 404 for existing and for unknown ids, and empty lists", async () => {
  const files = await partner.listFiles("user_id=history&status=imported");
  const file = files.find(({ import_id }) => import_id !== null);
  const [event] = await partner.listEvents();
  if (file === undefined || event === undefined) throw new Error("No file was imported.");
  const known = [
    `/api/files/${file.file_id}/`,
    `/api/files/${file.file_id}/original/`,
    `/api/activities/${file.file_id}.0/`,
    `/api/activities/${file.file_id}.0/streams/`,
    `/api/imports/${file.import_id}/`,
    `/api/events/${event.id}/`,
    "/api/users/history/",
  ];
  const problem = z.looseObject({ status: z.number(), code: z.string(), request_id: z.string() });
  for (const path of known) {
    expect((await partner.send("GET", path)).status).toBe(200);
    // The id with its last character changed does not exist.
    const unknown = path.replace(/[a-z0-9](?=(?:\.0)?\/(?:original\/|streams\/)?$)/, (letter) =>
      letter === "0" ? "1" : "0",
    );
    expect(unknown).not.toBe(path);
    const [existing, missing] = await Promise.all(
      [path, unknown].map(async (address) => {
        const response = await stranger.send("GET", address);
        return { ...problem.parse(await response.json()), request_id: "" };
      }),
    );
    expect({ path, ...existing }).toMatchObject({ path, status: 404, code: "not_found" });
    expect(existing).toEqual(missing);
  }
  const empty = z.object({ data: z.array(z.never()), next_cursor: z.null() });
  for (const list of ["files", "activities", "imports", "events", "users"]) {
    empty.parse(await (await stranger.send("GET", `/api/${list}/`)).json());
  }
});

test("a wrong key gets 401", async () => {
  const intruder = partnerClient(service.url, { partner_id: "acme", auth_key: "aep_wrong" });
  const response = await intruder.send("GET", "/api/files/");
  expect(response.status).toBe(401);
  expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/);
});
