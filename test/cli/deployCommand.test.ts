import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Cloudflare } from "../../src/cli/cloudflare.ts";
import { deploy } from "../../src/cli/deployment/deploy.ts";
import { readSettings } from "../../src/cli/deployment/settings.ts";
import { smokeTest } from "../../src/cli/deployment/smokeTest.ts";
import { remoteRegistry } from "../../src/cli/registries.ts";
import { wranglerFor } from "../../src/cli/wrangler.ts";
import { partnerSchema, validKey } from "../../src/partners/partner.ts";
import { CloudflareApi } from "../support/cloudflareApi.ts";

/** A deployment runs about eight wrangler commands, each of which starts Node and the largest bundles the Worker. */
const SLOW_MS = 600_000;
const ADDRESS = "https://partner-api.acme-sub.workers.dev";
const HOST = "partner-api.acme-sub.workers.dev";
const COMMIT = { tag: "8f14e45fceea", message: "Fix it" };

let api: CloudflareApi;
let home: string;
let printed: string[];
/** Whether the deployed service responds with status 500. */
let isBroken: boolean;

beforeEach(async () => {
  api = await CloudflareApi.start();
  home = await mkdtemp(path.join(tmpdir(), "deploy-"));
  printed = [];
  isBroken = false;
  for (const [name, value] of Object.entries(api.environment)) vi.stubEnv(name, value);
  vi.stubEnv("XDG_CONFIG_HOME", home);
  const fetchOverNetwork = globalThis.fetch;
  const played: Played = { files: new Map(), newest: new Map(), fields: {}, edits: {} };
  vi.stubGlobal("fetch", async (input: string | URL | Request, init?: RequestInit) => {
    const request = new Request(input, init);
    return request.url.startsWith(ADDRESS) ? deployedService(request, played) : fetchOverNetwork(input, init);
  });
});
afterEach(async () => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  await api.close();
  await rm(home, { recursive: true });
});

/** State of the played service. */
interface Played {
  /** Duration of each file's activity. */
  files: Map<string, number>;
  /** Highest sequence_number of each file. */
  newest: Map<string, number>;
  /** Fields of the activity, and those that were edited. */
  fields: Record<string, unknown>;
  edits: Record<string, unknown>;
}

/** Plays the deployed service for the smoke test. */
async function deployedService(
  request: Request,
  { files, newest, fields, edits }: Played,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (isBroken) return Response.json({}, { status: 500 });
  if (pathname === "/health/") {
    return Response.json({ status: "ok", version: { id: api.deployments.at(-1)?.versionId } });
  }
  const header = (name: string) =>
    request.headers.get(name) ?? request.headers.get(`HTTP_${name.replace("-", "_")}`);
  const stored = api.kv(`partner:${header("Partner-Id")}`);
  const key = (header("Authorization") ?? "").replace("Bearer ", "");
  if (stored === null || validKey(partnerSchema.parse(JSON.parse(stored)), key, Date.now()) === null) {
    return Response.json({}, { status: 401 });
  }
  const route = `${request.method} ${pathname.split("/").slice(0, 3).join("/")}`;
  switch (route) {
    case "POST /api/fit_partner_ping": {
      const [item] = (await request.json<{ activity_files: Item[] }>()).activity_files;
      if (item === undefined) return Response.json({}, { status: 400 });
      const { summary_id, priority, overwrite_mode, sequence_number = null } = item;
      const isOlder = sequence_number !== null && sequence_number < (newest.get(summary_id) ?? 0);
      if (isOlder)
        return Response.json({ files: [{ file_id: summary_id, status: "superseded" }] }, { status: 202 });
      if (sequence_number !== null) newest.set(summary_id, sequence_number);
      const status =
        priority === 0 ? "held" : files.has(summary_id) && !overwrite_mode ? "duplicate" : "queued";
      Object.assign(fields, { activity_name: item.activity_name, sport: "cycling" });
      files.set(summary_id, overwrite_mode ? 30 : 20);
      return Response.json({ files: [{ file_id: summary_id, status }] }, { status: 202 });
    }
    case "GET /api/activities": {
      const seconds = files.get(pathname.split("/")[3]?.replace(".0", "") ?? "");
      return Response.json({ elapsed_time_in_seconds: seconds, ...fields, ...edits });
    }
    case "PATCH /api/files":
    case "PATCH /api/activities":
      for (const [name, value] of Object.entries(await request.json<object>())) {
        if (value === null) Reflect.deleteProperty(edits, name);
        else edits[name] = value;
      }
      return Response.json({});
    case "POST /api/task_partner": {
      const { source } = await request.json<{ source: string }>();
      const found = source.endsWith("-wrong")
        ? { warnings: ["nothing_held"], held_under_other_source: [source.replace("-wrong", "")] }
        : {};
      return Response.json({ import_id: "i", ...found }, { status: 202 });
    }
    case "POST /api/imports":
      // The import was faster than its cancellation.
      return Response.json({ code: "import_completed" }, { status: 409 });
    case "GET /api/imports":
      return Response.json({ completed_at: "now", status: "completed", files: { imported: 2 } });
    case "DELETE /api/users":
      files.clear();
      return Response.json({}, { status: 202 });
    case "GET /api/users":
      // Only the canary's user stays.
      return Response.json({}, { status: pathname === "/api/users/canary/" ? 200 : 404 });
    default:
      return Response.json({ status: "imported" });
  }
}

interface Item {
  summary_id: string;
  activity_name: string;
  sequence_number?: number | null;
  priority: 0 | 1;
  overwrite_mode: boolean;
}

/** Runs the steps of npm run deploy with the real wrangler, except the checks. Returns the problem, or null. */
async function runDeploy(): Promise<string | null> {
  const wrangler = wranglerFor("production");
  const outcome = await deploy("production", readSettings("production"), null, {
    wrangler,
    check: async () => true,
    askSecret: async () => null,
    commit: COMMIT,
    smokeTest: async (address, version) =>
      smokeTest(address, version, remoteRegistry(new Cloudflare("production")), {
        timeoutMs: 500,
        intervalMs: 20,
      }),
    print: (line) => printed.push(line),
  });
  return outcome.ok ? null : outcome.problem;
}

/** Runs a deployment in which the requests to Cloudflare that begin with this text fail. */
async function failingAt(request: string): Promise<string | null> {
  api.failures.set(request, "The mock fails here.");
  const problem = await runDeploy();
  api.failures.clear();
  return problem;
}

async function migrationFiles(): Promise<string[]> {
  return (await readdir(path.join(import.meta.dirname, "..", "..", "migrations"))).toSorted();
}

/** Returns what lies on the account. */
function resources() {
  return {
    databases: [...api.databases.values()].map(({ name }) => name).toSorted(),
    namespaces: [...api.namespaces.values()].map(({ title }) => title),
    buckets: [...api.buckets],
    queues: [...api.queues.values()].map(({ name, consumers }) => `${name}: ${consumers.join()}`).toSorted(),
  };
}

/** Everything that wrangler.toml names for production, once, with one consumer for each queue. */
function expectedResources() {
  const queues = ["bulk", "deliveries", "deliveries-dead", "dispatches-dead", "jobs", "priority", "retry"];
  return {
    databases: databaseNames(),
    namespaces: ["partner-api-partners"],
    buckets: ["partner-api-files"],
    queues: queues.map((name) => `partner-api-${name}: partner-api`).toSorted(),
  };
}

test(
  "two deployments on an empty account: the first creates, migrates, deploys and tests; the second creates nothing",
  async () => {
    expect(await runDeploy()).toBeNull();
    expect(resources()).toEqual(expectedResources());
    for (const { sqlite } of api.databases.values()) {
      const applied = sqlite.prepare("SELECT name FROM d1_migrations ORDER BY id").all();
      expect(applied.map(({ name }) => name)).toEqual(await migrationFiles());
      sqlite.prepare("SELECT file_id FROM files").all();
    }
    const order = [
      "POST /d1/database",
      "POST /d1/database/…/query",
      "PUT /workers/scripts/partner-api",
      "POST /workers/scripts/partner-api/versions",
      "POST /workers/scripts/partner-api/deployments",
    ].map((request) => api.requests.indexOf(request));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order[0]).toBeGreaterThan(0);
    // The first version could not know its own hosts.
    expect(api.versions.map(({ metadata }) => textOf(metadata, "OWN_HOSTS"))).toEqual(["", HOST]);
    const first = api.versions[1]?.id ?? "";
    expect(printed).toEqual([
      "First deployment of partner-api.",
      ...databaseNames().map((name) => `Created the database ${name}.`),
      expect.stringMatching(/^Migrated/),
      `Deployed version ${first} (${COMMIT.tag}) at ${ADDRESS}.`,
      "Smoke test passed.\nNo rollback: this is the first version.",
    ]);

    printed = [];
    api.requests.length = 0;
    expect(await runDeploy()).toBeNull();
    expect(resources()).toEqual(expectedResources());
    const created = [
      /^POST \/d1\/database$/,
      /^POST \/queues$/,
      /^POST \/r2/,
      /^POST \/storage\/kv\/namespaces$/,
    ];
    expect(api.requests.filter((request) => created.some((pattern) => pattern.test(request)))).toEqual([]);
    expect(api.versions).toHaveLength(3);
    expect(textOf(api.versions[2]?.metadata ?? {}, "OWN_HOSTS")).toBe(HOST);
    expect(printed.at(-1)).toContain(
      `npx wrangler rollback ${first} --durable-objects-code-update-mode=immediate --env=`,
    );
    expect(printed.at(-1)).toContain("time-travel restore DB --bookmark=00000001-bookmark --env=");

    for (const { metadata } of api.versions) {
      expect(metadata["annotations"]).toEqual({
        "workers/tag": COMMIT.tag,
        "workers/message": COMMIT.message,
      });
      expect(metadata["bindings"]).toContainEqual({ name: "CF_VERSION_METADATA", type: "version_metadata" });
    }
    expect(api.deployments.map(({ codeUpdateStrategy }) => codeUpdateStrategy)).toEqual(
      [1, 2, 3].map(() => ({ mode: "deferred", max_delay: 30 })),
    );
    expect([...api.namespaces.values()].map(({ values }) => [...values.keys()])).toEqual([
      ["partner:canary"],
    ]);
    expect(api.unknown).toEqual([]);
  },
  SLOW_MS,
);

test(
  "a deployment that fails at a step says how far it came, and the next one continues without creating anything twice",
  async () => {
    expect(await failingAt("POST /d1/database/")).toMatch(
      /^The code was not deployed: a migration failed: The mock fails here\./,
    );
    expect([api.databases.size, api.queues.size, api.versions.length]).toEqual([
      databaseNames().length,
      0,
      0,
    ]);
    const notUploaded =
      /^The databases were migrated, but the deployment of the code failed: The mock fails here\./;
    expect(await failingAt("POST /storage/kv/namespaces")).toMatch(notUploaded);
    expect([api.namespaces.size, api.versions.length]).toEqual([0, 0]);
    expect(await failingAt("PUT /workers/scripts/partner-api")).toMatch(notUploaded);
    // Wrangler does not look for a namespace by its title.
    expect(await runDeploy()).toMatch(
      /already exists \[code: 10014\] .+ npx wrangler kv namespace delete --namespace-id ID, and deploy again\./,
    );
    api.namespaces.clear();
    expect(await failingAt("POST /workers/scripts/partner-api/versions")).toMatch(
      /^Version \S+ was deployed, but a second deployment with its own hosts failed: The mock fails here\./,
    );
    const [first] = api.versions;
    isBroken = true;
    const problem = await runDeploy();
    expect(problem).toMatch(
      /^The code was deployed, but the smoke test failed: GET \/health\/: expected status 200, received 500\./,
    );
    expect(problem).toContain(`npx wrangler rollback ${first?.id} `);
    expect(resources()).toEqual(expectedResources());
    expect([...api.namespaces.values()].map(({ values }) => [...values.keys()])).toEqual([[]]);
    expect(api.unknown).toEqual([]);
  },
  SLOW_MS,
);

function textOf(metadata: Record<string, unknown>, name: string): string | undefined {
  return (metadata["bindings"] as { name: string; text?: string }[]).find((binding) => binding.name === name)
    ?.text;
}

/** Returns the names of production's databases. */
function databaseNames(): string[] {
  return readSettings("production").databases.map(({ name }) => name);
}
