import { gzipSync } from "node:zlib";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { fileSchema } from "../../src/files/file.ts";
import { app } from "../../src/http/app.ts";
import { fileId } from "../../src/identifiers.ts";
import { allAcceptedSchema } from "../../src/pings/acceptedPings.ts";
import { answerOf, faultsOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { guardsItself } from "./strangers.ts";
import { databaseOf } from "../support/databases.ts";

const PINGS = "/api/fit_partner_ping/";

const PING = {
  file_type: "FIT",
  activity_name: "Morning ride",
  priority: 0,
  user_id: "user-1",
  source: "garmin",
  overwrite_mode: false,
  start_time_in_seconds: "1760000000",
  callback_url: "https://files.example.com/f?token=1",
  summary_id: "ride-1",
};

const post = (partner: TestPartner, ...items: unknown[]) =>
  send(partner, "POST", PINGS, { body: { activity_files: items } });

const accepted = async (partner: TestPartner, ...items: unknown[]) =>
  answerOf(await post(partner, ...items), 202, allAcceptedSchema);

const faults = async (partner: TestPartner, ...items: unknown[]) =>
  faultsOf(await problemOf(await post(partner, ...items), 400, "validation_failed"));

const base64 = (bytes: Uint8Array, encoding: "base64" | "base64url" = "base64") =>
  Buffer.from(bytes).toString(encoding);

guardsItself("posting pings", {
  method: "POST",
  body: { activity_files: [PING] },
  paths: () => Promise.resolve({ path: PINGS, unknown: null }),
});

describe("pings", () => {
  test("are returned in the request's order, and their files can be read at once", async () => {
    const partner = await newPartner();
    const items = ["c", "a", "b", "a"].map((summary_id) => ({ ...PING, summary_id, ignored: { deep: [1] } }));
    const answer = await accepted(partner, ...items);
    expect(answer.accepted).toBe(4);
    expect(answer.files.map((file) => file.summary_id)).toEqual(["c", "a", "b", "a"]);
    for (const file of answer.files) {
      const names = {
        partnerId: partner.partnerId,
        userId: "user-1",
        source: "garmin",
        summaryId: file.summary_id,
      };
      expect(file.file_id).toBe(fileId(names));
      const read = await answerOf(await send(partner, "GET", `/api/files/${file.file_id}/`), 200, fileSchema);
      expect(read).toMatchObject({ status: "held", activity_name: "Morning ride", activity_ids: [] });
    }
  });

  test("keep unusual names byte by byte", async () => {
    const partner = await newPartner();
    const names = [
      "../..",
      "a/b?c#d%2F",
      "__proto__",
      "ü\u{1f6b4}‮",
      "' OR 1=1 --",
      "{}",
      " ",
      "𝒳".repeat(255),
    ];
    const answer = await accepted(
      partner,
      ...names.map((name) => ({ ...PING, user_id: name, source: name, summary_id: name })),
    );
    expect(answer.files.map((file) => file.user_id)).toEqual(names);
    for (const { file_id, summary_id } of answer.files) {
      const read = await answerOf(await send(partner, "GET", `/api/files/${file_id}/`), 200, fileSchema);
      expect(read).toMatchObject({ user_id: summary_id, source: summary_id, summary_id });
    }
  });

  test("may have a null activity name, or one with any characters", async () => {
    const partner = await newPartner();
    for (const activity_name of [null, "", "two\nlines\u0000", "\ud800"]) {
      await accepted(partner, { ...PING, activity_name });
    }
  });

  test("are rejected together, with every fault and its pointer", async () => {
    const partner = await newPartner();
    const wrong = {
      file_type: "TCX",
      activity_name: 7,
      priority: "1",
      user_id: "",
      source: "s".repeat(256),
      overwrite_mode: "false",
      start_time_in_seconds: 1760000000,
      summary_id: "a\u0007b",
    };
    const found = await faults(
      partner,
      { ...PING, summary_id: "good" },
      wrong,
      { ...PING, callback_url: "http://10.0.0.1/x" },
      null,
    );
    expect(found).toEqual([
      ["/activity_files/1/file_type", "invalid_value"],
      ["/activity_files/1/activity_name", "invalid_type"],
      ["/activity_files/1/priority", "invalid_value"],
      ["/activity_files/1/user_id", "too_short"],
      ["/activity_files/1/source", "too_long"],
      ["/activity_files/1/overwrite_mode", "invalid_type"],
      ["/activity_files/1/start_time_in_seconds", "invalid_type"],
      ["/activity_files/1/callback_url", "required"],
      ["/activity_files/1/summary_id", "control_character"],
      ["/activity_files/2/callback_url", "address_refused"],
      ["/activity_files/3", "invalid_type"],
    ]);
    const names = { partnerId: partner.partnerId, userId: "user-1", source: "garmin", summaryId: "good" };
    await problemOf(await send(partner, "GET", `/api/files/${fileId(names)}/`), 404, "not_found");
  });

  test("require each of the nine fields", async () => {
    const partner = await newPartner();
    const found = await faults(partner, {});
    expect(found).toEqual(Object.keys(PING).map((field) => [`/activity_files/0/${field}`, "required"]));
  });

  test("with a time in milliseconds are rejected with that explanation", async () => {
    const partner = await newPartner();
    const cases: [string, string][] = [
      ["1760000000000", "time_not_in_seconds"],
      ["17600000000", "time_not_in_seconds"],
      ["", "invalid_format"],
      ["-1", "invalid_format"],
      ["1e9", "invalid_format"],
      ["1760000000.5", "invalid_format"],
      [" 1760000000", "invalid_format"],
      ["１７６", "invalid_format"],
    ];
    for (const [start_time_in_seconds, code] of cases) {
      const refused = await problemOf(
        await post(partner, { ...PING, start_time_in_seconds }),
        400,
        "validation_failed",
      );
      expect(refused.errors?.[0]?.code).toBe(code);
      if (code === "time_not_in_seconds") expect(refused.errors?.[0]?.detail).toContain("milliseconds");
    }
    await accepted(
      partner,
      { ...PING, start_time_in_seconds: "0" },
      { ...PING, start_time_in_seconds: "9999999999" },
    );
  });

  test("with names that are not valid text or path segments are rejected", async () => {
    const partner = await newPartner();
    expect(
      await faults(
        partner,
        { ...PING, user_id: "." },
        { ...PING, user_id: ".." },
        { ...PING, summary_id: "\ud800" },
        { ...PING, source: "a\u0085b" },
        { ...PING, source: "\u007f" },
        { ...PING, summary_id: "𝒳".repeat(256) },
        { ...PING, activity_name: "n".repeat(1025) },
      ),
    ).toEqual([
      ["/activity_files/0/user_id", "invalid_value"],
      ["/activity_files/1/user_id", "invalid_value"],
      ["/activity_files/2/summary_id", "lone_surrogate"],
      ["/activity_files/3/source", "control_character"],
      ["/activity_files/4/source", "control_character"],
      ["/activity_files/5/summary_id", "too_long"],
      ["/activity_files/6/activity_name", "too_long"],
    ]);
  });

  test("return the first 100 faults and their total number", async () => {
    const partner = await newPartner();
    const refused = await problemOf(
      await post(partner, ...Array.from({ length: 150 }, () => ({ ...PING, priority: 2 }))),
      400,
      "validation_failed",
    );
    expect(refused.errors).toHaveLength(100);
    expect(refused.detail).toContain("150");
  });

  test("are 1 to 5,000 in one request; for more, the error says how to split them", async () => {
    const partner = await newPartner();
    const refused = await problemOf(
      await post(partner, ...Array.from({ length: 12_001 }, () => ({}))),
      413,
      "too_many_items",
    );
    expect(refused.detail).toContain("3 requests");
    await problemOf(await post(partner), 400, "validation_failed");
    const most = Array.from({ length: 5_000 }, (_, index) => ({ ...PING, summary_id: `s-${index}` }));
    expect((await accepted(partner, ...most)).accepted).toBe(5_000);
  });
});

describe("users in one request", () => {
  const ofUsers = (users: number) =>
    Array.from({ length: users }, (_, index) => ({ ...PING, user_id: `u-${index}` }));
  const usersOf = async (partner: TestPartner) =>
    databaseOf(partner)
      .prepare("SELECT count(DISTINCT user_id) count FROM user_sources WHERE partner_id = ?")
      .bind(partner.partnerId)
      .first("count");

  test("are at most 500; more are rejected, with an error that says how to split them", async () => {
    const partner = await newPartner();
    for (const [query, headers] of [
      ["", {}],
      ["", { Prefer: "handling=lenient" }],
      ["?dry_run=true", {}],
    ] as const) {
      const body = { activity_files: ofUsers(501) };
      const answer = await send(partner, "POST", PINGS + query, { body, headers });
      const refused = await problemOf(answer, 413, "too_many_users");
      expect(refused.detail).toContain("2 requests of at most 500 users");
      expect(refused.errors).toEqual([
        { pointer: "/activity_files", code: "too_many_users", detail: refused.detail },
      ]);
    }
    expect(await usersOf(partner)).toBe(0);
  });

  test("are accepted up to 500", async () => {
    const partner = await newPartner();
    expect((await accepted(partner, ...ofUsers(500))).accepted).toBe(500);
    expect(await usersOf(partner)).toBe(500);
  });
});

describe("a callback_url", () => {
  test("is rejected if it has more than 8,192 characters or names a host that the partner does not list", async () => {
    const partner = await newPartner({ callback_hosts: ["files.example.com"] });
    const url = "https://files.example.com/";
    expect(
      await faults(
        partner,
        { ...PING, callback_url: url + "x".repeat(8_193 - url.length) },
        { ...PING, callback_url: "https://elsewhere.example.com/f" },
        { ...PING, callback_url: "ftp://files.example.com/f" },
        { ...PING, callback_url: "" },
      ),
    ).toEqual([
      ["/activity_files/0/callback_url", "too_long"],
      ["/activity_files/1/callback_url", "address_refused"],
      ["/activity_files/2/callback_url", "invalid_callback"],
      ["/activity_files/3/callback_url", "too_short"],
    ]);
    await accepted(partner, { ...PING, callback_url: url + "x".repeat(8_192 - url.length) });
  });

  test.each(["api.example.com", "elsewhere.example.com", "localhost"])(
    "must not point to this service, even with another Host header: %s",
    async (host) => {
      const partner = await newPartner();
      const headers = { ...partner.headers, Host: host, "Content-Type": "application/json" };
      const ask = (callback_url: string) =>
        app.request(
          `https://${host}${PINGS}`,
          {
            method: "POST",
            headers,
            body: JSON.stringify({ activity_files: [{ ...PING, priority: 0, callback_url }] }),
          },
          { ...env, ENVIRONMENT: "production" },
        );
      const refused = await problemOf(await ask("https://API.example.com/health/"), 400, "validation_failed");
      expect(faultsOf(refused)).toEqual([["/activity_files/0/callback_url", "address_refused"]]);
      expect((await ask("https://elsewhere.example.com/health/")).status).toBe(202);
    },
  );

  test("may be the file itself in any form of base64", async () => {
    const partner = await newPartner();
    // These bytes need both special characters and padding.
    const fit = Buffer.concat([rideFile(), new Uint8Array([0xfb, 0xff, 0xfe, 0xff])]);
    const padded = fit.length % 3 === 0 ? Buffer.concat([fit, new Uint8Array(1)]) : fit;
    const standard = base64(padded);
    expect(standard).toMatch(/[+/].*=$/);
    const dresses = [
      standard,
      standard.replace(/=+$/, ""),
      base64(padded, "base64url"),
      base64(padded, "base64url") + "=".repeat((4 - (base64(padded, "base64url").length % 4)) % 4),
      standard.replace(/.{76}/g, "$&\r\n"),
      standard.replace(/.{64}/g, "$&\n"),
      `data:application/octet-stream;base64,${standard}`,
      `data:application/vnd.ant.fit;name=a.fit;base64,${standard}`,
      `data:;base64,${standard}`,
    ];
    const answer = await accepted(
      partner,
      ...dresses.map((callback_url, index) => ({ ...PING, callback_url, summary_id: `dress-${index}` })),
    );
    expect(answer.files.map((file) => file.status)).toEqual(dresses.map(() => "held"));
  });

  test("may contain a gzip of a FIT file, or a zip, which only the import unpacks", async () => {
    const partner = await newPartner();
    const zip = new Uint8Array([0x50, 0x4b, 0x03, 0x04, 1, 2, 3]);
    await accepted(
      partner,
      { ...PING, callback_url: base64(gzipSync(rideFile({ seconds: 3_600 }))), summary_id: "gzip" },
      { ...PING, callback_url: base64(zip), summary_id: "zip" },
    );
  });

  test("is rejected if it decodes to anything else", async () => {
    const partner = await newPartner();
    const bomb = gzipSync(new Uint8Array(20 * 1024 * 1024));
    const inline = (bytes: Uint8Array) => ({ ...PING, callback_url: base64(bytes) });
    expect(
      await faults(
        partner,
        inline(Buffer.from("<?xml version='1.0'?><TrainingCenterDatabase/>")),
        inline(gzipSync("<gpx></gpx>, nothing of a FIT file")),
        inline(bomb),
        inline(new Uint8Array([0x1f, 0x8b, 8, 0])),
        inline(new Uint8Array(8)),
        inline(gzipSync("")),
        { ...PING, callback_url: "not base64!" },
        { ...PING, callback_url: "AAA-+A" },
        { ...PING, callback_url: "A" },
        { ...PING, callback_url: "data:text/plain,hello" },
        { ...PING, callback_url: "data:;base64," },
      ),
    ).toEqual(
      [...Array<string>(6).fill("not_fit"), ...Array<string>(4).fill("invalid_callback"), "not_fit"].map(
        (code, index) => [`/activity_files/${index}/callback_url`, code],
      ),
    );
  });

  test("may contain up to 8 MiB; a larger file needs a URL", async () => {
    const partner = await newPartner();
    const large = new Uint8Array(8 * 1024 * 1024 + 1);
    large.set(rideFile());
    expect(await faults(partner, { ...PING, callback_url: base64(large) })).toEqual([
      ["/activity_files/0/callback_url", "file_too_large"],
    ]);
    const most = large.slice(0, 8 * 1024 * 1024);
    expect((await accepted(partner, { ...PING, callback_url: base64(most) })).files[0]?.status).toBe("held");
  });
});
