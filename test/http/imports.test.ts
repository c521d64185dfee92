import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { app } from "../../src/http/app.ts";
import { pageOf } from "../../src/http/pages.ts";
import { taskResponseSchema, importSchema } from "../../src/imports/import.ts";
import { NO_EVENT_URL } from "../../src/imports/warnings.pure.ts";
import { countsOf } from "../../src/imports/counts.pure.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { NOON, seedDelivery, seedImport, seedMissing, UNKNOWN_ID } from "../support/rows.ts";
import { databaseOf } from "../support/databases.ts";
import { guardsItself } from "./strangers.ts";

const page = pageOf("ImportPage", importSchema);

const userOf = (partner: TestPartner, userId = "user-1", source = "garmin") => ({
  partnerId: partner.partnerId,
  userId,
  source,
});

const one = async (partner: TestPartner, id: string) =>
  answerOf(await send(partner, "GET", `/api/imports/${id}/`), 200, importSchema);

guardsItself("listing imports", {
  method: "GET",
  paths: () => Promise.resolve({ path: "/api/imports/", unknown: null }),
});
guardsItself("reading an import", {
  method: "GET",
  paths: async (owner) => {
    const id = await seedImport(userOf(owner));
    return { path: `/api/imports/${id}/`, unknown: `/api/imports/${UNKNOWN_ID}/` };
  },
});

describe("an import", () => {
  test("has the fields of the task's response and its progress", async () => {
    const partner = await newPartner({ event_url: "https://partner.example.com/events" });
    const import_id = await seedImport(userOf(partner), {
      is_initial_import: 1,
      event_id: "e-1",
      status: "completed_with_failures",
      total: 10,
      imported: 7,
      skipped: 2,
      failed: 1,
      completed_at: NOON + 1500,
    });
    await seedMissing(partner.partnerId, import_id, ["never-came"]);
    await seedDelivery(partner.partnerId, `plan_${import_id}`, {
      kind: "training_plan",
      status: "delivered",
    });
    await seedDelivery(partner.partnerId, `evt_${import_id}`, { status: "failed", attempt_count: 10 });
    expect(await one(partner, import_id)).toEqual({
      import_id,
      user_id: "user-1",
      source: "garmin",
      is_initial_import: true,
      event_id: "e-1",
      status: "completed_with_failures",
      files: { ...countsOf({ total: 10, imported: 7, skipped: 2, failed: 1 }), pending: 0 },
      missing_summary_ids: ["never-came"],
      repeated: false,
      warnings: [],
      requested_at: "2026-06-01T12:00:00.000Z",
      updated_at: "2026-06-01T12:00:00.000Z",
      completed_at: "2026-06-01T12:00:01.500Z",
      training_plan: { status: "delivered" },
      event: { status: "failed", attempts: 10 },
    });
  });

  test("shows the status of its plan request and event", async () => {
    const partner = await newPartner();
    for (const [stored, plan, event] of [
      ["waiting", "requested", "pending"],
      ["pending", "requested", "pending"],
      ["recorded", "requested", "pending"],
      ["delivered", "delivered", "delivered"],
      ["failed", "failed", "failed"],
    ] as const) {
      const import_id = await seedImport(userOf(partner));
      await seedDelivery(partner.partnerId, `plan_${import_id}`, { kind: "training_plan", status: stored });
      await seedDelivery(partner.partnerId, `evt_${import_id}`, { status: stored });
      const read = await one(partner, import_id);
      expect([read.training_plan?.status, read.event?.status]).toEqual([plan, event]);
    }
    const bare = await one(partner, await seedImport(userOf(partner)));
    expect([bare.training_plan, bare.event]).toEqual([null, null]);
  });

  test("has its collector's counts while it runs, or the read model's if the collector is unreachable", async () => {
    const partner = await newPartner();
    const row = { status: "running", completed_at: null, total: 9, imported: 1, skipped: 1, failed: 0 };
    const import_id = await seedImport(userOf(partner), row);
    const readWith = async (readImport: () => Promise<unknown>) => {
      const COLLECTOR = { getByName: () => ({ readImport }) };
      const response = await app.request(
        `/api/imports/${import_id}/`,
        { headers: partner.headers },
        { ...env, COLLECTOR },
      );
      return (await answerOf(response, 200, importSchema)).files;
    };
    const now = countsOf({ total: 9, imported: 4, skipped: 1, failed: 2 });
    expect(await readWith(() => Promise.resolve(now))).toEqual({ ...now, pending: 2 });
    const older = { ...countsOf({ total: 9, imported: 1, skipped: 1 }), pending: 7 };
    expect(await readWith(() => Promise.resolve(null))).toEqual(older);
    expect(await readWith(() => Promise.reject(new Error("overloaded")))).toEqual(older);
  });

  test("equals the task's response right after the task", async () => {
    const partner = await newPartner();
    const answer = await answerOf(
      await send(partner, "POST", "/api/task_partner/", {
        body: {
          bulk_fit_transfer_complete: true,
          source: "s",
          is_initial_import: false,
          user_id: "u",
          event_id: "e",
        },
      }),
      202,
      taskResponseSchema,
    );
    expect(answer.warnings).toEqual(["nothing_held", NO_EVENT_URL]);
    expect(await one(partner, answer.import_id)).toMatchObject(answer);
  });
});

describe("a list of imports", () => {
  const list = async (partner: TestPartner, query = "") =>
    answerOf(await send(partner, "GET", `/api/imports/${query}`), 200, page);

  test("is sorted newest first and complete over all pages", async () => {
    const partner = await newPartner();
    await seedImport(userOf(await newPartner()));
    const seeded: { id: string; at: number }[] = [];
    for (let index = 0; index < 7; index += 1) {
      const at = NOON - Math.floor(index / 3);
      seeded.push({ at, id: await seedImport(userOf(partner, `u-${index % 2}`), { requested_at: at }) });
    }
    seeded.sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const next = await list(partner, `?limit=2${cursor === null ? "" : `&cursor=${cursor}`}`);
      found.push(...next.data.map((row) => row.import_id));
      cursor = next.next_cursor;
    } while (cursor !== null);
    expect(found).toEqual(seeded.map((row) => row.id));
  });

  test("does not contain missing_summary_ids; only a single import does", async () => {
    const partner = await newPartner();
    await seedMissing(partner.partnerId, await seedImport(userOf(partner)), ["never-came"]);
    expect((await list(partner)).data[0]).not.toHaveProperty("missing_summary_ids");
  });

  test("can be filtered by user, source and status", async () => {
    const partner = await newPartner();
    const a = await seedImport(userOf(partner, "u1", "garmin"), { requested_at: 3 });
    const b = await seedImport(userOf(partner, "u1", "wahoo"), { requested_at: 2, status: "running" });
    const c = await seedImport(userOf(partner, "u2", "wahoo"), { requested_at: 1 });
    const ids = async (query: string) => (await list(partner, query)).data.map((row) => row.import_id);
    expect(await ids("?user_id=u1")).toEqual([a, b]);
    expect(await ids("?source=wahoo")).toEqual([b, c]);
    expect(await ids("?status=running")).toEqual([b]);
  });

  test("is sorted by change with updated_since, for a partner and for one user", async () => {
    const partner = await newPartner();
    const ids: string[] = [];
    for (let index = 0; index < 6; index += 1) {
      const names = userOf(partner, index === 4 ? "u2" : "u1");
      const times = { requested_at: NOON - index, updated_at: NOON + Math.floor(index / 2) };
      ids.push(await seedImport(names, times));
    }
    const pairs = [ids.slice(0, 2).sort(), ids.slice(2, 4).sort(), ids.slice(4).sort()];
    const sinceOf = (ms: number) => `updated_since=${new Date(ms).toISOString()}`;
    const walkAll = async (query: string) => {
      const found: string[] = [];
      let cursor: string | null = null;
      do {
        const next = await list(partner, `?limit=2&${query}${cursor === null ? "" : `&cursor=${cursor}`}`);
        found.push(...next.data.map((row) => row.import_id));
        cursor = next.next_cursor;
      } while (cursor !== null);
      return found;
    };
    expect(await walkAll(sinceOf(NOON))).toEqual(pairs.flat());
    expect(await walkAll(sinceOf(NOON + 1))).toEqual(pairs.slice(1).flat());
    expect(await walkAll(`user_id=u1&${sinceOf(NOON)}`)).toEqual(pairs.flat().filter((id) => id !== ids[4]));
    const first = await list(partner, `?limit=2&${sinceOf(NOON)}`);
    await problemOf(
      await send(partner, "GET", `/api/imports/?cursor=${first.next_cursor}`),
      400,
      "validation_failed",
    );
  });

  test("returns an import again when its counts change, and when its event is delivered", async () => {
    const partner = await newPartner({ event_url: "https://partner.example.com/events" });
    const import_id = await seedImport(userOf(partner), { event_id: "e", updated_at: 1 });
    const changed = async () =>
      (await list(partner, `?updated_since=2026-01-01T00:00:00Z`)).data.map((row) => row.import_id);
    expect(await changed()).toEqual([]);
    await seedDelivery(partner.partnerId, `evt_${import_id}`, { import_id, status: "pending" });
    const db = databaseOf(partner);
    await db
      .prepare("UPDATE deliveries SET next_attempt_at = 5, updated_at = ? WHERE import_id = ?")
      .bind(NOON + 1, import_id)
      .run();
    expect(await changed()).toEqual([]);
    await db
      .prepare(
        "UPDATE deliveries SET status = 'delivered', attempt_count = 1, updated_at = ? WHERE import_id = ?",
      )
      .bind(NOON + 2, import_id)
      .run();
    expect(await changed()).toEqual([import_id]);
  });
});
