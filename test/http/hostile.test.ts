import { describe, expect, test } from "vitest";
import { z } from "zod";
import { allAcceptedSchema } from "../../src/pings/acceptedPings.ts";
import { faultsOf, problemOf, send } from "../support/http.ts";
import { newPartner } from "../support/partner.ts";
import { project } from "../support/world.ts";
import { HOST, pingOf, read } from "../flows/partnerActs.ts";

const PINGS = "/api/fit_partner_ping/";
const PING = pingOf({ summary_id: "ride", callback_url: `${HOST}/f`, priority: 0 });

const post = async (raw: BodyInit, headers: Record<string, string> = {}) =>
  send(await newPartner(), "POST", PINGS, { raw, headers });

/** Returns a body with one ping that has this text in place of the JSON of a field. */
const withField = (field: keyof typeof PING, json: string) =>
  `{"activity_files":[${JSON.stringify({ ...PING, [field]: "@" }).replace('"@"', json)}]}`;

const summaryIdOf = async (response: Response) => {
  expect(response.status).toBe(202);
  return z.object({ files: z.tuple([z.object({ summary_id: z.string() })]) }).parse(await response.json())
    .files[0].summary_id;
};

describe("unusual but valid JSON", () => {
  test("may begin with a byte order mark", async () => {
    expect(await summaryIdOf(await post(`\ufeff${withField("summary_id", '"ride"')}`))).toBe("ride");
    await problemOf(await post(`\ufeff\ufeff${withField("summary_id", '"ride"')}`), 400, "malformed_json");
  });

  test("with a repeated key counts the key's last value", async () => {
    const twice = withField("summary_id", '"first","summary_id":"last"');
    expect(await summaryIdOf(await post(twice))).toBe("last");
  });

  test("with keys such as __proto__ has only unknown fields", async () => {
    const unusual =
      '"ride","__proto__":{"priority":1,"file_type":"TCX"},"constructor":{"prototype":{}},"toString":1';
    expect(await summaryIdOf(await post(withField("summary_id", unusual)))).toBe("ride");
    const instead = withField("summary_id", '"ride"').replace('"priority":0', '"__proto__":{"priority":0}');
    expect(faultsOf(await problemOf(await post(instead), 400, "validation_failed"))).toEqual([
      ["/activity_files/0/priority", "required"],
    ]);
  });

  test("with numbers of any length in place of strings or priorities is rejected", async () => {
    const digits = "1234567890123456789";
    for (const field of [
      "user_id",
      "summary_id",
      "start_time_in_seconds",
      "activity_name",
      "callback_url",
    ] as const) {
      const refused = await problemOf(await post(withField(field, digits)), 400, "validation_failed");
      expect(faultsOf(refused)).toEqual([[`/activity_files/0/${field}`, "invalid_type"]]);
    }
    for (const priority of [digits, "1e999", "-0.5", "0.9999999999999999"]) {
      const refused = await problemOf(await post(withField("priority", priority)), 400, "validation_failed");
      expect(faultsOf(refused)).toEqual([["/activity_files/0/priority", "invalid_value"]]);
    }
    for (const zero of ["0.0", "-0", "0e5"]) await summaryIdOf(await post(withField("priority", zero)));
  });

  test("with a name of 19 digits is echoed exactly", async () => {
    const name = "9007199254740993123";
    expect(await summaryIdOf(await post(withField("summary_id", `"${name}"`)))).toBe(name);
  });

  test("with deep nesting in any field is rejected as a wrong type", async () => {
    const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    const objects = `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`;
    for (const json of [deep, objects]) {
      const refused = await problemOf(await post(withField("user_id", json)), 400, "validation_failed");
      expect(faultsOf(refused)).toEqual([["/activity_files/0/user_id", "invalid_type"]]);
      expect((await post(withField("summary_id", `"ride","unknown":${json}`))).status).toBe(202);
    }
  });

  test("with half of a surrogate pair in a name is rejected, escaped or as bytes", async () => {
    for (const half of ['"\\ud83d"', '"\\udeb4"', '"a\\ud83db"']) {
      const refused = await problemOf(await post(withField("user_id", half)), 400, "validation_failed");
      expect(faultsOf(refused)).toEqual([["/activity_files/0/user_id", "lone_surrogate"]]);
    }
    const [before = "", after = ""] = withField("user_id", '"@"').split("@");
    const bytes = Buffer.concat([
      Buffer.from(before),
      new Uint8Array([0xed, 0xa0, 0xbd]),
      Buffer.from(after),
    ]);
    await problemOf(await post(new Uint8Array(bytes)), 400, "malformed_json");
    expect(await summaryIdOf(await post(withField("summary_id", '"\\ud83d\\udeb4"')))).toBe("\u{1f6b4}");
  });

  test("may contain control characters in an activity's name only", async () => {
    for (const control of ["\\u0000", "\\n", "\\u001f", "\\u007f", "\\u0080", "\\u009f"]) {
      const refused = await problemOf(
        await post(withField("source", `"a${control}"`)),
        400,
        "validation_failed",
      );
      expect(faultsOf(refused)).toEqual([["/activity_files/0/source", "control_character"]]);
    }
    const partner = await newPartner();
    const raw = withField("activity_name", '"one\\u0000two\\n\\u200e"');
    const taken = allAcceptedSchema.parse(await (await send(partner, "POST", PINGS, { raw })).json());
    await project(partner, taken.files);
    expect(await read(partner, "/api/files/")).toMatchObject({
      data: [{ activity_name: "one\u0000two\n\u200e" }],
    });
  });

  test("in another encoding than UTF-8 is rejected", async () => {
    const text = withField("summary_id", '"ride"');
    await problemOf(await post(new Uint8Array(Buffer.from(text, "utf16le"))), 400, "malformed_json");
    await problemOf(
      await post(new Uint8Array(Buffer.from(withField("summary_id", '"\u00fc"'), "latin1"))),
      400,
      "malformed_json",
    );
  });
});

describe("unusual paths and queries", () => {
  test("with ids of any bytes return 404", async () => {
    const partner = await newPartner();
    for (const id of [
      "%00",
      "%FF",
      "%ED%A0%80",
      "%F0%9F%9A%B4",
      "%2e%2e%2f",
      "__proto__",
      "a".repeat(8_000),
      "'",
      "%25",
    ]) {
      for (const path of [`/api/files/${id}/`, `/api/users/${id}/`, `/api/activities/${id}/streams/`]) {
        await problemOf(await send(partner, "GET", path), 404, "not_found");
      }
      await problemOf(await send(partner, "POST", `/api/events/${id}/resend/`), 404, "not_found");
      await problemOf(await send(partner, "DELETE", `/api/users/${id}/`), 404, "not_found");
    }
  });

  test("with unknown or repeated parameters return a 400 that names them", async () => {
    const partner = await newPartner();
    const cases: [query: string, pointer: string][] = [
      ["limit=1e2", "/limit"],
      ["limit=+5", "/limit"],
      ["limit=%EF%BC%95", "/limit"],
      ["limit=9999999999999999999", "/limit"],
      ["limit=", "/limit"],
      ["user_id=%00", "/user_id"],
      ["user_id=", "/user_id"],
      [`source=${"x".repeat(256)}`, "/source"],
      ["updated_since=yesterday", "/updated_since"],
      ["updated_since=2026-02-30T00:00:00Z", "/updated_since"],
      ["updated_since=1760000000", "/updated_since"],
      ["cursor=bm90aGluZw", "/cursor"],
      ["cursor=%F0%9F%9A%B4", "/cursor"],
      ["toString=1", "/toString"],
      ["LIMIT=5", "/LIMIT"],
    ];
    for (const [query, pointer] of cases) {
      const refused = await problemOf(
        await send(partner, "GET", `/api/files/?${query}`),
        400,
        "validation_failed",
      );
      expect([query, faultsOf(refused).map(([where]) => where)]).toEqual([query, [pointer]]);
    }
    expect((await send(partner, "GET", "/api/files/?limit=1&limit=2")).status).toBe(400);
  });
});
