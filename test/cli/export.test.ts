import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { fileId, newImportId } from "../../src/identifiers.ts";
import { applyMigrations, openLocalStores, type LocalStores } from "../../src/cli/localState.ts";
import { openLocalBucket } from "../support/localBucket.ts";
import { runNode } from "./commandRun.ts";

const SLOW = 300_000;
let state: string;
let folder: string;

const partner = async (...args: string[]) =>
  runNode(["src/cli/commands/partner.ts", ...args, "--state", state]);
const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
const nameOf = (userId: string, summaryId: string) =>
  fileId({ partnerId: "acme", userId, source: "watch", summaryId });

/** Returns the database of a partner: the second one for `acme`. */
function databaseIn({ databases }: LocalStores, partnerId: string): D1Database {
  const name = partnerId === "acme" ? "DB_2" : "DB";
  const found = databases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`${name} is not open`);
  return found.database;
}

beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), "export-state-"));
  folder = await mkdtemp(path.join(tmpdir(), "export-"));
  expect(await partner("create", "acme", "--name=Acme", "--database=DB_2")).toMatchObject({ exitCode: 0 });
  expect(await partner("create", "other", "--database=DB")).toMatchObject({ exitCode: 0 });
  const stores = await openLocalStores(state);
  const bucket = await openLocalBucket(state);
  if (!stores.ok) throw new Error("the stores do not open");
  for (const { database } of stores.databases) await applyMigrations(database);
  for (const [partnerId, userId, summaryId] of [
    ["acme", "anna", "ride"],
    ["acme", "anna", "walk"],
    ["acme", "ben", "ride"],
    ["other", "anna", "ride"],
  ] as const) {
    const id = fileId({ partnerId, userId, source: "watch", summaryId });
    const bytes = new TextEncoder().encode(`${partnerId} ${userId} ${summaryId}`);
    const failed = summaryId === "walk";
    await bucket.bucket.put(`${partnerId}/${id}`, bytes);
    const database = databaseIn(stores, partnerId);
    await database.batch([
      database
        .prepare(
          `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode,
             start_time_in_seconds, status, version, revision, object_key, failed_object_key, sha256, size_in_bytes, error,
             received_at, updated_at)
           VALUES (?, ?, ?, 'watch', ?, 1, 0, '1760000000', ?, 1, 1, ?, ?, ?, ?, ?, 1760000000000, 1760000000000)`,
        )
        .bind(
          partnerId,
          id,
          userId,
          summaryId,
          failed ? "failed" : "imported",
          failed ? null : `${partnerId}/${id}`,
          failed ? `${partnerId}/${id}` : null,
          sha256(bytes),
          bytes.byteLength,
          failed ? JSON.stringify({ code: "not_fit", detail: "", http_status: null, retryable: true }) : null,
        ),
      database
        .prepare(
          `INSERT INTO users (partner_id, user_id, last_ping_at, created_at) VALUES (?, ?, 1760000000000, 1760000000000)
           ON CONFLICT DO NOTHING`,
        )
        .bind(partnerId, userId),
    ]);
  }
  const importId = newImportId("acme", "anna", "watch");
  const database = databaseIn(stores, "acme");
  await database.batch([
    database
      .prepare(
        `INSERT INTO imports (partner_id, import_id, user_id, source, is_initial_import, status, total, imported, skipped,
           failed, after_version, through_version, revision, requested_at, updated_at)
         VALUES ('acme', ?, 'anna', 'watch', 1, 'running', 1, 0, 0, 0, 0, 0, 1, 1760000000000, 1760000000000)`,
      )
      .bind(importId),
    database
      .prepare(
        `INSERT INTO deliveries (partner_id, delivery_id, kind, type, user_id, body, status, created_at, updated_at)
         VALUES ('acme', ?, 'event', 'test.ping', 'anna', '{"type":"test.ping","timestamp":"2025-10-09T08:53:20.000Z","data":{}}', 'delivered', 1760000000000, 1760000000000)`,
      )
      .bind(`evt_${importId}`),
    database
      .prepare(
        `INSERT INTO activities (partner_id, file_id, session_index, version, sport, start_time_in_seconds, summary, created_at)
         VALUES ('acme', ?, 0, 1, 'cycling', 1760000000, '', 1760000000000)`,
      )
      .bind(nameOf("anna", "ride")),
  ]);
  await bucket.close();
  await stores.close();
}, SLOW);

afterAll(async () => {
  await rm(state, { recursive: true });
  await rm(folder, { recursive: true });
});

const linesOf = async (name: string, in_ = folder) =>
  (await readFile(path.join(in_, name), "utf8"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line)));

/** Checks every line of the manifest against its file, as sha256sum -c does. Returns the names. */
async function checkedManifest(in_: string): Promise<string[]> {
  const lines = (await readFile(path.join(in_, "manifest.sha256"), "utf8")).trimEnd().split("\n");
  for (const line of lines) {
    const [hash = "", name = ""] = line.split("  ");
    expect(sha256(await readFile(path.join(in_, name))), name).toBe(hash);
  }
  return lines.map((line) => line.split("  ")[1] ?? "").toSorted();
}

test(
  "export writes a partner's rows and original bytes with their hashes, and continues after an interruption",
  async () => {
    const first = await partner("export", "acme", "--to", folder, "--json");
    expect({ exitCode: first.exitCode, err: first.err }).toEqual({ exitCode: 0, err: "" });
    expect(JSON.parse(first.out)).toEqual({
      rows: { files: 3, activities: 1, imports: 1, events: 1, users: 2 },
      originals: 3,
      kept: 0,
      damaged: [],
    });
    const rideOfAnna = nameOf("anna", "ride");
    expect(await readFile(path.join(folder, "originals", rideOfAnna), "utf8")).toBe("acme anna ride");
    expect(await checkedManifest(folder)).toEqual(
      [
        ...["activities", "events", "files", "imports", "users"].map((list) => `${list}.jsonl`),
        `originals/${rideOfAnna}`,
        `originals/${nameOf("anna", "walk")}.failed`,
        `originals/${nameOf("ben", "ride")}`,
        "partner.json",
      ].toSorted(),
    );
    expect(await linesOf("files.jsonl")).toContainEqual(
      expect.objectContaining({
        summary_id: "walk",
        status: "failed",
        overwrite_mode: false,
        error: { code: "not_fit", detail: "", http_status: null, retryable: true },
        warnings: [],
        received_at: "2025-10-09T08:53:20.000Z",
      }),
    );
    expect(await linesOf("activities.jsonl")).toMatchObject([
      {
        activity_id: `${rideOfAnna}.0`,
        user_id: "anna",
        source: "watch",
        summary_id: "ride",
        sport: "cycling",
        distance_in_meters: null,
      },
    ]);
    const settings = await readFile(path.join(folder, "partner.json"), "utf8");
    expect(settings).not.toMatch(/digest|whsec_/);

    // As after an interruption: one original is missing, one is cut short.
    await rm(path.join(folder, "originals", rideOfAnna));
    await writeFile(path.join(folder, "originals", nameOf("ben", "ride")), "acme b");
    const second = await partner("export", "acme", "--to", folder, "--json");
    expect(JSON.parse(second.out)).toMatchObject({ originals: 3, kept: 1, damaged: [] });
    await checkedManifest(folder);
    expect(await readFile(path.join(folder, "originals", nameOf("ben", "ride")), "utf8")).toBe(
      "acme ben ride",
    );
  },
  SLOW,
);

test(
  "export of a user contains only this user's data",
  async () => {
    const of = path.join(folder, "anna");
    const run = await partner("export", "acme", "--to", of, "--user", "anna", "--json");
    expect(JSON.parse(run.out)).toMatchObject({
      rows: { files: 2, activities: 1, imports: 1, events: 1, users: 1 },
      originals: 2,
    });
    expect((await linesOf("files.jsonl", of)).map((row) => row["user_id"])).toEqual(["anna", "anna"]);
    expect(await readdir(of)).not.toContain("partner.json");
  },
  SLOW,
);

test(
  "export of a user who does not exist fails and writes nothing",
  async () => {
    const of = path.join(folder, "nobody");
    expect(await partner("export", "acme", "--to", of, "--user", "nobody")).toEqual({
      exitCode: 1,
      out: "",
      err: 'The partner acme has no user "nobody". Nothing was written.\n',
    });
    await expect(readdir(of)).rejects.toMatchObject({ code: "ENOENT" });
  },
  SLOW,
);

test(
  "export names the files with damaged bytes and fails",
  async () => {
    const bucket = await openLocalBucket(state);
    const id = nameOf("ben", "ride");
    await bucket.bucket.put(`acme/${id}`, "other bytes");
    await bucket.close();
    const run = await partner("export", "acme", "--to", path.join(folder, "ben"), "--user", "ben");
    expect(run).toMatchObject({
      exitCode: 1,
      err: `The bytes of 1 files are missing or damaged: ${id}.\n`,
    });
  },
  SLOW,
);

test(
  "a lost registry is made again from its backup, and partners that exist stay as they are",
  async () => {
    const file = path.join(folder, "backup.json");
    expect(await partner("backup", file)).toMatchObject({ exitCode: 0 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const before = await partner("show", "acme", "--json");
    const stores = await openLocalStores(state);
    if (!stores.ok) throw new Error("the stores do not open");
    await stores.partners.delete("partner:acme");
    await databaseIn(stores, "acme")
      .prepare("INSERT INTO partner_usage (partner_id, files, stored_bytes) VALUES ('acme', 3, 40)")
      .run();
    await stores.close();
    expect(await partner("set", "other", "--name=Newer")).toMatchObject({ exitCode: 0 });

    const restored = await partner("restore", file, "--json");
    expect(JSON.parse(restored.out)).toEqual({ restored: ["acme"], present: ["other"], removed: [] });
    expect(await partner("show", "acme", "--json")).toEqual(before);
    expect((await partner("show", "other")).out).toContain("Newer");
    const again = await openLocalStores(state);
    if (!again.ok) throw new Error("the stores do not open");
    const usage = await databaseIn(again, "acme")
      .prepare("SELECT due_since FROM partner_usage")
      .first<{ due_since: number }>();
    expect(usage?.due_since).toBeGreaterThan(0);
    await again.close();
  },
  SLOW,
);
