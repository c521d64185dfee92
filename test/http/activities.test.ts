import { gzipSync } from "node:zlib";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  activitySchema,
  activityWithPartsSchema,
  rrIntervalsSchema,
  streamsSchema,
} from "../../src/activities/activity.ts";
import { ALONE } from "../../src/activities/duplicates/groups.pure.ts";
import { app } from "../../src/http/app.ts";
import { DECODER_VERSION, decodeActivities, decodeParts } from "../../src/fit/index.ts";
import { activityFile } from "../../src/fitWriter/activityFile.ts";
import { pageOf } from "../../src/http/pages.ts";
import { fileId } from "../../src/identifiers.ts";
import { INTAKE_BYTES, requestMemory } from "../../src/memory/budget.ts";
import { FitBuilder, T0 } from "../support/fitBuilder.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { RIDE, rideFile } from "../support/rideFile.ts";
import { BARE_SUMMARY, NOON, seedActivity, seedFile, UNKNOWN_ID } from "../support/rows.ts";
import { guardsItself } from "./strangers.ts";
import { databaseOf } from "../support/databases.ts";

const page = pageOf("ActivityPage", activitySchema);

const namesOf = (partner: TestPartner, summaryId: string, userId = "user-1", source = "garmin") => ({
  partnerId: partner.partnerId,
  userId,
  source,
  summaryId,
});

const list = async (partner: TestPartner, query = "") =>
  answerOf(await send(partner, "GET", `/api/activities/${query}`), 200, page);

const one = async (partner: TestPartner, id: string) =>
  answerOf(await send(partner, "GET", `/api/activities/${id}/`), 200, activityWithPartsSchema);

afterEach(() => {
  vi.restoreAllMocks();
});

const nothing = `${UNKNOWN_ID}.0`;

guardsItself("listing activities", {
  method: "GET",
  paths: () => Promise.resolve({ path: "/api/activities/", unknown: null }),
});
guardsItself("reading an activity", {
  method: "GET",
  paths: async (owner) => {
    const id = await seedActivity(namesOf(owner, "s"));
    return { path: `/api/activities/${id}/`, unknown: `/api/activities/${nothing}/` };
  },
});
guardsItself("reading an activity's streams", {
  method: "GET",
  paths: async (owner) => {
    const id = await storedRide(owner, "s");
    return { path: `/api/activities/${id}/streams/`, unknown: `/api/activities/${nothing}/streams/` };
  },
});
guardsItself("reading an activity's beat-to-beat intervals", {
  method: "GET",
  paths: async (owner) => {
    const id = await storedRide(owner, "s");
    return { path: `/api/activities/${id}/rr/`, unknown: `/api/activities/${nothing}/rr/` };
  },
});

/** Stores the bytes of a ride and its rows in the read model. */
async function storedRide(
  owner: TestPartner,
  summaryId: string,
  bytes: Uint8Array = rideFile(),
  has_rr_intervals = false,
): Promise<string> {
  const object_key = `${owner.partnerId}/${summaryId}`;
  await env.FILES.put(object_key, bytes);
  await seedFile(namesOf(owner, summaryId), { object_key, stored_version: NOON, activity_count: 1 });
  return seedActivity(namesOf(owner, summaryId), { has_rr_intervals });
}

/** Stores an edit of an activity in the read model. */
async function editRow(partner: TestPartner, id: string, activity: object): Promise<void> {
  const edits = JSON.stringify({ version: 1, file_version: NOON, activities: { 0: activity } });
  await databaseOf(partner)
    .prepare("UPDATE files SET edits = ? WHERE partner_id = ? AND file_id = ?")
    .bind(edits, partner.partnerId, id.split(".")[0])
    .run();
}

describe("an activity", () => {
  test("has its local date and the device that recorded it, alone and in lists", async () => {
    const partner = await newPartner();
    const local = {
      utc_offset_in_seconds: 20_700,
      offset_source: "position" as const,
      time_zone: "Asia/Kathmandu",
      recorded_with: "Garmin Edge 820",
    };
    const id = await seedActivity(namesOf(partner, "far"), {
      ...local,
      start_time_in_seconds: Date.UTC(2026, 10, 25, 18, 15) / 1000,
    });
    const expected = { ...local, local_date: "2026-11-26" };
    expect(await one(partner, id)).toMatchObject(expected);
    expect((await list(partner)).data).toMatchObject([expected]);
  });

  test("has all its quantities and details", async () => {
    const partner = await newPartner();
    const bytes = activityFile(RIDE.startInSeconds, [
      {
        sport: 5,
        startSeconds: 0,
        seconds: 60,
        readings: [],
        totals: {},
        laps: [{ startSeconds: 0, seconds: 60 }],
      },
      {
        sport: 2,
        startSeconds: 60,
        seconds: 100,
        readings: [],
        totals: {},
        laps: [
          { startSeconds: 60, seconds: 40 },
          { startSeconds: 100, seconds: 60 },
        ],
      },
    ]);
    const decoded = decodeActivities(bytes, { fallbackStartInSeconds: null });
    if (!decoded.ok) throw new Error(decoded.problem.detail);
    const details = decodeParts(bytes, { fallbackStartInSeconds: null, sessionIndex: 1 });
    expect(details?.laps.map((lap) => lap.elapsed_time_in_seconds)).toEqual([40, 60]);
    const activity_id = await seedActivity(namesOf(partner, "tri"), { session_index: 1, session_count: 3 });
    await env.FILES.put(`${partner.partnerId}/${activity_id.split(".")[0]}`, bytes);
    const { load_evidence: _stored, ...summary } = BARE_SUMMARY;
    expect(await one(partner, activity_id)).toEqual({
      ...summary,
      session_index: 1,
      session_count: 3,
      activity_id,
      file_id: activity_id.split(".")[0],
      user_id: "user-1",
      source: "garmin",
      summary_id: "tri",
      activity_name: "Lunch ride",
      exclude_from_training: false,
      edited: [],
      ...ALONE,
      version: NOON,
      created_at: "2026-06-01T12:00:00.000Z",
      updated_at: "2026-06-01T12:00:00.000Z",
      ...details,
    });
  });

  test("is found only by its complete id", async () => {
    const partner = await newPartner();
    const id = await seedActivity(namesOf(partner, "s"));
    const [file] = id.split(".");
    for (const wrong of [
      `${file}`,
      `${file}.1`,
      `${file}.00`,
      `${file}.-0`,
      `${file}.0.0`,
      `${file}.1e0`,
      ".0",
      "%00.0",
    ]) {
      await problemOf(await send(partner, "GET", `/api/activities/${wrong}/`), 404, "not_found");
    }
  });

  test("says which other recording of the same ride counts", async () => {
    const partner = await newPartner();
    const start = 1_760_000_000;
    const seed = (name: string, summary: Partial<typeof BARE_SUMMARY>, user = "user-1") =>
      seedActivity(namesOf(partner, name, user), { start_time_in_seconds: start, ...summary });
    const first = await seed("first", {});
    const best = await seed("copy", {
      start_time_in_seconds: start + 60,
      sport: "e_biking",
      average_power_in_watts: 200,
    });
    const trimmed = await seed("third", {
      start_time_in_seconds: start + 900,
      elapsed_time_in_seconds: 2_400,
    });
    const alone = [
      await seed("later", { start_time_in_seconds: start + 3_601 }),
      await seed("run", { sport: "running" }),
      await seed("warm-up", { elapsed_time_in_seconds: 1_500 }),
      await seed("first", {}, "user-2"),
    ];
    const duplicate_group = `group_${[first, best, trimmed].toSorted()[0]}`;
    const copied = { duplicate_group, is_canonical: false, possible_duplicate_of: best };
    const expected = new Map<string, object>([
      [first, copied],
      [trimmed, copied],
      [best, { duplicate_group, is_canonical: true, possible_duplicate_of: null }],
      ...alone.map((id) => [id, ALONE] as const),
    ]);
    const listed = (await list(partner)).data;
    expect(listed).toHaveLength(7);
    for (const activity of listed) expect(activity).toMatchObject(expected.get(activity.activity_id) ?? {});
    for (const [id, membership] of expected) expect(await one(partner, id)).toMatchObject(membership);
    const canonical = (await list(partner, "?canonical=true")).data;
    expect(new Set(canonical.map(({ activity_id }) => activity_id))).toEqual(new Set([best, ...alone]));
    await problemOf(
      await send(partner, "GET", "/api/activities/?canonical=true&updated_since=2026-01-01T00:00:00Z"),
      400,
      "validation_failed",
    );
  });

  test("counts for its ride by the partner's order of sources when the recordings have equal data", async () => {
    for (const source_order of [
      ["wahoo", "garmin"],
      ["garmin", "wahoo"],
    ]) {
      const partner = await newPartner({ source_order });
      const ids = new Map<string, string>();
      for (const source of ["garmin", "phone", "wahoo"])
        ids.set(await seedActivity(namesOf(partner, "s", "user-1", source)), source);
      const canonical = (await list(partner, "?canonical=true")).data;
      expect(canonical.map(({ activity_id }) => ids.get(activity_id))).toEqual([source_order[0]]);
    }
  });

  test("no longer counts for its ride once it is excluded, or once the other recordings are edited to another sport", async () => {
    const partner = await newPartner();
    const best = await seedActivity(namesOf(partner, "best"), { average_power_in_watts: 200 });
    const other = await seedActivity(namesOf(partner, "other"));
    const canonical = async () =>
      (await list(partner, "?canonical=true")).data.map(({ activity_id }) => activity_id);
    expect(await canonical()).toEqual([best]);
    await editRow(partner, best, { exclude_from_training: true });
    expect(await canonical()).toEqual([other]);
    await editRow(partner, best, { sport: "running" });
    expect((await canonical()).toSorted()).toEqual([best, other].toSorted());
  });

  test("is not reported as a copy of another session of its own file", async () => {
    const partner = await newPartner();
    await seedActivity(namesOf(partner, "s"), { session_index: 0, session_count: 2 });
    const second = await seedActivity(namesOf(partner, "s"), { session_index: 1, session_count: 2 });
    expect(await one(partner, second)).toMatchObject(ALONE);
  });
});

test("a page with a hundred activities that start at the same time reads their starts once, not once for each", async () => {
  const partner = await newPartner();
  await seedActivity(namesOf(partner, "first"));
  const users = Array.from({ length: 100 }, (_, user) => namesOf(partner, "s", `user-${user}`)).map(fileId);
  await databaseOf(partner)
    .prepare(
      `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode,
       start_time_in_seconds, status, version, revision, received_at, updated_at)
     SELECT f.partner_id, j.value, j.key, f.source, j.key, f.priority, f.overwrite_mode, f.start_time_in_seconds, f.status,
       f.version, f.revision, f.received_at, f.updated_at
     FROM files f, json_each(?2) j WHERE f.partner_id = ?1`,
    )
    .bind(partner.partnerId, JSON.stringify(users))
    .run();
  await databaseOf(partner)
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
     INSERT INTO activities (partner_id, file_id, session_index, version, sport, start_time_in_seconds, summary,
       created_at)
     SELECT a.partner_id, j.value, n.i, a.version, a.sport, a.start_time_in_seconds, a.summary, a.created_at
     FROM activities a, json_each(?2) j, n WHERE a.partner_id = ?1`,
    )
    .bind(partner.partnerId, JSON.stringify(users))
    .run();
  const prepare = databaseOf(partner).prepare.bind(databaseOf(partner));
  let rowsRead = 0;
  vi.spyOn(databaseOf(partner), "prepare").mockImplementation((query) => {
    const statement = prepare(query);
    const bind = statement.bind.bind(statement);
    statement.bind = (...values) => {
      const bound = bind(...values);
      const all = bound.all.bind(bound);
      bound.all = async <T>() => {
        const result = await all<T>();
        rowsRead += result.meta.rows_read;
        return result;
      };
      return bound;
    };
    return statement;
  });
  expect((await list(partner, "?limit=100")).data).toHaveLength(100);
  expect(rowsRead).toBeLessThan(3 * 2_001);
});

describe("a list of activities", () => {
  const all = async (partner: TestPartner, query: string) => {
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const { data, next_cursor } = await list(
        partner,
        `?${query}${cursor === null ? "" : `&cursor=${cursor}`}`,
      );
      found.push(...data.map((activity) => activity.activity_id));
      cursor = next_cursor;
    } while (cursor !== null && found.length < 100);
    return found;
  };

  test("is sorted by start, newest first, complete over all pages, and ends with activities without a start", async () => {
    const partner = await newPartner();
    await seedActivity(namesOf(await newPartner(), "foreign"));
    const seeded: { id: string; start: number }[] = [];
    const starts = [5, 5, 5, null, null, null, 9, 1.5, 7];
    for (const [index, start_time_in_seconds] of starts.entries()) {
      const id = await seedActivity(namesOf(partner, `s-${index}`, `u-${index % 2}`), {
        start_time_in_seconds,
      });
      seeded.push({ id, start: start_time_in_seconds ?? -1 });
    }
    const legs = { session_count: 2, start_time_in_seconds: 5 };
    seeded.push({
      id: await seedActivity(namesOf(partner, "s-0", "u-0"), { ...legs, session_index: 1 }),
      start: 5,
    });
    seeded.sort((a, b) => b.start - a.start || (a.id < b.id ? 1 : -1));
    const expected = seeded.map((activity) => activity.id);
    for (const limit of [1, 2, 3, 10, 200]) expect(await all(partner, `limit=${limit}`)).toEqual(expected);
    const ofUser = new Set(
      (await list(partner, "?user_id=u-0")).data.map((activity) => activity.activity_id),
    );
    expect(ofUser.size).toBe(6);
    for (const limit of [1, 4]) {
      expect(await all(partner, `limit=${limit}&user_id=u-0`)).toEqual(
        expected.filter((id) => ofUser.has(id)),
      );
    }
  });

  test("can be filtered by user, source, sport and start", async () => {
    const partner = await newPartner();
    await seedActivity(namesOf(partner, "a", "u1", "garmin"), { start_time_in_seconds: 100 });
    await seedActivity(namesOf(partner, "b", "u1", "wahoo"), {
      start_time_in_seconds: 200,
      sport: "running",
    });
    await seedActivity(namesOf(partner, "c", "u2", "wahoo"), {
      start_time_in_seconds: 300,
      sport: "unknown_99",
    });
    const names = async (query: string) =>
      (await list(partner, query)).data.map((activity) => activity.summary_id);
    expect(await names("?user_id=u1")).toEqual(["b", "a"]);
    expect(await names("?source=wahoo")).toEqual(["c", "b"]);
    expect(await names("?sport=unknown_99")).toEqual(["c"]);
    expect(await names("?name_contains=B")).toEqual(["b"]);
    expect(await names("?name_contains=b&user_id=u2")).toEqual([]);
    expect(await names("?start_after=200")).toEqual(["c", "b"]);
    expect(await names("?start_before=200")).toEqual(["a"]);
    expect(await names("?start_after=100&start_before=300&user_id=u1")).toEqual(["b", "a"]);
    for (const query of [
      "start_after=2026-01-01",
      "start_before=1760000000000",
      "sport=",
      "start_after=-1",
    ]) {
      await problemOf(await send(partner, "GET", `/api/activities/?${query}`), 400, "validation_failed");
    }
  });

  test("with updated_since returns changed activities in the order of their changes", async () => {
    const partner = await newPartner();
    const seed = (name: string, updated_at: number) =>
      seedActivity(namesOf(partner, name), {}, { updated_at });
    await seed("old", NOON - 1);
    const second = await seed("second", NOON + 1);
    const first = await seed("first", NOON);
    await seed("present", Date.now() + 60_000);
    const since = new Date(NOON).toISOString();
    expect(await all(partner, `limit=1&updated_since=${since}`)).toEqual([first, second]);
    expect(await all(partner, `limit=1&user_id=user-1&updated_since=${since}`)).toEqual([first, second]);
  });
});

describe("streams", () => {
  const streams = async (partner: TestPartner, id: string, query = "") =>
    answerOf(await send(partner, "GET", `/api/activities/${id}/streams/${query}`), 200, streamsSchema);

  test("are columns of equal length, decoded from the stored FIT, gzip or zip file", async () => {
    const partner = await newPartner();
    for (const [name, bytes] of [
      ["fit", rideFile()],
      ["gzip", new Uint8Array(gzipSync(rideFile()))],
    ] as const) {
      const { downsampled, ...columns } = await streams(partner, await storedRide(partner, name, bytes));
      expect(downsampled).toBe(false);
      expect(columns["time_in_seconds"]).toEqual(Array.from({ length: RIDE.seconds }, (_, second) => second));
      expect(columns["heart_rate_in_beats_per_minute"]).toEqual(Array(RIDE.seconds).fill(RIDE.heartRate));
      for (const column of Object.values(columns)) expect(column).toHaveLength(RIDE.seconds);
    }
  });

  test("can be selected by key and downsampled", async () => {
    const partner = await newPartner();
    const id = await storedRide(partner, "long", rideFile({ seconds: 600 }));
    const { downsampled, ...columns } = await streams(partner, id, "?keys=power_in_watts&resolution=50");
    expect(downsampled).toBe(true);
    expect(columns["heart_rate_in_beats_per_minute"]).toBeUndefined();
    expect(columns["power_in_watts"]?.length).toBeLessThanOrEqual(50);
    expect((await streams(partner, id, "?resolution=600")).downsampled).toBe(false);
  });

  test("with unknown names are rejected", async () => {
    const partner = await newPartner();
    const id = await storedRide(partner, "s");
    for (const query of [
      "keys=colour",
      "keys=",
      "keys=power_in_watts,",
      "resolution=0",
      "resolution=1.5",
      "resolution=x",
    ]) {
      await problemOf(
        await send(partner, "GET", `/api/activities/${id}/streams/?${query}`),
        400,
        "validation_failed",
      );
    }
    expect(await streams(partner, id, "?keys=developer.anything")).toMatchObject({ downsampled: false });
  });

  test("of a session that the file does not contain return a 404", async () => {
    const partner = await newPartner();
    const [file] = (await storedRide(partner, "s")).split(".");
    await problemOf(await send(partner, "GET", `/api/activities/${file}.1/streams/`), 404, "not_found");
  });

  test("return a 500 original_missing if the stored bytes are lost, and a 404 for an unknown activity", async () => {
    const partner = await newPartner();
    const id = await storedRide(partner, "lost");
    await env.FILES.delete(`${partner.partnerId}/lost`);
    await problemOf(await send(partner, "GET", `/api/activities/${id}/streams/`), 500, "original_missing");
    const other = id.replace(/0$/, "1");
    await problemOf(await send(partner, "GET", `/api/activities/${other}/streams/`), 404, "not_found");
    const held = await seedFile(namesOf(partner, "held"), { status: "held" });
    await problemOf(await send(partner, "GET", `/api/activities/${held}.0/streams/`), 404, "not_found");
  });

  test("return a 500 original_damaged if the stored bytes no longer contain the activity, and details do, too", async () => {
    const partner = await newPartner();
    const id = await storedRide(partner, "damaged");
    await databaseOf(partner)
      .prepare("UPDATE files SET decoder_version = ? WHERE partner_id = ?")
      .bind(DECODER_VERSION, partner.partnerId)
      .run();
    const lines = vi.spyOn(console, "log");
    const ride = rideFile();
    for (const bytes of [new TextEncoder().encode("<html></html>"), ride.fill(0, 14)]) {
      await env.FILES.put(`${partner.partnerId}/damaged`, bytes);
      for (const below of ["", "streams/", "rr/"]) {
        const answer = await send(partner, "GET", `/api/activities/${id}/${below}`);
        await problemOf(answer, 500, "original_damaged");
      }
    }
    expect(lines.mock.calls.join()).toContain('"outcome":"original_damaged"');
  });

  test("of a small gzip with many rows return a 503 while memory for the columns is short", async () => {
    const partner = await newPartner();
    const id = await storedRide(partner, "packed", gzipSync(rideFile({ seconds: 20_000 })));
    const taken = requestMemory("another-partner");
    expect(taken.tryGrowTo(INTAKE_BYTES - 2 * 1024 * 1024)).toBe(true);
    const refused = await send(partner, "GET", `/api/activities/${id}/streams/`);
    taken.release();
    await problemOf(refused, 503, "memory_short");
    expect((await streams(partner, id))["time_in_seconds"]).toHaveLength(20_000);
  });

  test("reserve memory until they are read, and reserve none for a HEAD request", async () => {
    const partner = await newPartner();
    const id = await storedRide(partner, "unread", rideFile({ seconds: 20_000 }));
    const path = `/api/activities/${id}/streams/`;
    const others = requestMemory("another-partner");
    const response = await app.request(path, { headers: partner.headers }, env);
    expect(response.status).toBe(200);
    expect(others.tryGrowTo(INTAKE_BYTES)).toBe(false);
    expect((await response.json<{ time_in_seconds: number[] }>()).time_in_seconds).toHaveLength(20_000);
    expect(others.tryGrowTo(INTAKE_BYTES)).toBe(true);
    others.release();
    const head = await app.request(path, { method: "HEAD", headers: partner.headers }, env);
    expect(head.status).toBe(200);
    expect(others.tryGrowTo(INTAKE_BYTES)).toBe(true);
    others.release();
  });

  test("of a large file return a 503 while memory is short", async () => {
    const partner = await newPartner();
    const id = await storedRide(partner, "large", rideFile({ seconds: 6_000, paddingBytes: 200 }));
    const taken = requestMemory("another-partner");
    expect(taken.tryGrowTo(INTAKE_BYTES)).toBe(true);
    const refused = await send(partner, "GET", `/api/activities/${id}/streams/`);
    taken.release();
    await problemOf(refused, 503, "memory_short");
    expect(refused.headers.get("Retry-After")).toBe("1");
    expect((await streams(partner, id))["time_in_seconds"]).toHaveLength(6_000);
    expect(taken.tryGrowTo(INTAKE_BYTES)).toBe(true);
    taken.release();
  });
});

describe("beat-to-beat intervals", () => {
  const intervals = async (partner: TestPartner, id: string) =>
    answerOf(await send(partner, "GET", `/api/activities/${id}/rr/`), 200, rrIntervalsSchema);

  test("are decoded from the stored FIT or gzip file, with the time of each beat", async () => {
    const partner = await newPartner();
    const file = rideFile({ seconds: 11, beatsPerSecond: 2 });
    for (const [name, bytes] of [
      ["fit", file],
      ["gzip", new Uint8Array(gzipSync(file))],
    ] as const) {
      expect(await intervals(partner, await storedRide(partner, name, bytes))).toEqual({
        source: "hrv",
        coverage: 0.909,
        artefact_share: 0,
        truncated: false,
        time_in_seconds: Array.from({ length: 20 }, (_, i) => 0.5 + i / 2),
        intervals_in_seconds: Array(20).fill(0.5),
      });
    }
  });

  test("of an activity without any are empty lists", async () => {
    const partner = await newPartner();
    expect(await intervals(partner, await storedRide(partner, "s"))).toEqual({
      source: null,
      coverage: 0,
      artefact_share: null,
      truncated: false,
      time_in_seconds: [],
      intervals_in_seconds: [],
    });
  });

  test("are announced by has_rr_intervals of the activity, alone and in lists", async () => {
    const partner = await newPartner();
    const withBeats = await storedRide(partner, "beats", rideFile({ beatsPerSecond: 1 }), true);
    const without = await storedRide(partner, "none");
    expect((await one(partner, withBeats)).has_rr_intervals).toBe(true);
    expect((await one(partner, without)).has_rr_intervals).toBe(false);
    const listed = await list(partner);
    const flags = Object.fromEntries(listed.data.map((row) => [row.activity_id, row.has_rr_intervals]));
    expect(flags).toEqual({ [withBeats]: true, [without]: false });
  });

  test("of another session or another partner return a 404, and lost bytes a 500", async () => {
    const partner = await newPartner();
    const id = await storedRide(partner, "s");
    for (const [who, path] of [
      [partner, id.replace(/0$/, "1")],
      [await newPartner(), id],
    ] as const) {
      await problemOf(await send(who, "GET", `/api/activities/${path}/rr/`), 404, "not_found");
    }
    await problemOf(await send(partner, "GET", `/api/activities/${id}/rr/?keys=x`), 400, "validation_failed");
    await env.FILES.delete(`${partner.partnerId}/s`);
    await problemOf(await send(partner, "GET", `/api/activities/${id}/rr/`), 500, "original_missing");
  });

  test("return a 503 while memory for the lists is short", async () => {
    const partner = await newPartner();
    const file = rideFile({ seconds: 5_000, beatsPerSecond: 5 });
    const id = await storedRide(partner, "packed", gzipSync(file));
    const taken = requestMemory("another-partner");
    expect(taken.tryGrowTo(INTAKE_BYTES - 1024 * 1024)).toBe(true);
    const refused = await send(partner, "GET", `/api/activities/${id}/rr/`);
    taken.release();
    await problemOf(refused, 503, "memory_short");
    expect((await intervals(partner, id)).time_in_seconds).toHaveLength(24_995);
    expect(taken.tryGrowTo(INTAKE_BYTES)).toBe(true);
    taken.release();
  });
});

describe("the details of a hostile file", () => {
  /** Returns a file whose details have megabytes: many laps, each with long texts in developer fields. */
  function fileOfManyLaps(): Uint8Array<ArrayBuffer> {
    const text = "\u2603".repeat(64);
    const builder = new FitBuilder().fileId();
    for (const field of [0, 1, 2, 3]) {
      builder.fieldDescription(field, text, "string", [[8, "string", text]]);
    }
    builder.record(0, [[3, "uint8", 120]]);
    for (let lap = 0; lap < 1_000; lap += 1) {
      builder.message(19, [[2, "uint32", T0 + lap]], {
        local: 3,
        developer: [0, 1, 2, 3].map((field) => [field, 0, "string", text] as const),
      });
    }
    return new Uint8Array(builder.session().build());
  }

  test("count by their size, and reserve memory until they are read", async () => {
    const partner = await newPartner({ limits: { requests_per_minute: 30, files_per_minute: null } });
    const file = fileOfManyLaps();
    const id = await storedRide(partner, "laps", file);
    const others = requestMemory("another-partner");
    const response = await app.request(`/api/activities/${id}/`, { headers: partner.headers }, env);
    expect(response.status).toBe(200);
    expect(others.tryGrowTo(INTAKE_BYTES - 2 * 1024 * 1024)).toBe(false);
    const body = await response.text();
    expect(body.length).toBeGreaterThan(1_500_000);
    expect(others.tryGrowTo(INTAKE_BYTES)).toBe(true);
    others.release();
    const left = Number(/"read";r=(-?\d+)/.exec(response.headers.get("RateLimit") ?? "")?.[1]);
    const parts = (bytes: number) => Math.ceil(bytes / (256 * 1024));
    // The limit allows another request every two seconds.
    expect(30 - left).toBeGreaterThanOrEqual(parts(body.length) + parts(file.byteLength) - 3);
  });
});
