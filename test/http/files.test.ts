import { gzipSync } from "node:zlib";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { fileSchema, type File } from "../../src/files/file.ts";
import { app } from "../../src/http/app.ts";
import { pageOf } from "../../src/http/pages.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { pingFields } from "../support/pings.ts";
import { rideFile } from "../support/rideFile.ts";
import { NOON, seedFile, seedImport, UNKNOWN_ID } from "../support/rows.ts";
import { guardsItself } from "./strangers.ts";
import { databaseOf } from "../support/databases.ts";

const page = pageOf("FilePage", fileSchema);

const namesOf = (partner: TestPartner, summaryId: string, userId = "user-1", source = "garmin") => ({
  partnerId: partner.partnerId,
  userId,
  source,
  summaryId,
});

const list = async (partner: TestPartner, query = "") =>
  answerOf(await send(partner, "GET", `/api/files/${query}`), 200, page);

const one = async (partner: TestPartner, fileId: string) =>
  answerOf(await send(partner, "GET", `/api/files/${fileId}/`), 200, fileSchema);

guardsItself("listing files", {
  method: "GET",
  paths: () => Promise.resolve({ path: "/api/files/", unknown: null }),
});
guardsItself("reading a file", {
  method: "GET",
  paths: async (owner) => {
    const id = await seedFile(namesOf(owner, "s"));
    return { path: `/api/files/${id}/`, unknown: `/api/files/${UNKNOWN_ID}/` };
  },
});
guardsItself("reading a file's bytes", {
  method: "GET",
  paths: async (owner) => {
    const id = await seedFile(namesOf(owner, "s"), { object_key: "somewhere" });
    return { path: `/api/files/${id}/original/`, unknown: `/api/files/${UNKNOWN_ID}/original/` };
  },
});

describe("a file", () => {
  test("has all its fields", async () => {
    const partner = await newPartner();
    const file_id = await seedFile(namesOf(partner, "ride"), {
      sha256: "ab",
      size_in_bytes: 1234,
      activity_count: 2,
      warnings: '["fit_truncated"]',
      overwrite_mode: 1,
    });
    expect(await one(partner, file_id)).toEqual({
      file_id,
      user_id: "user-1",
      source: "garmin",
      summary_id: "ride",
      ...pingFields({ activity_name: "Lunch ride", priority: 1, overwrite_mode: true }),
      status: "imported",
      attempts: 1,
      import_id: null,
      error: null,
      last_error: null,
      next_attempt_at: null,
      sha256: "ab",
      size_in_bytes: 1234,
      warnings: ["fit_truncated"],
      activity_ids: [`${file_id}.0`, `${file_id}.1`],
      edited: [],
      received_at: "2026-06-01T12:00:00.000Z",
      updated_at: "2026-06-01T12:00:00.000Z",
    });
  });

  test("shows the error of its newest version: as `error` if it failed, as `last_error` while it is retried", async () => {
    const partner = await newPartner();
    const error = { code: "callback_timeout", detail: "No answer.", http_status: null, retryable: true };
    const next_attempt_at = NOON + 30_000;
    const nothing = { error: null, last_error: null, next_attempt_at: null };
    for (const [status, shown] of [
      ["failed", { ...nothing, error }],
      ["queued", { ...nothing, last_error: error, next_attempt_at: "2026-06-01T12:00:30.000Z" }],
      ["held", { ...nothing, last_error: error, next_attempt_at: "2026-06-01T12:00:30.000Z" }],
      ["imported", nothing],
    ] as const) {
      const columns = { status, error: JSON.stringify(error), next_attempt_at };
      const id = await seedFile(namesOf(partner, status), columns);
      expect(await one(partner, id)).toMatchObject(shown);
    }
  });

  test("is shown as queued in its import on every route after a task has released it", async () => {
    const partner = await newPartner();
    const user = { partnerId: partner.partnerId, userId: "user-1", source: "garmin" };
    const import_id = await seedImport(user, { status: "running", after_version: 100, through_version: 200 });
    await seedImport({ ...user, source: "wahoo" }, { after_version: 0, through_version: 900 });
    const held = (summaryId: string, version: number) =>
      seedFile(namesOf(partner, summaryId), { status: "held", version, received_at: version });
    const before = await held("before", 100);
    const first = await held("first", 101);
    const last = await held("last", 200);
    const after = await held("after", 201);
    const settled = await seedFile(namesOf(partner, "settled"), {
      import_id,
      version: 150,
      received_at: 150,
    });

    const statusOf = async (id: string) => {
      const { status, import_id: of } = await one(partner, id);
      return [status, of];
    };
    expect(await statusOf(before)).toEqual(["held", null]);
    expect(await statusOf(first)).toEqual(["queued", import_id]);
    expect(await statusOf(last)).toEqual(["queued", import_id]);
    expect(await statusOf(after)).toEqual(["held", null]);

    const ids = (files: { data: File[] }) => files.data.map((file) => file.file_id);
    expect(ids(await list(partner, "?status=held"))).toEqual([after, before]);
    expect(ids(await list(partner, "?status=queued"))).toEqual([last, first]);
    expect(ids(await list(partner, `?import_id=${import_id}`))).toEqual([last, settled, first]);
    expect(ids(await list(partner, `?import_id=${import_id}&status=imported`))).toEqual([settled]);
    expect(ids(await list(partner, "?user_id=user-1&status=queued"))).toEqual([last, first]);
  });
});

describe("a file's bytes", () => {
  test("are returned as received, with their media type", async () => {
    const partner = await newPartner();
    const fit = rideFile();
    const cases: [string, Uint8Array, string][] = [
      ["fit", fit, "application/vnd.ant.fit"],
      ["gzip", gzipSync(fit), "application/gzip"],
      ["zip", new Uint8Array([0x50, 0x4b, 3, 4, 9, 9]), "application/zip"],
    ];
    for (const [name, bytes, type] of cases) {
      const object_key = `${partner.partnerId}/${name}`;
      await env.FILES.put(object_key, bytes);
      const id = await seedFile(namesOf(partner, name), { object_key });
      const response = await send(partner, "GET", `/api/files/${id}/original/`);
      expect(response.status).toBe(200);
      expect(response.headers.get("Content-Type")).toBe(type);
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array(bytes));
    }
  });

  /** Requests `/original/` of a file that failed with these bytes. */
  const failedWith = async (bytes: Uint8Array | string, code: string | null) => {
    const partner = await newPartner();
    const failed_object_key = `${partner.partnerId}/failed`;
    await env.FILES.put(failed_object_key, bytes);
    const error =
      code === null ? null : JSON.stringify({ code, detail: ".", http_status: null, retryable: true });
    const id = await seedFile(namesOf(partner, "failed"), { status: "failed", failed_object_key, error });
    return send(partner, "GET", `/api/files/${id}/original/`);
  };

  test("are also returned for a FIT file that could not be imported", async () => {
    const fit = rideFile();
    for (const [bytes, code] of [
      [fit, "no_activity_data"],
      [fit, "not_an_activity"],
      [gzipSync(fit), "not_an_activity"],
      [fit, "internal"],
    ] as const) {
      const response = await failedWith(bytes, code);
      expect(response.status).toBe(200);
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array(bytes));
    }
  });

  const page = "<!doctype html><title>Admin console</title>";
  const zipOfPage = Buffer.concat([Buffer.from("504b0304", "hex"), Buffer.alloc(26), Buffer.from(page)]);
  test.each<[string, Uint8Array | string, string | null]>([
    ["a page", page, "not_fit"],
    ["a page of a file that is being retried", page, null],
    ["a page of a file that failed as internal when it was retried", page, "internal"],
    ["a page in a gzip", gzipSync(page), "not_fit"],
    ["a page in a gzip of a file that is being retried", gzipSync(page), null],
    ["a page in a zip", zipOfPage, "archive_invalid"],
    ["a page in a zip of a file that is being retried", zipOfPage, null],
    ["a GPX", "<gpx/>", "not_fit"],
    ["JSON", '{"token":"1"}', "not_fit"],
    ["three bytes", "key", "not_fit"],
    ["bytes of no format", new Uint8Array(5_000).fill(7), "not_fit"],
  ])(
    "that are %s are not returned, and the problem says why without a word of them",
    async (_what, bytes, code) => {
      const response = await failedWith(bytes, code);
      const { detail } = await problemOf(response, 409, "original_not_fit");
      expect(detail).toMatch(/contain no FIT file/);
      expect(detail).not.toMatch(/Admin|token|key/);
    },
  );

  test("are not executed by a browser: they are an attachment with a declared type, in a sandbox", async () => {
    const partner = await newPartner();
    const object_key = `${partner.partnerId}/ride`;
    await env.FILES.put(object_key, rideFile());
    const id = await seedFile(namesOf(partner, "ride"), { object_key });
    const { headers } = await send(partner, "GET", `/api/files/${id}/original/`);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": "application/vnd.ant.fit",
      "content-disposition": `attachment; filename="${id}.fit"`,
      "content-security-policy": "default-src 'none'; sandbox",
      "x-content-type-options": "nosniff",
    });
  });

  test("return a 404 if they were never stored, and are not logged as lost", async () => {
    const partner = await newPartner();
    const lines = vi.spyOn(console, "log");
    for (const status of ["held", "queued", "failed"]) {
      const id = await seedFile(namesOf(partner, status), { status });
      const response = await send(partner, "GET", `/api/files/${id}/original/`);
      const { detail } = await problemOf(response, 404, "not_found");
      expect(detail).toMatch(/^No bytes of this file can be read/);
    }
    expect(lines.mock.calls.join()).not.toContain("original_missing");
    lines.mockRestore();
  });

  test("return a 500 original_missing if the store has lost them, and the log shows the file", async () => {
    const partner = await newPartner();
    const id = await seedFile(namesOf(partner, "lost ride"), { object_key: `${partner.partnerId}/lost` });
    const lines: string[] = [];
    const logged = vi.spyOn(console, "log").mockImplementation((line: unknown) => {
      lines.push(String(line));
    });
    const response = await send(partner, "GET", `/api/files/${id}/original/`);
    logged.mockRestore();
    const { detail } = await problemOf(response, 500, "original_missing");
    expect(detail).toMatch(/now missing from our store.*overwrite_mode/);
    const setbacks = lines.map((line): unknown => JSON.parse(line)).slice(0, -1);
    expect(setbacks).toEqual([
      { unit: "setback", outcome: "original_missing", partner_id: partner.partnerId, file_id: id },
    ]);
    expect(lines.join()).not.toMatch(/lost ride|user-1/);
  });

  test("are found while a new version replaces them", async () => {
    const partner = await newPartner();
    const id = await seedFile(namesOf(partner, "moved"), { object_key: `${partner.partnerId}/old` });
    const moved = rideFile();
    const original = env.FILES.get.bind(env.FILES);
    let looks = 0;
    const files = new Proxy(env.FILES, {
      get: (bucket, name) =>
        name === "get"
          ? async (key: string, options?: R2GetOptions) => {
              looks += 1;
              if (looks === 1) {
                await env.FILES.put(`${partner.partnerId}/new`, moved);
                await databaseOf(partner)
                  .prepare("UPDATE files SET object_key = ? WHERE partner_id = ?")
                  .bind(`${partner.partnerId}/new`, partner.partnerId)
                  .run();
              }
              return options === undefined ? original(key) : original(key, options);
            }
          : Reflect.get(bucket, name),
    });
    const response = await app.request(
      `/api/files/${id}/original/`,
      { headers: partner.headers },
      { ...env, FILES: files },
    );
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array(moved));
  });
});

describe("a list of files", () => {
  /** Reads all pages of a list and returns the names of their files. Only a single page may be empty. */
  const all = async (partner: TestPartner, query: string) => {
    const pages = [await list(partner, `?${query}`)];
    for (let next = pages[0]?.next_cursor; next != null; next = pages.at(-1)?.next_cursor) {
      pages.push(await list(partner, `?${query}&cursor=${next}`));
      expect(pages.at(-1)?.data).not.toEqual([]);
    }
    return pages.flatMap((page) => page.data.map((file) => file.summary_id));
  };

  test("is sorted newest first and complete over all pages, also with equal times", async () => {
    const partner = await newPartner();
    await seedFile(namesOf(await newPartner(), "foreign"));
    const expected: { id: string; name: string; at: number }[] = [];
    for (let index = 0; index < 11; index += 1) {
      const at = NOON - Math.floor(index / 4);
      const name = `s-${index}`;
      expected.push({
        name,
        at,
        id: await seedFile(namesOf(partner, name, `user-${index % 2}`), { received_at: at }),
      });
    }
    expected.sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
    const names = expected.map((file) => file.name);
    for (const limit of [1, 3, 11, 200]) expect(await all(partner, `limit=${limit}`)).toEqual(names);
    const even = names.filter((name) => Number(name.slice(2)) % 2 === 0);
    expect(await all(partner, "limit=2&user_id=user-0")).toEqual(even);
  });

  test("continues at its cursor while newer files arrive", async () => {
    const partner = await newPartner();
    for (const [name, at] of [
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ] as const) {
      await seedFile(namesOf(partner, name), { received_at: at });
    }
    const first = await list(partner, "?limit=2");
    await seedFile(namesOf(partner, "d"), { received_at: 4 });
    const second = await list(partner, `?limit=2&cursor=${first.next_cursor}`);
    expect([...first.data, ...second.data].map((file) => file.summary_id)).toEqual(["c", "b", "a"]);
  });

  test("can be filtered by user, source and status", async () => {
    const partner = await newPartner();
    await seedFile(namesOf(partner, "a", "u1", "garmin"));
    await seedFile(namesOf(partner, "b", "u1", "wahoo"), { status: "failed" });
    await seedFile(namesOf(partner, "c", "u2", "wahoo"));
    const names = async (query: string) =>
      (await list(partner, query)).data.map((file) => file.summary_id).toSorted();
    expect(await names("?user_id=u1")).toEqual(["a", "b"]);
    expect(await names("?source=wahoo")).toEqual(["b", "c"]);
    expect(await names("?status=failed")).toEqual(["b"]);
    expect(await names("?user_id=u2&source=garmin")).toEqual([]);
    expect(await names("?user_id=U1")).toEqual([]);
  });

  test("can be filtered by a part of the file's id or name, also after a rename, and by receipt", async () => {
    const partner = await newPartner();
    const edits = JSON.stringify({
      version: 1,
      file_version: 1,
      activity_name: "100 % Uphill",
      activities: {},
    });
    await seedFile(namesOf(partner, "Ride-2026-01", "u1"), {
      received_at: NOON,
      activity_name: "Évening spin",
    });
    await seedFile(namesOf(partner, "ride_2", "u2"), { received_at: NOON + 1, activity_name: "Old", edits });
    await seedFile(namesOf(partner, "walk", "u1"), { received_at: NOON + 2, activity_name: null });
    const names = async (query: string) => (await list(partner, query)).data.map((file) => file.summary_id);
    expect(await names("?name_contains=RIDE")).toEqual(["ride_2", "Ride-2026-01"]);
    expect(await names("?name_contains=ride&user_id=u1")).toEqual(["Ride-2026-01"]);
    expect(await names("?name_contains=Évening")).toEqual(["Ride-2026-01"]);
    expect(await names("?name_contains=100%20%25%20up")).toEqual(["ride_2"]);
    expect(await names("?name_contains=old")).toEqual([]);
    expect(await names("?name_contains=e_2")).toEqual(["ride_2"]);
    expect(await names("?name_contains=e%252")).toEqual([]);
    const at = (ms: number) => new Date(ms).toISOString();
    expect(await names(`?received_after=${at(NOON + 1)}`)).toEqual(["walk", "ride_2"]);
    expect(await names(`?received_before=${at(NOON + 1)}`)).toEqual(["Ride-2026-01"]);
    const within = `received_after=${at(NOON + 1)}&received_before=${at(NOON + 2)}`;
    for (const query of ["", "&user_id=u2", "&updated_since=2020-01-01T00:00:00Z"]) {
      expect(await names(`?${within}${query}`)).toEqual(["ride_2"]);
    }
    expect(await names(`?${within}&user_id=u2&source=garmin&summary_id=ride_2`)).toEqual(["ride_2"]);
    expect(
      await names("?received_after=2100-01-01T00:00:00Z&user_id=u2&source=garmin&summary_id=ride_2"),
    ).toEqual([]);
  });

  test("can be filtered by the code of a failed or skipped file's error", async () => {
    const partner = await newPartner();
    const seed = async (name: string, status: string, code: string | null, userId = "u1") =>
      seedFile(namesOf(partner, name, userId), {
        received_at: NOON,
        status,
        error:
          code === null ? null : JSON.stringify({ code, detail: "d", http_status: null, retryable: true }),
      });
    await seed("gone", "failed", "callback_gone");
    await seed("other", "failed", "not_fit");
    await seed("cancelled", "skipped", "import_cancelled");
    await seed("fine", "imported", null);
    // The error of its last attempt is its `last_error`.
    await seed("again", "queued", "callback_gone");
    await seed("of-another", "failed", "callback_gone", "u2");
    const names = async (query: string) => (await list(partner, query)).data.map((file) => file.summary_id);
    expect((await names("?error_code=callback_gone")).sort()).toEqual(["gone", "of-another"]);
    expect(await names("?error_code=callback_gone&user_id=u1&status=failed")).toEqual(["gone"]);
    expect(await names("?error_code=import_cancelled")).toEqual(["cancelled"]);
    expect(await names("?error_code=import_cancelled&status=failed")).toEqual([]);
    expect(await names("?error_code=not_fit&updated_since=2020-01-01T00:00:00Z")).toEqual(["other"]);
    expect(await names("?error_code=not_fit&user_id=u1&source=garmin&summary_id=gone")).toEqual([]);
  });

  test("with updated_since returns changed files in the order of their changes, without those of the current millisecond", async () => {
    const partner = await newPartner();
    const at = (ms: number) => new Date(ms).toISOString();
    await seedFile(namesOf(partner, "old"), { updated_at: NOON - 1 });
    await seedFile(namesOf(partner, "second"), { updated_at: NOON + 5 });
    await seedFile(namesOf(partner, "first"), { updated_at: NOON });
    await seedFile(namesOf(partner, "present"), { updated_at: Date.now() + 60_000 });
    expect(await all(partner, `limit=1&updated_since=${at(NOON)}`)).toEqual(["first", "second"]);
    expect(await all(partner, `updated_since=${at(NOON + 6)}`)).toEqual([]);
    expect(await all(partner, `user_id=user-1&updated_since=2026-06-01T14:00:00%2B02:00`)).toEqual([
      "first",
      "second",
    ]);
  });

  test("rejects cursors that are malformed, of another partner, or of other filters", async () => {
    const partner = await newPartner();
    const other = await newPartner();
    for (const name of ["a", "b", "c"]) {
      await seedFile(namesOf(partner, name));
      await seedFile(namesOf(other, name));
    }
    const { next_cursor } = await list(partner, "?limit=1");
    const refused = async (who: TestPartner, query: string) => {
      const problem = await problemOf(
        await send(who, "GET", `/api/files/?${query}`),
        400,
        "validation_failed",
      );
      return problem.errors?.map((fault) => [fault.pointer, fault.code]);
    };
    const invalid = [["/cursor", "invalid_cursor"]];
    expect(await refused(partner, "cursor=nonsense")).toEqual(invalid);
    expect(await refused(partner, `cursor=${next_cursor?.slice(0, -3)}`)).toEqual(invalid);
    expect(await refused(partner, `source=garmin&cursor=${next_cursor}`)).toEqual(invalid);
    expect(await refused(other, `cursor=${next_cursor}`)).toEqual(invalid);
    await problemOf(
      await send(partner, "GET", `/api/users/?cursor=${next_cursor}`),
      400,
      "validation_failed",
    );
    expect((await list(partner, `?limit=200&cursor=${next_cursor}`)).data).toHaveLength(2);
  });

  test("rejects invalid parameter values", async () => {
    const partner = await newPartner();
    const queries: [string, string][] = [
      ["limit=0", "/limit"],
      ["limit=201", "/limit"],
      ["limit=ten", "/limit"],
      ["limit=", "/limit"],
      ["limit=1&limit=2", "/limit"],
      ["status=done", "/status"],
      ["status=failed&status=failed", "/status"],
      ["error_code=lost", "/error_code"],
      ["user_id=", "/user_id"],
      ["user_id=%00", "/user_id"],
      ["name_contains=", "/name_contains"],
      ["received_after=yesterday", "/received_after"],
      ["received_before=1760000000", "/received_before"],
      ["updated_since=yesterday", "/updated_since"],
      ["updated_since=1760000000", "/updated_since"],
      ["updated_since=2026-13-01T00:00:00Z", "/updated_since"],
    ];
    for (const [query, pointer] of queries) {
      const refused = await problemOf(
        await send(partner, "GET", `/api/files/?${query}`),
        400,
        "validation_failed",
      );
      expect(refused.errors?.[0]?.pointer).toBe(pointer);
    }
  });
});
