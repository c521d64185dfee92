import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { newAuthKey } from "../../src/partners/partner.ts";
import { runScheduled } from "../../src/scheduled.ts";
import { send } from "../support/http.ts";
import { playOutside, type Answer } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverEvent, settle } from "../support/world.ts";
import { base64, pingOf, RECEIVER, SOURCE } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A word that every secret value of this test contains, and nothing else. */
const SECRET = "leak7q";
const HOST = "https://files.example.com";
const NAME = `Home to ${SECRET}-street 12`;

const dead: Answer = () => {
  throw new TypeError(`connect ECONNREFUSED ${HOST}/path-${SECRET}?token=${SECRET}`);
};
const redirectTo =
  (location: string): Answer =>
  () =>
    new Response(null, { status: 302, headers: { Location: location } });

/** Position of the one imported ride. */
const POSITION = { latitude: 47.37291, longitude: 8.53817 };

/** Responses of the file hosts: each fails in its own way. */
const FAILURES: Record<string, Answer> = {
  gone: () => new Response(`no ${SECRET} here`, { status: 404 }),
  denied: () => new Response(`<Error>Signature ${SECRET} expired</Error>`, { status: 403 }),
  busy: () => new Response(`wait, ${SECRET}`, { status: 503, headers: { "Retry-After": SECRET } }),
  teapot: () => new Response(SECRET, { status: 418 }),
  unreachable: dead,
  timeout: () => {
    throw new DOMException(`The operation on token=${SECRET} timed out`, "TimeoutError");
  },
  inside: redirectTo(`http://169.254.169.254/latest/${SECRET}`),
  credentials: redirectTo(`https://${SECRET}:${SECRET}@files.example.com/`),
  loop: redirectTo(`${HOST}/loop-${SECRET}?token=${SECRET}`),
  nowhere: redirectTo(`::${SECRET}::`),
  empty: () => new Response(null),
  page: () => new Response(`<!doctype html><title>Log in, ${SECRET}</title>`),
  broken: () => new Response(rideFile().slice(0, 40)),
};

const urlOf = (failure: string) => `${HOST}/${failure}-${SECRET}?token=${SECRET}&sig=${SECRET}%2F`;

/** Returns everything that a partner can list, with complete events. */
async function everythingRead(who: Parameters<typeof send>[0]): Promise<string[]> {
  const texts: string[] = [];
  for (const list of ["files", "activities", "imports", "events", "users"]) {
    const text = await (await send(who, "GET", `/api/${list}/?limit=200`)).text();
    texts.push(text.replaceAll(JSON.stringify(NAME), '"(the name that was asked for)"'));
    if (list !== "events") continue;
    const { data } = z.object({ data: z.array(z.object({ id: z.string() })) }).parse(JSON.parse(text));
    for (const { id } of data) texts.push(await (await send(who, "GET", `/api/events/${id}/`)).text());
  }
  return texts;
}

test("after a day of failures, no key, URL, token, name or position is in logs, errors or other readable places", async () => {
  const lines: string[] = [];
  for (const channel of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, channel).mockImplementation((...parts: unknown[]) => {
      lines.push(parts.map(String).join(" "));
    });
  }
  const who = await newPartner({ event_url: `${RECEIVER}-${SECRET}?token=${SECRET}` });
  const problems: string[] = [];
  const refusedWith = async (response: Response) => {
    expect(response.status).toBeGreaterThanOrEqual(400);
    problems.push(await response.text());
  };

  // Invalid keys, and broken requests with secrets.
  for (const Authorization of [
    `Bearer ${newAuthKey()}${SECRET}`,
    `Basic ${SECRET}`,
    `Bearer ${who.authKey}${SECRET}`,
  ]) {
    await refusedWith(await send(who, "GET", `/api/files/?cursor=${SECRET}`, { headers: { Authorization } }));
  }
  await refusedWith(
    await send(who, "GET", "/api/files/", { headers: { HTTP_AUTHORIZATION: `Bearer ${SECRET}` } }),
  );
  for (const path of [
    `/api/files/${SECRET}/`,
    `/api/users/${SECRET}/`,
    `/${SECRET}/`,
    `/api/files/?status=${SECRET}`,
  ]) {
    await refusedWith(await send(who, "GET", path));
  }
  await refusedWith(await send(who, "DELETE", `/api/users/${SECRET}/`));
  const bad = {
    ...pingOf({ summary_id: "bad", callback_url: `https://${SECRET}:${SECRET}@10.0.0.1/${SECRET}` }),
    activity_name: NAME.repeat(100),
    start_time_in_seconds: SECRET,
  };
  const post = (activity_files: unknown[], headers = {}) =>
    send(who, "POST", "/api/fit_partner_ping/", { body: { activity_files }, headers });
  await refusedWith(await post([bad]));
  problems.push(await (await post([bad], { Prefer: "handling=lenient" })).text());
  await refusedWith(await post([bad], { "Idempotency-Key": `${SECRET}é` }));
  await refusedWith(
    await send(who, "POST", "/api/fit_partner_ping/", { raw: `{"activity_files":[{"user_id":"${SECRET}"` }),
  );

  // Files with hosts that fail in every way. D1 fails once in the middle.
  playOutside({
    ...Object.fromEntries(Object.entries(FAILURES).map(([failure, answer]) => [urlOf(failure), answer])),
    [`${HOST}/loop-${SECRET}?token=${SECRET}`]: redirectTo(`${HOST}/loop-${SECRET}?token=${SECRET}`),
    [`${RECEIVER}-${SECRET}?token=${SECRET}`]: () => new Response("no", { status: 500 }),
  });
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const pings = [
    ...Object.keys(FAILURES).map((failure) =>
      pingOf({ summary_id: failure, callback_url: urlOf(failure), priority: 0 }),
    ),
    pingOf({ summary_id: "inline", callback_url: base64(rideFile({ position: POSITION })), priority: 0 }),
  ].map((ping) => ({ ...ping, activity_name: NAME }));
  expect((await post(pings, { "Idempotency-Key": `key-${SECRET}` })).status).toBe(202);
  const task = await send(who, "POST", "/api/task_partner/", {
    body: {
      bulk_fit_transfer_complete: true,
      source: SOURCE,
      is_initial_import: true,
      user_id: "user-1",
      event_id: "e",
    },
  });
  const { import_id } = z.object({ import_id: z.string() }).parse(await task.json());
  vi.spyOn(databaseOf(who), "batch").mockRejectedValueOnce(
    new Error(`D1_ERROR: near "${SECRET}": SELECT ${SECRET}`),
  );
  vi.spyOn(env.FILES, "put").mockRejectedValueOnce(new Error(`put: ${who.partnerId}/${SECRET} failed`));
  await settle(collector);
  vi.spyOn(databaseOf(who), "prepare").mockImplementationOnce(() => {
    throw new Error(`D1_ERROR: ${SECRET}`);
  });
  await refusedWith(await send(who, "GET", "/api/files/"));
  vi.useFakeTimers({ toFake: ["Date"] });
  for (let hour = 1; hour <= 30; hour += 3) {
    vi.setSystemTime(Date.now() + 3 * 3_600_000);
    await collector.alarm();
    await settle(collector);
  }
  const now = Date.now();
  vi.useRealTimers();
  await deliverEvent(who.partnerId, `evt_${import_id}`);
  await runScheduled(env, now);

  // All files have failed with a reason.
  const files = await send(who, "GET", "/api/files/?limit=200&status=failed");
  const { data } = z
    .object({ data: z.array(z.object({ summary_id: z.string(), error: z.object({ code: z.string() }) })) })
    .parse(await files.json());
  expect(data.map((file) => file.summary_id).toSorted()).toEqual(Object.keys(FAILURES).toSorted());

  const rows: string[] = [];
  for (const table of [
    "files",
    "imports",
    "deliveries",
    "idempotent_requests",
    "discarded_objects",
    "users",
  ]) {
    const found = await databaseOf(who).prepare(`SELECT * FROM ${table}`).all();
    rows.push(
      ...found.results.map((row) => JSON.stringify({ ...row, activity_name: null, readable_name: null })),
    );
  }
  const objects = (await env.FILES.list({ include: ["customMetadata", "httpMetadata"] })).objects.map(
    (object) => JSON.stringify([object.key, object.customMetadata, object.httpMetadata]),
  );
  expect(objects.length).toBeGreaterThan(1);
  const places = { lines, problems, rows, objects, answers: await everythingRead(who) };
  const activity = places.answers.find((text) => text.includes('"start_latitude_in_degrees":47.37'));
  expect(activity).toContain('"start_longitude_in_degrees":8.53');
  places.answers = places.answers.filter((text) => text !== activity);
  const secret = who.partner.webhook_secrets[0]?.secret ?? "no secret";
  const hidden = [SECRET, who.authKey, secret, "47.37", "8.538"];
  for (const [place, texts] of Object.entries(places)) {
    expect(texts.length, place).toBeGreaterThan(0);
    for (const word of hidden) {
      expect(
        texts.filter((text) => text.includes(word)),
        place,
      ).toEqual([]);
    }
  }
  expect(lines.filter((line) => line.includes(base64(rideFile()).slice(0, 40)))).toEqual([]);
}, 60_000);
