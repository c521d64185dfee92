import { describe, expect, test } from "vitest";
import { fileId } from "../../src/identifiers.ts";
import { acceptedPingsSchema } from "../../src/pings/acceptedPings.ts";
import { faultsOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { project } from "../support/world.ts";
import { pingOf, read } from "../flows/partnerActs.ts";

const PING = pingOf({ summary_id: "good", callback_url: "https://files.example.com/f" });

const post = (who: TestPartner, items: unknown, prefer = "handling=lenient", key?: string) =>
  send(who, "POST", "/api/fit_partner_ping/", {
    body: { activity_files: items },
    headers: { Prefer: prefer, ...(key === undefined ? {} : { "Idempotency-Key": key }) },
  });

describe("with Prefer: handling=lenient", () => {
  test("valid items are accepted and invalid ones returned with their faults, in the request's order", async () => {
    const who = await newPartner();
    const response = await post(who, [
      { ...PING, priority: 7, summary_id: "bad-priority" },
      PING,
      { ...PING, summary_id: "bad-url", callback_url: "http://10.0.0.1/" },
      { ...PING, user_id: "", source: 7, callback_url: "ftp://x" },
      null,
      { ...PING, summary_id: "held", priority: 0 },
    ]);
    expect(response.status).toBe(202);
    expect(response.headers.get("Preference-Applied")).toBe("handling=lenient");
    const answer = acceptedPingsSchema.parse(await response.json());
    const names = { partnerId: who.partnerId, userId: "user-1", source: "watch" };
    const rejected = (place: number, faults: [field: string, code: string][]) =>
      faults.map(([field, code]) => ({
        pointer: `/activity_files/${place}${field}`,
        code,
        detail: expect.any(String),
      }));
    expect(answer).toEqual({
      accepted: 2,
      files: [
        {
          file_id: fileId({ ...names, summaryId: "bad-priority" }),
          user_id: "user-1",
          source: "watch",
          summary_id: "bad-priority",
          status: "rejected",
          errors: rejected(0, [["/priority", "invalid_value"]]),
        },
        expect.objectContaining({ summary_id: "good", status: "queued" }),
        expect.objectContaining({
          summary_id: "bad-url",
          status: "rejected",
          errors: rejected(2, [["/callback_url", "address_refused"]]),
        }),
        {
          file_id: null,
          user_id: null,
          source: null,
          summary_id: "good",
          status: "rejected",
          errors: rejected(3, [
            ["/user_id", "too_short"],
            ["/source", "invalid_type"],
            ["/callback_url", "invalid_callback"],
          ]),
        },
        expect.objectContaining({ file_id: null, status: "rejected" }),
        expect.objectContaining({ summary_id: "held", status: "held" }),
      ],
    });
    await project(who, [PING]);
    expect((await read(who, "/api/files/"))["data"]).toHaveLength(2);
  });

  test("a list with only invalid items returns 202 and accepts nothing", async () => {
    const who = await newPartner();
    const answer = acceptedPingsSchema.parse(await (await post(who, [{}, 7])).json());
    expect(answer).toMatchObject({ accepted: 0, files: [{ status: "rejected" }, { status: "rejected" }] });
    expect((await read(who, "/api/files/"))["data"]).toEqual([]);
  });

  test("a fault of the request itself still rejects the whole request", async () => {
    const who = await newPartner();
    for (const items of ["text", {}, [], null]) {
      const refused = await problemOf(await post(who, items), 400, "validation_failed");
      expect(faultsOf(refused)[0]?.[0]).toBe("/activity_files");
    }
    await problemOf(await post(who, Array(5_001).fill(PING)), 413, "too_many_items");
  });

  test("a repetition with an Idempotency-Key gets the same response, including rejected items", async () => {
    const who = await newPartner();
    const items = [{ ...PING, priority: 7 }, PING, { ...PING, callback_url: "nonsense!" }];
    const first: unknown = await (await post(who, items, "handling=lenient", "key")).json();
    expect(await (await post(who, items, "handling=lenient", "key")).json()).toEqual(first);
  });

  test("other values of the Prefer header do not enable lenient handling", async () => {
    const who = await newPartner();
    for (const prefer of [
      "handling=strict",
      "lenient",
      "handling",
      "x-handling=lenient",
      'foo="handling=lenient"',
    ]) {
      const refused = await post(who, [PING, {}], prefer);
      expect(refused.headers.get("Preference-Applied")).toBeNull();
      await problemOf(refused, 400, "validation_failed");
    }
  });
});
