import { describe, expect, test } from "vitest";
import { MAX_PINGS } from "../../src/contract/limits.ts";
import { itemFaults, judgePings, judgeRejected } from "../../src/pings/judgeItems.ts";
import { pingRequestSchema, pingSchema } from "../../src/pings/ping.ts";

const RULES = { local: false, allowedHosts: [], ownHosts: [] };
const PING = pingSchema.parse({
  file_type: "FIT",
  activity_name: null,
  priority: 1,
  user_id: "u",
  source: "s",
  overwrite_mode: false,
  start_time_in_seconds: "1760000000",
  callback_url: "https://files.example.com/f",
  summary_id: "x",
});
const PRIVATE = "http://10.0.0.1/f";

/** Judges a body as the route does: with its schema, then its callback URLs. */
async function judge(body: unknown) {
  const parsed = pingRequestSchema.safeParse(body);
  return parsed.success
    ? { faults: [], items: await judgePings(parsed.data.activity_files, RULES) }
    : judgeRejected(body, parsed.error.issues, RULES);
}

const pointers = (faults: readonly { pointer: string }[]) => faults.map(({ pointer }) => pointer);

describe("judging the items of a ping request", () => {
  test("reports faults of schema and callback_url with their item, in the request's order", async () => {
    const items: unknown[] = Array.from({ length: 12 }, () => PING);
    items[10] = { ...PING, priority: 7 };
    items[2] = { ...PING, callback_url: PRIVATE, priority: 7 };
    items[1] = { ...PING, callback_url: PRIVATE };
    const judged = await judge({ activity_files: items });
    expect(judged.items.flatMap((item, index) => (item.ok ? [] : [index]))).toEqual([1, 2, 10]);
    expect(judged.faults).toEqual([]);
    expect(pointers(itemFaults(judged.items))).toEqual([
      "/activity_files/1/callback_url",
      "/activity_files/2/priority",
      "/activity_files/2/callback_url",
      "/activity_files/10/priority",
    ]);
  });

  test("reports faults of callback URLs if the schema finds none", async () => {
    const { faults, items } = await judge({ activity_files: [PING, { ...PING, callback_url: PRIVATE }] });
    expect(faults).toEqual([]);
    expect(items).toEqual([
      { ok: true, ping: { ...PING, inline: null } },
      {
        ok: false,
        item: { ...PING, callback_url: PRIVATE },
        faults: [expect.objectContaining({ code: "address_refused" })],
      },
    ]);
  });

  test("reports a body without a list as a fault of the request", async () => {
    for (const body of [null, [], { activity_files: "x" }, { activity_files: [] }]) {
      const { faults, items } = await judge(body);
      expect(faults).toHaveLength(1);
      expect(items).toEqual([]);
    }
  });

  test("does not judge the items of a list that is too long", async () => {
    const items = Array.from({ length: MAX_PINGS + 1 }, () => ({ ...PING, callback_url: PRIVATE }));
    const judged = await judge({ activity_files: items });
    expect(judged.faults.map(({ code }) => code)).toEqual(["too_many_items"]);
    expect(judged.items).toEqual([]);
  });

  const namedBy = (names: (index: number) => object, length: number) =>
    Array.from({ length }, (_, index) => ({ ...PING, ...names(index), callback_url: PRIVATE }));

  test("does not judge the items of a list with too many users, each counted once for each source", async () => {
    const tooMany = namedBy((index) => ({ user_id: `u${index % 251}`, source: `s${index % 2}` }), MAX_PINGS);
    const judged = await judge({ activity_files: [...tooMany.slice(1), { user_id: 7, source: "s" }] });
    expect(judged.items).toEqual([]);
    expect(judged.faults).toEqual([
      {
        pointer: "/activity_files",
        code: "too_many_users",
        detail: expect.stringMatching(
          /^The request names 502 users.* 2 requests of at most 500 users each\.$/,
        ),
      },
    ]);
  });

  test("judges the items of a list with the maximum number of users", async () => {
    const names = (index: number) => ({ user_id: `u${index % 250}`, source: `s${index % 500 < 250}` });
    const most = namedBy(names, MAX_PINGS);
    const judged = await judge({ activity_files: most });
    expect(judged.faults).toEqual([]);
    expect(judged.items).toHaveLength(MAX_PINGS);
  });
});
