import { afterEach, describe, expect, test, vi } from "vitest";
import { fileId } from "../../src/identifiers.ts";
import { LINES_BYTES } from "../../src/http/lineStream.ts";
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

const FILES = 5_000;

/** Repeats a file's rows of a table under other ids, until the import has `FILES` files. */
async function repeat(db: D1Database, table: string, fileId: string): Promise<void> {
  const row = await db.prepare(`SELECT * FROM ${table} WHERE file_id = ?`).bind(fileId).first();
  const columns = Object.keys(row ?? {});
  const values = columns.map((name) =>
    name === "file_id" ? "substr(t.file_id, 1, length(t.file_id) - 8) || printf('%08x', n.n)" : `t.${name}`,
  );
  await db
    .prepare(
      `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${FILES - 1})
       INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values.join(", ")} FROM ${table} t, n WHERE t.file_id = ?`,
    )
    .bind(fileId)
    .run();
}

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

  test("of 5,000 files has a line for each, and reads a page only when the caller has read the one before", async () => {
    const who = await newPartner();
    const import_id = await seedImport(names(who, ""), { total: FILES, imported: FILES });
    await seedActivity(names(who, "ride"), { start_time_in_seconds: 1_000 });
    const file_id = fileId(names(who, "ride"));
    const db = databaseOf(who);
    await db.prepare("UPDATE files SET import_id = ? WHERE file_id = ?").bind(import_id, file_id).run();
    for (const table of ["files", "activities"]) await repeat(db, table, file_id);
    const prepare = db.prepare.bind(db);
    let pages = 0;
    vi.spyOn(db, "prepare").mockImplementation((sql) => {
      if (sql.includes("f.activity_count")) pages += 1;
      return prepare(sql);
    });
    const response = await send(who, "GET", `/api/imports/${import_id}/report/`);
    let text = "";
    let read = 0;
    for await (const chunk of response.body ?? []) {
      expect(chunk.length).toBeLessThan(LINES_BYTES / 2);
      read += 1;
      expect(pages - read).toBeLessThanOrEqual(1);
      text += new TextDecoder().decode(chunk);
    }
    expect(pages).toBeGreaterThanOrEqual(10);
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => reportLineSchema.parse(JSON.parse(line)));
    const files = lines.flatMap((line) => (line.type === "file" ? [line.file_id] : []));
    expect(new Set(files).size).toBe(FILES);
    expect(lines).toHaveLength(FILES + 1);
    expect(lines.at(-1)).toMatchObject({ type: "end", first_start_time_in_seconds: 1_000 });
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
