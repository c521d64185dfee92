import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { Cloudflare } from "../../src/cli/cloudflare.ts";
import { remoteDatabases } from "../../src/cli/databases.ts";
import { fileId } from "../../src/identifiers.ts";
import { CloudflareApi } from "../support/cloudflareApi.ts";
import { runNode } from "./commandRun.ts";

const SLOW_MS = 300_000;
const MIGRATIONS = path.join(import.meta.dirname, "..", "..", "migrations");

let api: CloudflareApi;
let folder: string;
let second: DatabaseSync;

beforeEach(async () => {
  api = await CloudflareApi.start();
  folder = await mkdtemp(path.join(tmpdir(), "remote-"));
  const files = (await readdir(MIGRATIONS)).toSorted();
  const migrations = await Promise.all(
    files.map(async (file) => readFile(path.join(MIGRATIONS, file), "utf8")),
  );
  const opened = api.addWorker(migrations).get("DB_2");
  if (opened === undefined) throw new Error("DB_2 is not there");
  second = opened;
});
afterEach(async () => {
  vi.unstubAllEnvs();
  expect(api.unknown).toEqual([]);
  await api.close();
  await rm(folder, { recursive: true });
});

/** Runs npm run partner on the deployed service. */
async function partner(...args: string[]) {
  return runNode(["src/cli/commands/partner.ts", ...args, "--remote"], api.environment);
}

async function answerOf(...args: string[]): Promise<unknown> {
  const { exitCode, out, err } = await partner(...args, "--json");
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: "" });
  return JSON.parse(out);
}

const storedSchema = z.looseObject({ partner_id: z.string(), database: z.string() });
const stored = (partnerId: string) =>
  storedSchema.parse(JSON.parse(api.kv(`partner:${partnerId}`) ?? "null"));

test(
  "create, list, show, set, backup and restore keep the deployed registry, in pages and through status 429",
  async () => {
    api.keysPerPage = 2;
    for (const id of ["alpha", "bravo", "charlie"]) {
      api.throttled = 1;
      expect(await answerOf("create", id, "--database", "DB_2")).toMatchObject({ partner_id: id });
    }
    expect(stored("bravo")).toMatchObject({ database: "DB_2", limits: { requests_per_minute: 6_000 } });
    expect(await answerOf("create", "delta")).toMatchObject({ partner_id: "delta" });
    // Both databases have one size, and DB has no partner.
    expect(stored("delta").database).toBe("DB");
    expect(await partner("create", "delta")).toMatchObject({ exitCode: 1 });
    expect(await answerOf("list")).toMatchObject({
      data: ["alpha", "bravo", "charlie", "delta"].map((partner_id) => ({ partner_id })),
    });
    expect(await answerOf("set", "alpha", "--name", "Älpha")).toMatchObject({ name: "Älpha" });
    expect(await answerOf("show", "alpha")).toMatchObject({ name: "Älpha", status: "active" });

    const file = path.join(folder, "registry.json");
    expect(await answerOf("backup", file)).toEqual({ partners: 4 });
    const before = stored("charlie");
    for (const { values } of api.namespaces.values()) values.delete("partner:charlie");
    expect(await answerOf("restore", file)).toEqual({
      restored: ["charlie"],
      present: ["alpha", "bravo", "delta"],
      removed: [],
    });
    // The same settings under a new revision.
    expect(stored("charlie")).toEqual({ ...before, revision: 2 });
  },
  SLOW_MS,
);

const USERS = 1_200;

test(
  "remove begins the erasure of 1,200 users in few calls, and at the end deletes keys, settings and usage",
  async () => {
    await answerOf("create", "leaver", "--database", "DB_2");
    const file = path.join(folder, "registry.json");
    await answerOf("backup", file);
    const insert = second.prepare(
      "INSERT INTO users (partner_id, user_id, last_ping_at, created_at) VALUES (?, ?, 1, 1)",
    );
    for (let user = 0; user < USERS; user += 1) insert.run("leaver", `it's user ${user}`);
    insert.run("stayer", "user");
    for (const { values } of api.namespaces.values()) values.set("usage:leaver", "{}");

    api.requests.length = 0;
    expect(await answerOf("remove", "leaver")).toEqual({
      partner_id: "leaver",
      status: "removing",
      users: USERS,
    });
    expect(api.requests.filter((request) => request.startsWith("POST /d1/")).length).toBeLessThan(20);
    expect(second.prepare("SELECT count(*) n FROM erased WHERE partner_id = 'leaver'").get()).toEqual({
      n: USERS,
    });
    // The service's sweeps, and the end of requests in flight.
    second.exec("DELETE FROM users WHERE partner_id = 'leaver'");
    second.exec("UPDATE erased SET next_sweep_at = NULL, user_id = NULL, sweeps_left = 0");
    expect(await answerOf("remove", "leaver")).toMatchObject({ status: "removing", users: 0 });
    const [namespace] = api.namespaces.values();
    const suspended_at = new Date(Date.now() - 151_000).toISOString();
    second
      .prepare(
        "UPDATE partner_settings SET settings = json_set(settings, '$.suspended_at', ?) WHERE partner_id = 'leaver'",
      )
      .run(suspended_at);
    namespace?.values.set("partner:leaver", JSON.stringify({ ...stored("leaver"), suspended_at }));
    expect(await answerOf("remove", "leaver")).toEqual({ partner_id: "leaver", status: "removed" });
    expect([...(namespace?.values.keys() ?? [])]).toEqual([]);

    expect(await answerOf("restore", file)).toMatchObject({
      restored: [],
      removed: [{ partner_id: "leaver" }],
    });
    expect((await partner("create", "leaver", "--database", "DB")).err).toMatch(/^DB_2 has rows of leaver: /);
    await answerOf("create", "leaver");
    expect(stored("leaver").database).toBe("DB_2");

    // The new partner is younger than the removal, so its backup is restored.
    const young = path.join(folder, "young.json");
    await answerOf("backup", young);
    namespace?.values.clear();
    expect(await answerOf("restore", young)).toEqual({ restored: ["leaver"], present: [], removed: [] });
    // A backup from years ago, when the partner was in the other database, and no database has its settings any more.
    second.exec("DELETE FROM partner_settings WHERE partner_id = 'leaver'");
    const old = { ...stored("leaver"), created_at: "2020-01-01T00:00:00.000Z", database: "DB" };
    await writeFile(file, JSON.stringify({ partners: [old] }));
    namespace?.values.clear();
    expect((await partner("restore", file)).out).toMatch(
      /^Restored 0 partners\. 0 existed and stay as they are\.\nSkipped leaver: it was removed at \S+Z\.\n--with-removed /,
    );
    const forced = await answerOf("restore", file, "--with-removed");
    expect(forced).toEqual({ restored: ["leaver"], present: [], removed: [] });
    expect(stored("leaver")).toEqual({ ...old, database: "DB_2", revision: 3 });
  },
  SLOW_MS,
);

/** Adds an imported file with these bytes, and its user. */
function addFile(userId: string, summaryId: string, bytes: Buffer): string {
  second
    .prepare(
      "INSERT OR IGNORE INTO users (partner_id, user_id, last_ping_at, created_at) VALUES ('acme', ?, 1, 1)",
    )
    .run(userId);
  const id = fileId({ partnerId: "acme", userId, source: "watch", summaryId });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  second
    .prepare(
      `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode, start_time_in_seconds,
         status, version, revision, object_key, sha256, size_in_bytes, received_at, updated_at)
       VALUES ('acme', ?, ?, 'watch', ?, 1, 0, '1760000000', 'imported', 1, 1, ?, ?, ?, 1760000000000, 1760000000000)`,
    )
    .run(id, userId, summaryId, `acme/${id}`, sha256, bytes.byteLength);
  api.objects.set(`partner-api-files/acme/${id}`, bytes);
  return id;
}

test(
  "export streams a partner's originals byte for byte from a bucket with a jurisdiction, and names missing ones",
  async () => {
    await answerOf("create", "acme", "--database", "DB_2");
    api.jurisdictions.set("partner-api-files", "eu");
    for (const binding of api.bindings()) if (binding.type === "r2_bucket") binding.jurisdiction = "eu";
    // More than one page, and a file of several chunks.
    const contents = Array.from({ length: 120 }, (_, index) => Buffer.alloc(1 + index * 7, index));
    contents.push(Buffer.alloc(300_000, "all bytes"));
    const ids = contents.map((bytes, index) =>
      addFile(index % 2 === 0 ? "anna" : "ben", `ride-${index}`, bytes),
    );
    api.throttled = 1;
    expect(await answerOf("export", "acme", "--to", folder)).toEqual({
      rows: { files: 121, activities: 0, imports: 0, events: 0, users: 2 },
      originals: 121,
      kept: 0,
      damaged: [],
    });
    for (const [index, id] of ids.entries()) {
      expect(await readFile(path.join(folder, "originals", id))).toEqual(contents[index]);
    }
    // The folder of one person has nothing of another one.
    const of = path.join(folder, "anna");
    expect(await answerOf("export", "acme", "--to", of, "--user", "anna")).toMatchObject({ originals: 61 });

    api.objects.delete(`partner-api-files/acme/${ids[3]}`);
    await writeFile(path.join(folder, "originals", ids[3] ?? ""), "cut");
    await rm(path.join(folder, "originals", ids[4] ?? ""));
    const again = await partner("export", "acme", "--to", folder);
    expect(again).toMatchObject({
      exitCode: 1,
      err: `The bytes of 1 files are missing or damaged: ${ids[3]}.\n`,
    });
    expect(again.out).toContain("and 120 originals (119 were complete)");
  },
  SLOW_MS,
);

test(
  "a fault of Cloudflare's API ends a command with its reason in one line",
  async () => {
    api.failures.set("GET /storage/kv", "Authentication error");
    expect(await partner("show", "acme")).toEqual({
      exitCode: 1,
      out: "",
      err: "Authentication error [code: 10000]\n",
    });
    api.versions.length = 0;
    expect(await partner("show", "acme")).toMatchObject({
      exitCode: 1,
      err: "The deployed Worker has no binding PARTNERS. Deploy it again.\n",
    });
  },
  SLOW_MS,
);

test("an unknown answer of a database is an error, not an empty result", async () => {
  for (const [name, value] of Object.entries(api.environment)) vi.stubEnv(name, value);
  const databases = await remoteDatabases(new Cloudflare("production", 1));
  const run = async () => databases.all[0]?.run("SELECT 1 AS a");
  expect(await run()).toEqual([{ a: 1 }]);
  for (const answer of ["Done.", "{}", '{"result":[]}', '{"result":[{"success":true}]}']) {
    vi.stubGlobal("fetch", async () => new Response(answer));
    await expect(run()).rejects.toThrow(/^Cloudflare's API returned an unknown answer/);
    vi.unstubAllGlobals();
  }
});

test("a call that gets status 429 or 503 or no response is repeated, and another fault is not", async () => {
  for (const [name, value] of Object.entries(api.environment)) vi.stubEnv(name, value);
  const cloudflare = new Cloudflare("production", 1);
  const respond: (() => Response)[] = [
    () => new Response("{}", { status: 429 }),
    () => new Response("{}", { status: 503 }),
    () => {
      throw new TypeError("fetch failed");
    },
    () => Response.json({ result: "done" }),
    () => Response.json({ errors: [{ code: 7_500, message: "no such table" }] }, { status: 400 }),
  ];
  vi.stubGlobal("fetch", async () => respond.shift()?.());
  expect(await cloudflare.result("GET", "/x")).toBe("done");
  await expect(cloudflare.result("GET", "/x")).rejects.toThrow("no such table [code: 7500]");
  expect(respond).toEqual([]);
  vi.unstubAllGlobals();
});
