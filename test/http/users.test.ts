import { describe, expect, test } from "vitest";
import { pageOf } from "../../src/http/pages.ts";
import { userSchema, userWithSourcesSchema } from "../../src/users/user.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { NOON, seedFile, seedImport, seedUser } from "../support/rows.ts";
import { guardsItself } from "./strangers.ts";

const page = pageOf("UserPage", userSchema);

guardsItself("listing users", {
  method: "GET",
  paths: () => Promise.resolve({ path: "/api/users/", unknown: null }),
});
guardsItself("reading a user", {
  method: "GET",
  paths: async (owner) => {
    await seedUser(owner.partnerId, "known");
    return { path: "/api/users/known/", unknown: "/api/users/unknown/" };
  },
});

guardsItself("reading a user's training", {
  method: "GET",
  paths: async (owner) => {
    await seedUser(owner.partnerId, "known");
    return { path: "/api/users/known/training/", unknown: "/api/users/unknown/training/" };
  },
});

guardsItself("erasing a user", {
  method: "DELETE",
  paths: async (owner) => {
    await seedUser(owner.partnerId, "known");
    return { path: "/api/users/known/", unknown: "/api/users/unknown/" };
  },
});

test("an erased user is unknown at once, and its unusual id is echoed byte by byte", async () => {
  const partner = await newPartner();
  await seedUser(partner.partnerId, "a/b %2F");
  await seedUser(partner.partnerId, "a");
  const path = `/api/users/${encodeURIComponent("a/b %2F")}/`;
  const erased = await send(partner, "DELETE", path);
  expect(erased.status).toBe(202);
  expect(await erased.json()).toEqual({ user_id: "a/b %2F", status: "deleting" });
  await problemOf(await send(partner, "GET", path), 404, "not_found");
  await problemOf(await send(partner, "DELETE", path), 404, "not_found");
  expect((await send(partner, "GET", "/api/users/a/")).status).toBe(200);
});

describe("users", () => {
  const one = async (partner: TestPartner, userId: string) =>
    answerOf(
      await send(partner, "GET", `/api/users/${encodeURIComponent(userId)}/`),
      200,
      userWithSourcesSchema,
    );

  test("are counted by source and status, with held files and running imports", async () => {
    const partner = await newPartner();
    const user = { partnerId: partner.partnerId, userId: "u" };
    await seedUser(partner.partnerId, "u");
    const file = (source: string, summaryId: string, columns: Record<string, string | number>) =>
      seedFile({ ...user, source, summaryId }, columns);
    await file("garmin", "a", { activity_count: 3, received_at: NOON + 4 });
    await file("garmin", "b", { status: "failed", received_at: NOON });
    await file("garmin", "e", { status: "skipped", received_at: NOON });
    await file("garmin", "c", { status: "held", version: 50, received_at: NOON + 1 });
    await file("garmin", "d", { status: "held", version: 5_000, received_at: NOON + 3 });
    await file("wahoo", "a", { status: "held", version: 50, received_at: NOON + 2 });
    await seedFile({ ...user, userId: "other", source: "garmin", summaryId: "x" });
    const running = await seedImport(
      { ...user, source: "garmin" },
      { status: "running", after_version: 0, through_version: 100 },
    );
    await seedImport({ ...user, source: "garmin" });
    expect(await one(partner, "u")).toEqual({
      user_id: "u",
      created_at: "2026-06-01T12:00:00.000Z",
      last_ping_at: "2026-06-01T12:00:00.000Z",
      capped: false,
      sources: [
        {
          source: "garmin",
          files: { total: 5, held: 1, queued: 1, imported: 1, failed: 1, skipped: 1 },
          activities: 3,
          last_ping_at: "2026-06-01T12:00:00.004Z",
          oldest_held_received_at: "2026-06-01T12:00:00.003Z",
        },
        {
          source: "wahoo",
          files: { total: 1, held: 1, queued: 0, imported: 0, failed: 0, skipped: 0 },
          activities: 0,
          last_ping_at: "2026-06-01T12:00:00.002Z",
          oldest_held_received_at: "2026-06-01T12:00:00.002Z",
        },
      ],
      running_import_ids: [running],
      held: 2,
      oldest_held_received_at: "2026-06-01T12:00:00.002Z",
    });
  });

  test("are found by unusual ids", async () => {
    const partner = await newPartner();
    for (const name of [
      "a/b",
      "%2F",
      "%",
      "a?b#c",
      "ü\u{1f6b4}",
      "__proto__",
      " ",
      "a\\b",
      "...",
      "%ff",
      "a+b",
    ]) {
      await seedUser(partner.partnerId, name);
      expect((await one(partner, name)).user_id).toBe(name);
    }
    for (const path of ["/api/users/%00/", "/api/users/%ED%A0%80/", `/api/users/${"x".repeat(3000)}/`]) {
      await problemOf(await send(partner, "GET", path), 404, "not_found");
    }
  });

  test("are listed by id, complete over all pages", async () => {
    const partner = await newPartner();
    await seedUser((await newPartner()).partnerId, "foreign");
    for (const name of ["b", "ä", "B", "a", "10", "9"]) await seedUser(partner.partnerId, name);
    const list = async (query: string) =>
      answerOf(await send(partner, "GET", `/api/users/?limit=2${query}`), 200, page);
    const pages = [await list("")];
    for (let next = pages[0]?.next_cursor; next != null; next = pages.at(-1)?.next_cursor) {
      pages.push(await list(`&cursor=${next}`));
    }
    const found = pages.flatMap(({ data }) => data.map((user) => user.user_id));
    expect(found).toEqual(["10", "9", "B", "a", "b", "ä"]);
  });

  test("are listed by the beginning of their ids, complete over all pages", async () => {
    const partner = await newPartner();
    for (const name of [
      "rider-1",
      "rider-10",
      "rider-2",
      "Rider-3",
      "ride",
      "rider_",
      "walker",
      "rider-🚴",
    ]) {
      await seedUser(partner.partnerId, name);
    }
    const list = async (query: string) =>
      answerOf(await send(partner, "GET", `/api/users/?${query}`), 200, page);
    const first = await list("limit=2&user_id_prefix=rider-");
    const second = await list(`limit=2&user_id_prefix=rider-&cursor=${first.next_cursor}`);
    expect([...first.data, ...second.data].map((user) => user.user_id)).toEqual([
      "rider-1",
      "rider-10",
      "rider-2",
      "rider-🚴",
    ]);
    expect(second.next_cursor).toBeNull();
    expect((await list("user_id_prefix=rider-1")).data.map((user) => user.user_id)).toEqual([
      "rider-1",
      "rider-10",
    ]);
    expect((await list("user_id_prefix=%25")).data).toEqual([]);
    await problemOf(await send(partner, "GET", "/api/users/?user_id_prefix="), 400, "validation_failed");
  });
});
