import { afterEach, describe, expect, test, vi } from "vitest";
import { reportLineSchema } from "../../src/imports/report/lines.ts";
import { databaseOf } from "../support/databases.ts";
import { send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { seedActivity, seedFile, seedImport, seedMissing, UNKNOWN_ID } from "../support/rows.ts";
import { guardsItself } from "./strangers.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const names = (who: TestPartner, summaryId: string) => ({
  partnerId: who.partnerId,
  userId: "user-1",
  source: "watch",
  summaryId,
});

guardsItself("reading a report", {
  method: "GET",
  paths: async (owner) => {
    const id = await seedImport(names(owner, ""));
    return { path: `/api/imports/${id}/report/`, unknown: `/api/imports/${UNKNOWN_ID}/report/` };
  },
});

async function linesOf(who: TestPartner, importId: string) {
  const response = await send(who, "GET", `/api/imports/${importId}/report/`);
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toBe("application/x-ndjson");
  const text = await response.text();
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => reportLineSchema.parse(JSON.parse(line)));
}

describe("a report", () => {
  test("has a line for each file of the import, and ends with starts, the longest gap and what never arrived", async () => {
    const who = await newPartner();
    const import_id = await seedImport(names(who, ""), { total: 4, imported: 2, failed: 1, skipped: 1 });
    await seedMissing(who.partnerId, import_id, ["never"]);
    const imported = async (name: string, start: number, sports: string[]) => {
      for (const [session_index, sport] of sports.entries()) {
        const start_time_in_seconds = start + session_index;
        const session_count = sports.length;
        await seedActivity(names(who, name), { session_index, session_count, sport, start_time_in_seconds });
      }
      await databaseOf(who)
        .prepare("UPDATE files SET import_id = ? WHERE partner_id = ? AND summary_id = ?")
        .bind(import_id, who.partnerId, name)
        .run();
    };
    await imported("ride", 1_000, ["cycling"]);
    await imported("triathlon", 9_000, ["swimming", "cycling"]);
    await imported("other", 3_000, ["running"]);
    const error = JSON.stringify({ code: "callback_gone", detail: "d", http_status: 404, retryable: true });
    await seedFile(names(who, "gone"), { status: "failed", error, import_id });
    await seedFile(names(who, "live"), {});
    const lines = await linesOf(who, import_id);
    const files = lines.flatMap((line) => (line.type === "file" ? [line] : []));
    expect(files.map((line) => line.file_id)).toEqual(files.map((line) => line.file_id).sort());
    expect(
      new Set(files.map((line) => JSON.stringify({ ...line, type: undefined, file_id: undefined }))),
    ).toEqual(
      new Set(
        [
          ["ride", "imported", null, 1_000, "cycling", 30_000],
          ["triathlon", "imported", null, 9_000, "multisport", 60_000],
          ["other", "imported", null, 3_000, "running", 30_000],
          ["gone", "failed", "callback_gone", null, null, null],
        ].map(([summary_id, status, error_code, start_time_in_seconds, sport, distance_in_meters]) =>
          JSON.stringify({
            summary_id,
            status,
            error_code,
            start_time_in_seconds,
            sport,
            distance_in_meters,
          }),
        ),
      ),
    );
    expect(lines.at(-1)).toEqual({
      type: "end",
      import_id,
      status: "completed",
      files: { total: 4, pending: 0, imported: 2, skipped: 1, failed: 1 },
      first_start_time_in_seconds: 1_000,
      last_start_time_in_seconds: 9_000,
      longest_gap: { start_time_in_seconds: 3_000, end_time_in_seconds: 9_000, duration_in_seconds: 6_000 },
      missing_summary_ids: ["never"],
    });
  });

  test("of an import without files is complete", async () => {
    const who = await newPartner();
    const import_id = await seedImport(names(who, ""), { total: 0, imported: 0 });
    expect(await linesOf(who, import_id)).toMatchObject([
      { type: "end", first_start_time_in_seconds: null, last_start_time_in_seconds: null, longest_gap: null },
    ]);
  });

  const many = async (who: TestPartner, count: number) => {
    const import_id = await seedImport(names(who, ""));
    for (let index = 0; index < count; index += 1)
      await seedFile(names(who, `ride-${index}`), { import_id, status: "queued" });
    return import_id;
  };

  test("is read page by page, and ends with an error if a store fails between two pages", async () => {
    const who = await newPartner();
    const import_id = await many(who, 501);
    expect(await linesOf(who, import_id)).toHaveLength(502);
    const db = databaseOf(who);
    const prepare = db.prepare.bind(db);
    let pages = 0;
    vi.spyOn(db, "prepare").mockImplementation((sql) => {
      if (sql.includes("f.activity_count") && (pages += 1) > 1) throw new Error("D1_ERROR: overloaded");
      return prepare(sql);
    });
    const broken = await linesOf(who, import_id);
    expect(broken).toHaveLength(501);
    expect(broken.at(-1)).toMatchObject({ type: "error", code: "store_unavailable" });
  });

  test("ends with an error if its user is erased meanwhile", async () => {
    const who = await newPartner();
    const import_id = await many(who, 1);
    const response = await send(who, "GET", `/api/imports/${import_id}/report/`);
    await databaseOf(who).prepare("DELETE FROM imports WHERE partner_id = ?").bind(who.partnerId).run();
    const last = (await response.text()).trimEnd().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({ type: "error", code: "not_found" });
  });

  test("counts the rows that it reads against the rate limit", async () => {
    const who = await newPartner({ limits: { requests_per_minute: 100, files_per_minute: null } });
    const import_id = await many(who, 1_200);
    const remaining = async () => {
      const response = await send(who, "GET", "/api/partner/");
      return Number(/"read";r=(\d+)/.exec(response.headers.get("RateLimit") ?? "")?.[1]);
    };
    const before = await remaining();
    await linesOf(who, import_id);
    expect(before - (await remaining())).toBeGreaterThanOrEqual(3);
  });
});
