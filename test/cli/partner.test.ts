import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { applyMigrations, openLocalStores } from "../../src/cli/localState.ts";
import { COMMANDS, runCommand } from "../../src/cli/partnerCommands.ts";
import type { Request } from "../../src/cli/partnerRequest.ts";
import { runNode } from "./commandRun.ts";

/** Each command opens the local registry, which takes seconds on a busy machine. */
const SLOW = 60_000;

let state: string;
beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), "partners-"));
});
afterAll(async () => {
  await rm(state, { recursive: true });
});

const partner = async (...args: string[]) => runNode(["src/cli/commands/partner.ts", ...args]);
const local = async (...args: string[]) => partner(...args, "--state", state);

const credentialsSchema = z.strictObject({
  partner_id: z.string(),
  auth_key: z.string().regex(/^aep_[A-Za-z0-9_-]{43}$/),
  webhook_secret: z.string().regex(/^whsec_[A-Za-z0-9+/]{43}=$/),
});

test("create prints the key and the secret once; list and show do not print them", async () => {
  const created = await local(
    "create",
    "acme",
    "--json",
    "--name=Acme Cycling",
    "--event-url=http://127.0.0.1:9000/events",
    "--callback-host=files.acme.example",
    "--callback-host=CDN.acme.example",
  );
  expect({ exitCode: created.exitCode, err: created.err }).toEqual({ exitCode: 0, err: "" });
  const { partner_id, auth_key, webhook_secret } = credentialsSchema.parse(JSON.parse(created.out));
  expect(partner_id).toBe("acme");

  const shown = await local("show", "acme", "--json");
  expect(JSON.parse(shown.out)).toMatchObject({
    partner_id: "acme",
    name: "Acme Cycling",
    status: "active",
    event_url: "http://127.0.0.1:9000/events",
    callback_hosts: ["files.acme.example", "cdn.acme.example"],
    limits: { requests_per_minute: null, files_per_minute: null },
    keys: [{ expires_at: null }],
    webhook_secrets: [{ expires_at: null }],
  });

  const again = await local("create", "acme");
  expect(again).toEqual({
    exitCode: 1,
    out: "",
    err: "The partner acme already exists. Change it with set, or choose another id.\n",
  });

  const second = await local("create", "bravo");
  expect(second.out).toMatch(/^Partner-Id: {6}bravo\nKey: {13}aep_\S+\nWebhook secret: {2}whsec_\S+\n/);
  const listed = await local("list", "--json");
  const { data } = z
    .object({ data: z.array(z.object({ partner_id: z.string() })) })
    .parse(JSON.parse(listed.out));
  expect(data.map((entry) => entry.partner_id)).toEqual(["acme", "bravo"]);

  for (const answer of [shown, listed, await local("list")]) {
    expect(answer.exitCode).toBe(0);
    expect(answer.out).toContain("acme");
    expect(answer.out).not.toContain(auth_key);
    expect(answer.out).not.toContain(webhook_secret);
    expect(answer.out).not.toContain("digest");
  }
}, 120_000);

test(
  "an unknown partner is refused",
  async () => {
    expect(await local("show", "nobody")).toEqual({
      exitCode: 1,
      out: "",
      err: "No partner nobody exists. npm run partner -- list shows all of them.\n",
    });
  },
  SLOW,
);

const keysSchema = z.array(z.object({ key_id: z.string(), expires_at: z.string().nullable() }));
const rotatedKeySchema = z.strictObject({
  partner_id: z.string(),
  key_id: z.string(),
  auth_key: z.string().regex(/^aep_[A-Za-z0-9_-]{43}$/),
  old_keys: keysSchema,
});
const shownSchema = z.looseObject({ keys: keysSchema });

async function answerOf(...args: string[]): Promise<unknown> {
  const { exitCode, out, err } = await local(...args, "--json");
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: "" });
  return JSON.parse(out);
}

test("rotate-key keeps older keys for the overlap and prints the new one once; revoke-key ends a key", async () => {
  await answerOf("create", "keys");
  const before = Date.now();
  const { key_id, auth_key, old_keys } = rotatedKeySchema.parse(
    await answerOf("rotate-key", "keys", "--overlap", "2h"),
  );
  const [old] = old_keys;
  const overlapMs = Date.parse(old?.expires_at ?? "") - before;
  expect(overlapMs).toBeGreaterThanOrEqual(2 * 3_600_000);
  expect(overlapMs).toBeLessThan(2 * 3_600_000 + SLOW);

  const shown = await local("show", "keys", "--json");
  expect(shownSchema.parse(JSON.parse(shown.out)).keys.map((key) => [key.key_id, key.expires_at])).toEqual([
    [old?.key_id, old?.expires_at],
    [key_id, null],
  ]);
  expect(shown.out).not.toContain(auth_key);

  const left = shownSchema.parse(await answerOf("revoke-key", "keys", old?.key_id ?? ""));
  expect(left.keys.map((key) => key.key_id)).toEqual([key_id]);
  expect(await local("revoke-key", "keys", old?.key_id ?? "")).toEqual({
    exitCode: 1,
    out: "",
    err: `The partner keys has no valid key ${old?.key_id}. npm run partner -- show keys lists the key ids.\n`,
  });
  const last = await local("revoke-key", "keys", key_id);
  expect(last.out).toMatch(
    /The partner has no valid key now\. npm run partner -- rotate-key keys creates one\.\n$/,
  );
}, 120_000);

test("rotate-secret keeps the older secret for a day by default and prints the new one once", async () => {
  await answerOf("create", "secrets");
  const before = Date.now();
  const rotated = z
    .strictObject({
      partner_id: z.string(),
      secret_id: z.string(),
      webhook_secret: z.string().regex(/^whsec_/),
      old_secrets: z.tuple([z.object({ secret_id: z.string(), expires_at: z.string() })]),
    })
    .parse(await answerOf("rotate-secret", "secrets"));
  const overlapMs = Date.parse(rotated.old_secrets[0].expires_at) - before;
  expect(overlapMs).toBeGreaterThanOrEqual(24 * 3_600_000);
  expect(overlapMs).toBeLessThan(24 * 3_600_000 + SLOW);
  const shown = await local("show", "secrets", "--json");
  expect(JSON.parse(shown.out)).toMatchObject({
    webhook_secrets: [{ expires_at: rotated.old_secrets[0].expires_at }, { secret_id: rotated.secret_id }],
  });
  expect(shown.out).not.toContain(rotated.webhook_secret);
}, 120_000);

test("set changes or clears the given settings and keeps the others", async () => {
  await answerOf("create", "settings", "--name=Before", "--event-url=http://127.0.0.1:9000/events");
  const given = await answerOf(
    "set",
    "settings",
    "--callback-host=a.example",
    "--callback-host=B.example",
    "--source=watch",
    "--source=phone, the old one",
    "--prefetch-held=on",
    "--requests-per-minute=600",
    "--files-per-minute=9000",
  );
  expect(given).toMatchObject({
    name: "Before",
    event_url: "http://127.0.0.1:9000/events",
    callback_hosts: ["a.example", "b.example"],
    source_order: ["watch", "phone, the old one"],
    prefetch_held: true,
    limits: { requests_per_minute: 600, files_per_minute: 9_000 },
  });
  const cleared = await answerOf(
    "set",
    "settings",
    "--name=none",
    "--event-url=none",
    "--callback-host=none",
    "--source=none",
    "--files-per-minute=none",
  );
  expect(cleared).toMatchObject({
    name: null,
    event_url: null,
    callback_hosts: [],
    source_order: [],
    prefetch_held: true,
    limits: { requests_per_minute: 600, files_per_minute: null },
  });
  expect(await answerOf("set", "settings", "--prefetch-held=off")).toMatchObject({ prefetch_held: false });
  expect(await answerOf("suspend", "settings")).toMatchObject({ status: "suspended" });
  expect(await answerOf("resume", "settings")).toMatchObject({ status: "active", name: null });
}, 120_000);

describe("npm run partner exits with code 2 and one line for", () => {
  test.each<[string, string[], RegExp]>([
    [
      "an unknown command",
      ["destroy", "acme"],
      /^Unknown command "destroy"\. Commands: create, list, show, set, /,
    ],
    [
      "an unknown flag",
      ["list", "--verbose"],
      /^Unknown option '--verbose'\. Options: --json, --local, --remote, --state, --env, --database, --name, /,
    ],
    [
      "a flag of another command",
      ["list", "--name", "x"],
      /^list does not accept --name\. Options: --json, --local, --remote, --state, --env\.$/,
    ],
    [
      "a missing partner id",
      ["create"],
      /^Expected npm run partner -- create <partner_id>; received nothing after create\.$/,
    ],
    [
      "two partner ids",
      ["show", "a", "b"],
      /^Expected npm run partner -- show <partner_id>; received a b after show\.$/,
    ],
    [
      "a partner id for the list",
      ["list", "a"],
      /^Expected npm run partner -- list; received a after list\.$/,
    ],
    ["a partner id with a space", ["create", "a b"], /^A partner id is 1 to 64 letters/],
    ["a partner id of 65 letters", ["create", "a".repeat(65)], /^A partner id is 1 to 64 letters/],
    [
      "a missing value",
      ["create", "a", "--name"],
      /^Option '--name <value>' argument missing\. Options: --json, /,
    ],
    [
      "a missing key id",
      ["revoke-key", "a"],
      /^Expected npm run partner -- revoke-key <partner_id> <key_id>; received a after revoke-key\.$/,
    ],
    [
      "an overlap of revoke-key",
      ["revoke-key", "a", "b", "--overlap", "1h"],
      /^revoke-key does not accept --overlap\. /,
    ],
    [
      "an overlap without a unit",
      ["rotate-key", "a", "--overlap", "24"],
      /^--overlap must be a duration such as 30m, 24h or 7d; received "24"\.$/,
    ],
    [
      "a limit of zero",
      ["set", "a", "--files-per-minute", "0"],
      /^--files-per-minute must be a whole number from 1 to 999999999999999, or "none"; received "0"\.$/,
    ],
    [
      "prefetch-held without on or off",
      ["set", "a", "--prefetch-held", "constructor"],
      /^--prefetch-held must be on or off; received "constructor"\.$/,
    ],
    ["set without settings", ["set", "a"], /^set needs at least one setting: --name, --event-url, /],
    [
      "--env without --remote",
      ["list", "--env", "staging"],
      /^--env selects a deployed environment: add --remote, or remove --env\.$/,
    ],
    [
      "an unknown environment",
      ["list", "--remote", "--env", "prod"],
      /^--env must be "staging"; received "prod"\. Production needs no --env\.$/,
    ],
    [
      "--local together with --remote",
      ["list", "--local", "--remote"],
      /^Use --local or --remote, not both\.$/,
    ],
    [
      "a state folder for the deployed service",
      ["list", "--remote", "--state", "x"],
      /^--state selects a local folder: remove --state or --remote\.$/,
    ],
  ])("%s", async (_what, args, line) => {
    const { exitCode, out, err } = await partner(...args);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err.trimEnd()).toMatch(line);
  });

  test.each<[string, string[], RegExp]>([
    ["an invalid event URL", ["--event-url", "acme"], /^--event-url "acme": \S.*\.$/],
    [
      "an event URL of another scheme",
      ["--event-url", "ftp://acme.example/"],
      /^--event-url "ftp:\/\/acme\.example\/": \S.*\.$/,
    ],
    [
      "a callback host with a path",
      ["--callback-host", "acme.example/x"],
      /^--callback-host must be a host name such as /,
    ],
    [
      "a callback host with a port",
      ["--callback-host", "acme.example:8443"],
      /^--callback-host must be a host name such as /,
    ],
    [
      "a source twice",
      ["--source", "watch", "--source", "watch"],
      /^--source: The list contains a value twice\. Send each value once\.$/,
    ],
    ["an empty source", ["--source", ""], /^--source: The text is empty\. Send at least one character\.$/],
  ])("%s", async (_what, flags, line) => {
    const { exitCode, out, err } = await local("create", "refused", ...flags);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err.trimEnd()).toMatch(line);
  });

  test("a loopback event URL for the deployed service", async () => {
    const refused = await partner("create", "refused", "--remote", "--event-url", "http://127.0.0.1/events");
    expect({ exitCode: refused.exitCode, out: refused.out }).toEqual({ exitCode: 2, out: "" });
    expect(refused.err).toMatch(/^--event-url "http:\/\/127\.0\.0\.1\/events": .*https.*\n$/);
  });
});

describe("a new partner", () => {
  const databaseOf = async (id: string, at: string, ...flags: string[]) => {
    const created = await partner("create", id, "--state", at, ...flags);
    expect({ exitCode: created.exitCode, err: created.err }).toEqual({ exitCode: 0, err: "" });
    const shown: unknown = JSON.parse((await partner("show", id, "--json", "--state", at)).out);
    return z.looseObject({ database: z.string() }).parse(shown).database;
  };

  test(
    "gets the database that --database names, else the smallest one, and set does not change it",
    async () => {
      const fresh = await mkdtemp(path.join(tmpdir(), "databases-"));
      try {
        expect(await databaseOf("second", fresh, "--database", "DB_2")).toBe("DB_2");
        // Both databases are empty: the one with fewer partners is chosen.
        expect(await databaseOf("third", fresh)).toBe("DB");
        const stores = await openLocalStores(fresh);
        if (!stores.ok) throw new Error(stores.problem);
        await stores.databases[0]?.database.exec("CREATE TABLE large (a)");
        await stores.close();
        expect(await databaseOf("fourth", fresh)).toBe("DB_2");
        expect(await partner("set", "fourth", "--database", "DB", "--state", fresh)).toMatchObject({
          exitCode: 2,
          err: expect.stringMatching(/^set does not accept --database\./),
        });
        expect(await partner("create", "fifth", "--database", "DB_7", "--state", fresh)).toEqual({
          exitCode: 2,
          out: "",
          err: '--database must be one of DB, DB_2, which wrangler.toml declares; received "DB_7".\n',
        });
      } finally {
        await rm(fresh, { recursive: true });
      }
    },
    4 * SLOW,
  );
});

/** Stores of a state folder, and the commands that share their runtime. */
interface OpenFolder {
  databases: readonly D1Database[];
  partners: KVNamespace;
  run: (name: string, partnerId: string, settings?: Partial<Request>) => Promise<unknown>;
  /** Changes the start of a suspension. */
  suspendSince: (partnerId: string, sinceMs: number) => Promise<void>;
}

/** Works on a new folder with tables, in one runtime of this process. */
async function inOneRuntime(work: (folder: OpenFolder, state: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "remove-"));
  const stores = await openLocalStores(folder);
  if (!stores.ok) throw new Error(stores.problem);
  try {
    const databases = stores.databases.map(({ database }) => database);
    for (const database of databases) await applyMigrations(database);
    const run: OpenFolder["run"] = async (name, partnerId, settings) => {
      const command = COMMANDS.get(name);
      if (command === undefined) throw new Error(`unknown command ${name}`);
      const request = { ...NO_SETTINGS, partnerId, remote: false, ...settings };
      const output = await runCommand(command, request, { ok: true, remote: false, state: folder });
      if (!output.ok) throw new Error(output.problem);
      return output.json;
    };
    const suspendSince = async (partnerId: string, sinceMs: number) => {
      for (const database of databases) {
        await database
          .prepare(
            "UPDATE partner_settings SET settings = json_set(settings, '$.suspended_at', ?) WHERE partner_id = ?",
          )
          .bind(new Date(sinceMs).toISOString(), partnerId)
          .run();
      }
    };
    await work({ databases, partners: stores.partners, run, suspendSince }, folder);
  } finally {
    await stores.close();
    await rm(folder, { recursive: true });
  }
}

const NO_SETTINGS = {
  keyId: "",
  database: undefined,
  name: undefined,
  eventUrl: undefined,
  callbackHosts: undefined,
  sourceOrder: undefined,
  prefetchHeld: undefined,
  requestsPerMinute: undefined,
  filesPerMinute: undefined,
  quotaFiles: undefined,
  quotaBytes: undefined,
  overlapMs: 0,
} satisfies Partial<Request>;

test(
  "remove suspends a partner, erases its users, and in the end removes every row and its settings",
  async () =>
    inOneRuntime(async ({ databases, partners, run, suspendSince }, folder) => {
      const database = databases[1];
      if (database === undefined) throw new Error("DB_2 is not open");
      for (const id of ["leaver", "stayer"]) await run("create", id, { database: "DB_2" });
      const users = "INSERT INTO users (partner_id, user_id, last_ping_at, created_at) VALUES (?, ?, 1, 1)";
      const event = `INSERT INTO deliveries (partner_id, delivery_id, kind, type, body, status, created_at, updated_at)
          VALUES (?, 'evt_1', 'event', 'test.ping', '{}', 'delivered', 1, 1)`;
      await database.batch([
        ...Array.from({ length: 120 }, (_, user) => database.prepare(users).bind("leaver", `user-${user}`)),
        database.prepare("INSERT INTO user_sources VALUES ('leaver', 'only-source', 's', 1)"),
        database.prepare(users).bind("stayer", "user-1"),
        database.prepare(event).bind("leaver"),
        database.prepare(event).bind("stayer"),
        database.prepare("INSERT INTO operator_job_failures VALUES ('job', 'leaver', 'file', 'not_fit')"),
        database.prepare(
          `INSERT INTO operator_jobs (job_id, kind, parameters, created_at)
             VALUES ('of-leaver', 'project_again', '{"partner_id":"leaver"}', 1),
               ('of-stayer', 'project_again', '{"partner_id":"stayer"}', 1)`,
        ),
        database.prepare(
          "INSERT INTO partner_usage (partner_id, files, stored_bytes) VALUES ('leaver', 0, 0)",
        ),
        database.prepare("INSERT INTO usage_days (partner_id, day, imported) VALUES ('leaver', 20000, 1)"),
      ]);
      await partners.put("usage:leaver", '{"files":0,"stored_bytes":0}');
      expect(await run("remove", "leaver")).toEqual({ partner_id: "leaver", status: "removing", users: 121 });
      expect(await run("show", "leaver")).toMatchObject({ status: "suspended" });
      // The service's sweeps.
      await database.batch([
        database.prepare("DELETE FROM users WHERE partner_id = 'leaver'"),
        database.prepare("DELETE FROM user_sources WHERE partner_id = 'leaver'"),
        database.prepare(
          "UPDATE erased SET next_sweep_at = NULL, user_id = NULL, sweeps_left = 0 WHERE user_id <> 'user-7'",
        ),
      ]);
      expect(await run("remove", "leaver")).toEqual({ partner_id: "leaver", status: "removing", users: 1 });
      await database.prepare("UPDATE erased SET next_sweep_at = NULL").run();
      // A request that began before the suspension may still write.
      expect(await run("remove", "leaver")).toEqual({ partner_id: "leaver", status: "removing", users: 0 });
      await suspendSince("leaver", Date.now() - 151_000);
      const removed = await partner("remove", "leaver", "--json", "--state", folder);
      expect(removed).toMatchObject({ exitCode: 0, err: "" });
      expect(JSON.parse(removed.out)).toEqual({ partner_id: "leaver", status: "removed" });
      for (const table of [
        "users",
        "user_sources",
        "deliveries",
        "partner_usage",
        "usage_days",
        "idempotent_requests",
        "operator_job_failures",
      ]) {
        const { results } = await database.prepare(`SELECT DISTINCT partner_id FROM ${table}`).all();
        expect({ table, results }).not.toMatchObject({
          results: expect.arrayContaining([{ partner_id: "leaver" }]),
        });
      }
      expect(await database.prepare("SELECT partner_id FROM removed_partners").all()).toMatchObject({
        results: [{ partner_id: "leaver" }],
      });
      const jobs = await database.prepare("SELECT job_id FROM operator_jobs").all();
      expect(jobs.results).toEqual([{ job_id: "of-stayer" }]);
      const left = await database.prepare("SELECT count(*) n FROM deliveries").first();
      expect(left).toEqual({ n: 1 });
      expect((await partners.list()).keys.map(({ name }) => name)).toEqual(["partner:stayer"]);
    }),
  4 * SLOW,
);

test(
  "remove waits for requests in flight also after suspend, and the suspension's start stays until resume",
  async () =>
    inOneRuntime(async ({ run, suspendSince }) => {
      await run("create", "waiter");
      await run("suspend", "waiter");
      const removing = { partner_id: "waiter", status: "removing", users: 0 };
      expect(await run("remove", "waiter")).toEqual(removing);
      await suspendSince("waiter", Date.now() - 151_000);
      await run("suspend", "waiter");
      await run("resume", "waiter");
      expect(await run("remove", "waiter")).toEqual(removing);
      await suspendSince("waiter", Date.now() - 151_000);
      await run("suspend", "waiter");
      expect(await run("remove", "waiter")).toEqual({ partner_id: "waiter", status: "removed" });
    }),
  SLOW,
);
