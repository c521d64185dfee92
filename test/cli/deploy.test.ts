import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { readCommit, type CommitLabel } from "../../src/cli/commit.ts";
import { deploy } from "../../src/cli/deployment/deploy.ts";
import { smokeTest } from "../../src/cli/deployment/smokeTest.ts";
import type { Registry } from "../../src/cli/registries.ts";
import { wranglerFor } from "../../src/cli/wrangler.ts";
import { validKey, partnerSchema, type Partner } from "../../src/partners/partner.ts";
import { listenOnLoopback, type LoopbackServer } from "../support/loopback.ts";
import { runNode } from "./commandRun.ts";

/**
 * Simulates wrangler: records its arguments and the content of a secrets file, and prints the text from
 * `answers.json`. A text that begins with "ERROR" goes to stderr with exit code 1, one with "ENDS" to stdout with
 * exit code 1.
 */
const FAKE = `const fs = require("node:fs"), path = require("node:path");
const home = __dirname, args = process.argv.slice(2);
const answers = JSON.parse(fs.readFileSync(path.join(home, "answers.json"), "utf8"));
const after = (flag) => args[args.indexOf(flag) + 1];
const secrets = args.includes("--secrets-file") ? JSON.parse(fs.readFileSync(after("--secrets-file"), "utf8")) : null;
fs.appendFileSync(path.join(home, "ran.jsonl"), JSON.stringify({ args, secrets }) + "\\n");
if (args[0] === "deploy") {
  const entry = { type: "deploy", version_id: "v-new", targets: ["schedule: * * * * *", answers.address] };
  fs.appendFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH, JSON.stringify({ type: "wrangler-session" }) + "\\n" + JSON.stringify(entry) + "\\n");
}
const answer = Object.entries(answers).find(([command]) => args.join(" ").startsWith(command))?.[1] ?? "";
if (answer.startsWith("ERROR")) { process.stderr.write(answer.replace("ERROR", "X [ERROR]")); process.exit(1); }
process.stdout.write(answer.replace(/^ENDS/, ""));
process.exitCode = answer.startsWith("ENDS") ? 1 : 0;`;

const NO_WORKER =
  "ERROR A request to the Cloudflare API (/accounts/0/workers/scripts/x/deployments) failed.\n\n  This Worker does not exist on your account. [code: 10007]\n";
/** Returns Cloudflare's description of a version that was deployed with these hosts. */
function versionWithHosts(hosts: string): string {
  const ownHosts = { type: "plain_text", name: "OWN_HOSTS", text: hosts };
  return JSON.stringify({ id: "v-old", resources: { bindings: [{ type: "d1", name: "DB" }, ownHosts] } });
}

const FIRST: Record<string, string> = {
  "whoami --json": '{"loggedIn":true}',
  "deployments list --json": NO_WORKER,
  "d1 list --json": "[]",
  "secret list": NO_WORKER,
};
const SECOND: Record<string, string> = {
  ...FIRST,
  "deployments list --json": JSON.stringify([
    { created_on: "2026-11-02T00:00:00Z", versions: [{ version_id: "v-old" }] },
    { created_on: "2026-11-01T00:00:00Z", versions: [{ version_id: "v-older" }] },
  ]),
  "d1 list --json": JSON.stringify([{ name: "another" }, { name: "partner-api" }, { name: "partner-api-2" }]),
  "d1 time-travel info DB ": '{"bookmark":"mark-1"}',
  "d1 time-travel info DB_2": '{"bookmark":"mark-2"}',
  "secret list": '[{"name":"TRAINING_PLAN_SECRET","type":"secret_text"}]',
  "versions view v-old --json": versionWithHosts("deployed.example"),
};
const SETTINGS = {
  worker: "partner-api",
  databases: [
    { binding: "DB", name: "partner-api" },
    { binding: "DB_2", name: "partner-api-2" },
  ],
  trainingPlanUrl: "",
  jurisdiction: "",
  bucket: { name: "partner-api-files", jurisdiction: "" },
  queues: ["partner-api-bulk", "partner-api-retry"],
  hasNamespaceId: false,
};

let home: string;
let service: LoopbackServer;
/** What fails in the deployed service. Imports fail in all cases. "not tested": the smoke test does not run. */
let broken: "everything" | "literal headers" | "imports" | "not tested";
/** Id of the version that `/health/` names. */
let runningVersion: string;
let requests: string[];
let printed: string[];
/** Changes of the registry. */
let written: string[];

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "deploy-"));
  await mkdir(path.join(home, "kv"));
  await writeFile(path.join(home, "wrangler.cjs"), FAKE);
  broken = "not tested";
  runningVersion = "v-new";
  requests = [];
  printed = [];
  written = [];
  service = await listenOnLoopback((request, response) => {
    const answer = async (): Promise<[number, unknown]> => {
      const address = request.url ?? "";
      requests.push(`${request.method} ${address}`);
      if (broken === "everything") return [500, {}];
      if (address === "/health/") return [200, { status: "ok", version: { id: runningVersion, tag: null } }];
      const literal = request.headers["http_authorization"];
      if (literal !== undefined && broken === "literal headers") return [401, {}];
      const key = String(literal ?? request.headers.authorization).replace("Bearer ", "");
      const partner = await registered(
        String(request.headers["http_partner_id"] ?? request.headers["partner-id"]),
      );
      if (partner === null || validKey(partner, key, Date.now()) === null) return [401, {}];
      if (address === "/api/fit_partner_ping/") return [202, { files: [{ file_id: "f", status: "queued" }] }];
      if (address === "/api/files/f/") return [200, { status: "failed", error: { detail: "It was lost." } }];
      if (address.startsWith("/api/users/")) return [request.method === "DELETE" ? 202 : 404, {}];
      return [200, {}];
    };
    void answer().then(([status, body]) => response.writeHead(status).end(JSON.stringify(body)));
  });
});
afterEach(async () => {
  await service.close();
  await rm(home, { recursive: true });
});

/** Returns a registry that stores partners as files and records its changes. */
function registryOnDisk(): Registry {
  const fileOf = (partnerId: string) => path.join(home, "kv", encodeURIComponent(`partner:${partnerId}`));
  const note = (change: string) => written.push(change.replace(/smoke-\w+/, "smoke-X"));
  return {
    read: registered,
    list: async () => [],
    listStored: async () => [],
    change: async (partner, edit) => {
      const edited = edit((await registered(partner.partner_id)) ?? partner);
      if (!edited.ok) return edited;
      note(`write ${partner.partner_id}`);
      await writeFile(fileOf(partner.partner_id), JSON.stringify(edited.partner));
      return { ...edited, inForceAt: Date.now() };
    },
    remove: async ({ partner_id }) => {
      note(`remove ${partner_id}`);
      await rm(fileOf(partner_id));
    },
    removeUsage: async () => {},
    close: async () => {},
  };
}

async function registered(partnerId: string): Promise<Partner | null> {
  const file = path.join(home, "kv", encodeURIComponent(`partner:${partnerId}`));
  return existsSync(file) ? partnerSchema.parse(JSON.parse(await readFile(file, "utf8"))) : null;
}

const ranSchema = z.object({
  args: z.array(z.string()),
  secrets: z.record(z.string(), z.string()).nullable(),
});

/** Returns wrangler's arguments, without the temporary paths. */
async function ran(): Promise<string[]> {
  const lines = (await readFile(path.join(home, "ran.jsonl"), "utf8")).trim().split("\n");
  return lines.map((line) =>
    ranSchema
      .parse(JSON.parse(line))
      .args.map((arg) => (path.isAbsolute(arg) ? "FILE" : arg.replace(/smoke-\w+/, "smoke-X")))
      .join(" "),
  );
}

async function deployed(
  answers: Record<string, string>,
  changes: Partial<
    typeof SETTINGS & { secret: string; fails: boolean; url: string; commit: CommitLabel }
  > = {},
) {
  const { secret = null, fails = false, url = null, commit = null, ...settings } = changes;
  await writeFile(
    path.join(home, "answers.json"),
    JSON.stringify({ ...answers, address: "https://deployed.example" }),
  );
  const wrangler = wranglerFor("production", path.join(home, "wrangler.cjs"));
  const addresses: string[] = [];
  const outcome = await deploy("production", { ...SETTINGS, ...settings }, url, {
    wrangler,
    check: async () => !fails,
    askSecret: async () => secret,
    commit,
    smokeTest: async (address, version) => {
      addresses.push(address);
      if (broken === "not tested") return null;
      return smokeTest(service.url, version, registryOnDisk(), { timeoutMs: 300, intervalMs: 20 });
    },
    print: (line) => printed.push(line),
  });
  return { outcome, addresses };
}

test("a first deployment creates the databases, migrates them, deploys the code and tests the service", async () => {
  const { outcome, addresses } = await deployed(FIRST);
  expect(outcome).toEqual({ ok: true });
  expect(await ran()).toEqual([
    "whoami --json --env=",
    "deployments list --json --env=",
    "d1 list --json --env=",
    "d1 create partner-api --env=",
    "d1 create partner-api-2 --env=",
    "d1 migrations apply DB --remote --env=",
    "d1 migrations apply DB_2 --remote --env=",
    "deploy --env=",
    "deploy --var OWN_HOSTS:deployed.example --env=",
  ]);
  expect(addresses).toEqual(["https://deployed.example"]);
  expect(printed.at(-1)).toContain("No rollback: this is the first version.");
});

test("a second deployment creates nothing and prints how to restore code and data", async () => {
  const { outcome } = await deployed(SECOND);
  expect(outcome).toEqual({ ok: true });
  expect(await ran()).toEqual([
    "whoami --json --env=",
    "deployments list --json --env=",
    "versions view v-old --json --env=",
    "d1 list --json --env=",
    "d1 time-travel info DB --json --env=",
    "d1 time-travel info DB_2 --json --env=",
    "d1 migrations apply DB --remote --env=",
    "d1 migrations apply DB_2 --remote --env=",
    "deploy --var OWN_HOSTS:deployed.example --env=",
  ]);
  expect(printed.at(-1)).toContain(
    "npx wrangler rollback v-old --durable-objects-code-update-mode=immediate --env=",
  );
  expect(printed.at(-1)).toContain("npx wrangler d1 time-travel restore DB --bookmark=mark-1 --env=");
});

test.each(["", "old.example", "deployed.example,old.example"])(
  "the code is deployed with the hosts of its addresses when the running version has others in OWN_HOSTS: %j",
  async (hosts) => {
    const { outcome } = await deployed({ ...SECOND, "versions view v-old --json": versionWithHosts(hosts) });
    expect(outcome).toEqual({ ok: true });
    expect((await ran()).at(-1)).toBe("deploy --var OWN_HOSTS:deployed.example --env=");
  },
);

test("OWN_HOSTS contains the host of --url and the workers.dev host", async () => {
  const { outcome } = await deployed(FIRST, { url: "https://api.example.com" });
  expect(outcome).toEqual({ ok: true });
  expect((await ran()).at(-1)).toBe("deploy --var OWN_HOSTS:api.example.com,deployed.example --env=");
});

const ROLLBACK = `Roll back the code:    npx wrangler rollback v-old --durable-objects-code-update-mode=immediate --env=
Restore the database:  npx wrangler d1 time-travel restore DB --bookmark=mark-1 --env=
Restore the database:  npx wrangler d1 time-travel restore DB_2 --bookmark=mark-2 --env=
Restore a database only if a migration damaged it: its newer rows are lost. See src/cli/OPERATIONS.md.`;

test("a failed migration ends the deployment before the code, and the last lines are the rollback commands", async () => {
  const { outcome } = await deployed({
    ...SECOND,
    "d1 migrations apply": 'ERROR near "CREAT": syntax error\n',
  });
  expect(outcome).toMatchObject({
    ok: false,
    exitCode: 1,
    problem: `The code was not deployed: a migration failed: near "CREAT": syntax error\n${ROLLBACK}`,
  });
  expect((await ran()).at(-1)).toBe("d1 migrations apply DB --remote --env=");
});

test("a database that was added to wrangler.toml is created and migrated, and needs no bookmark", async () => {
  const { outcome } = await deployed({
    ...SECOND,
    "d1 list --json": JSON.stringify([{ name: "partner-api" }]),
  });
  expect(outcome).toEqual({ ok: true });
  const commands = await ran();
  expect(commands).toContain("d1 create partner-api-2 --env=");
  expect(commands).toContain("d1 migrations apply DB_2 --remote --env=");
  expect(commands.filter((command) => command.includes("time-travel"))).toEqual([
    "d1 time-travel info DB --json --env=",
  ]);
  expect(printed.at(-1)).not.toContain("restore DB_2");
});

test("a failed upload prints the rollback commands, too, because the database has changed", async () => {
  const { outcome } = await deployed({ ...SECOND, deploy: "ERROR Too large\n" });
  expect(outcome).toMatchObject({
    ok: false,
    problem: `The databases were migrated, but the deployment of the code failed: Too large\n${ROLLBACK}`,
  });
});

describe("a smoke test that fails", () => {
  test.each<[typeof broken, RegExp]>([
    ["everything", /GET \/health\/: expected status 200, received 500\./],
    ["literal headers", /HTTP_AUTHORIZATION and HTTP_PARTNER_ID: expected status 200, received 401\./],
    ["imports", /A live ride becomes an activity: The import of the file failed: It was lost\./],
  ])("fails the command, prints the rollback commands, and leaves no partner: %s", async (what, fault) => {
    broken = what;
    const { outcome } = await deployed(SECOND);
    expect(outcome).toMatchObject({ ok: false, exitCode: 1, problem: expect.stringMatching(fault) });
    expect(outcome).toMatchObject({ problem: expect.stringContaining(`\n${ROLLBACK}`) });
    expect(written).toEqual(["write smoke-X", "remove smoke-X"]);
  });

  test("deletes its user even when a step after the ping fails", async () => {
    broken = "imports";
    await deployed(SECOND);
    expect(requests.filter((request) => request.startsWith("DELETE "))).toEqual([
      expect.stringMatching(/^DELETE \/api\/users\/verify-\w+\/$/),
    ]);
  });
});

test("a version that is still the old one after the deployment fails the smoke test", async () => {
  runningVersion = "v-old";
  broken = "imports";
  const { outcome } = await deployed(SECOND);
  expect(outcome).toMatchObject({
    ok: false,
    problem: expect.stringContaining("GET /health/: expected version v-new, received version v-old."),
  });
});

test("each uploaded version is labelled with its commit", async () => {
  const { outcome } = await deployed(FIRST, { commit: { tag: "8f14e45fceea", message: "Fix it" } });
  expect(outcome).toEqual({ ok: true });
  expect((await ran()).filter((line) => line.startsWith("deploy "))).toEqual([
    "deploy --tag 8f14e45fceea --message Fix it --env=",
    "deploy --tag 8f14e45fceea --message Fix it --var OWN_HOSTS:deployed.example --env=",
  ]);
  expect(printed).toContain("Deployed version v-new (8f14e45fceea) at https://deployed.example.");
});

describe("the commit of the checkout", () => {
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=T", "-c", "user.email=t@example.com", ...args], { cwd: home });

  test("is its first 12 digits and its subject, and says whether files differ from it", async () => {
    git("init", "-q");
    git("add", ".");
    git("commit", "-q", "-m", "Add it");
    const commit = git("rev-parse", "HEAD").toString().slice(0, 12);
    expect(await readCommit(home)).toEqual({ tag: commit, message: "Add it" });
    await writeFile(path.join(home, "new.txt"), "");
    expect(await readCommit(home)).toEqual({ tag: `${commit}-changed`, message: "Add it" });
  });

  test("is null outside a git repository, and in a folder of another repository", async () => {
    expect(await readCommit(home)).toBeNull();
    git("init", "-q");
    git("add", ".");
    git("commit", "-q", "-m", "Add it");
    expect(await readCommit(path.join(home, "kv"))).toBeNull();
  });
});

describe("the planner's secret", () => {
  const trainingPlanUrl = "https://planner.example.com/plans";
  const uploadedSecrets = async () =>
    (await readFile(path.join(home, "ran.jsonl"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => ranSchema.parse(JSON.parse(line)).secrets)
      .filter((secrets) => secrets !== null);

  test("is asked for when it is missing, and is uploaded in a file with the code", async () => {
    expect((await deployed(FIRST, { trainingPlanUrl, secret: "whsec_x" })).outcome).toEqual({ ok: true });
    expect(await uploadedSecrets()).toEqual([{ TRAINING_PLAN_SECRET: "whsec_x" }]);
    expect((await ran()).join("\n")).not.toContain("whsec_x");
  });

  test("is not asked for when it is stored", async () => {
    expect((await deployed(SECOND, { trainingPlanUrl })).outcome).toEqual({ ok: true });
    expect(await uploadedSecrets()).toEqual([]);
  });

  test("ends the deployment before any change when it is not given", async () => {
    const missing = await deployed({ ...SECOND, "secret list": "[]" }, { trainingPlanUrl });
    expect(missing.outcome).toMatchObject({
      ok: false,
      problem: expect.stringContaining("TRAINING_PLAN_SECRET"),
    });
    expect((await ran()).at(-1)).toBe("secret list --format json --env=");
  });
});

test("a failed check ends the deployment before any call to Cloudflare, a missing login before any change", async () => {
  expect((await deployed(FIRST, { fails: true })).outcome).toMatchObject({ ok: false, exitCode: 1 });
  expect(existsSync(path.join(home, "ran.jsonl"))).toBe(false);
  const { outcome } = await deployed({ ...FIRST, "whoami --json": 'ENDS{"loggedIn":false}' });
  expect(outcome).toMatchObject({ ok: false, problem: expect.stringContaining("npx wrangler login") });
  expect(await ran()).toEqual(["whoami --json --env="]);
});

test("a network error is not reported as a missing login", async () => {
  const { outcome } = await deployed({ ...FIRST, "whoami --json": "ERROR Unable to resolve the hostname\n" });
  expect(outcome).toMatchObject({ problem: "Nothing was deployed: Unable to resolve the hostname" });
});

test("another error of Cloudflare is not mistaken for a first deployment", async () => {
  const { outcome } = await deployed({
    ...SECOND,
    "deployments list --json":
      "ERROR A request to the Cloudflare API (/accounts/0/x) failed.\n\n  Internal error [code: 10000]\n",
  });
  expect(outcome).toMatchObject({ problem: "Nothing was deployed: Internal error [code: 10000]" });
});

describe("a jurisdiction", () => {
  const EU = {
    jurisdiction: "eu",
    bucket: { name: "partner-api-files", jurisdiction: "eu" },
    hasNamespaceId: true,
  };
  const NO_BUCKET = "ERROR The specified bucket does not exist.\n";
  const EMPTY = {
    ...FIRST,
    "r2 bucket info": NO_BUCKET,
    "queues info": 'ERROR Queue "x" does not exist.\n',
  };
  const RUNNING = {
    ...SECOND,
    "versions view v-old --json": JSON.stringify({
      resources: { bindings: [{ name: "JURISDICTION", text: "eu" }] },
    }),
    "d1 list --json": JSON.stringify([
      { name: "partner-api", jurisdiction: "eu" },
      { name: "partner-api-2", jurisdiction: "eu" },
    ]),
    "r2 bucket info": NO_BUCKET,
    "queues info": "Queue Name: x\nJurisdiction: eu\n",
  };

  test("is given to everything that a first deployment creates, before the code", async () => {
    expect((await deployed(EMPTY, EU)).outcome).toEqual({ ok: true });
    const commands = await ran();
    expect(commands.filter((command) => command.includes(" create "))).toEqual([
      "queues create partner-api-bulk --jurisdiction eu --env=",
      "queues create partner-api-retry --jurisdiction eu --env=",
      "d1 create partner-api --jurisdiction eu --env=",
      "d1 create partner-api-2 --jurisdiction eu --env=",
    ]);
    expect(commands.findIndex((command) => command.startsWith("deploy "))).toBeGreaterThan(
      commands.findLastIndex((command) => command.includes(" create ")),
    );
  });

  test("that all resources have creates nothing", async () => {
    expect((await deployed(RUNNING, EU)).outcome).toEqual({ ok: true });
    expect((await ran()).filter((command) => command.includes(" create "))).toEqual([]);
  });

  test.each<[string, Record<string, string>, object, RegExp]>([
    ["the running version", SECOND, EU, /^Nothing was deployed: The running version has no jurisdiction, /],
    ["the running version, without one now", RUNNING, {}, /running version has the jurisdiction eu, /],
    [
      "a database",
      { ...RUNNING, "d1 list --json": JSON.stringify([{ name: "partner-api-2", jurisdiction: null }]) },
      EU,
      /The database partner-api-2 has no jurisdiction, but JURISDICTION in wrangler\.toml is "eu"\./,
    ],
    ["a bucket", { ...RUNNING, "r2 bucket info": "name: x\n" }, EU, /The bucket partner-api-files has no /],
    [
      "a queue",
      { ...RUNNING, "queues info": "Jurisdiction: us\n" },
      EU,
      /queue partner-api-bulk has the jurisdiction us/,
    ],
    ["the bucket's binding", RUNNING, { ...EU, bucket: SETTINGS.bucket }, /needs jurisdiction = "eu"\./],
    [
      "a namespace that wrangler would create",
      EMPTY,
      { ...EU, hasNamespaceId: false },
      /kv namespace create partner-api-partners --jurisdiction eu/,
    ],
    [
      "an unknown one",
      EMPTY,
      { ...EU, jurisdiction: "mars" },
      /must be eu, us, fedramp or empty; it is "mars"\./,
    ],
  ])(
    "ends the deployment before any change when something is elsewhere: %s",
    async (_what, answers, changes, problem) => {
      const { outcome } = await deployed(answers, changes);
      expect(outcome).toMatchObject({ ok: false, exitCode: 1, problem: expect.stringMatching(problem) });
      expect((await ran()).filter((command) => / create |apply|^deploy /.test(command))).toEqual([]);
    },
  );

  test("that cannot be looked up ends the deployment", async () => {
    const { outcome } = await deployed(
      { ...EMPTY, "r2 bucket info": "ERROR Internal error [code: 10001]\n" },
      EU,
    );
    expect(outcome).toMatchObject({
      ok: false,
      problem: "Nothing was deployed: Internal error [code: 10001]",
    });
  });
});

describe("npm run deploy", () => {
  test("prints every step with its commands on --dry-run, and runs none of them", async () => {
    const { exitCode, out, err } = await runNode([
      "src/cli/commands/deploy.ts",
      "--dry-run",
      "--env",
      "staging",
    ]);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: "" });
    const commands = out.split("\n").flatMap((line) => /^ {3}(.*)$/.exec(line)?.[1] ?? []);
    expect(commands).toEqual([
      "npm run check",
      "npx wrangler whoami --json --env staging",
      "npx wrangler deployments list --json --env staging",
      "npx wrangler versions view <version> --json --env staging",
      "npx wrangler d1 list --json --env staging",
      "npx wrangler d1 create partner-api-staging --env staging",
      "npx wrangler d1 create partner-api-2-staging --env staging",
      "npx wrangler d1 time-travel info DB --json --env staging",
      "npx wrangler d1 time-travel info DB_2 --json --env staging",
      "npx wrangler d1 migrations apply DB --remote --env staging",
      "npx wrangler d1 migrations apply DB_2 --remote --env staging",
      "npx wrangler deploy --tag <commit> --message <subject> --var OWN_HOSTS:<hosts> --env staging",
    ]);
  });

  test.each<[string[], RegExp]>([
    [["--env", "prod"], /^--env must be "staging"; received "prod"\. Production needs no --env\.\n$/],
    [
      ["--url", "http://x"],
      /^--url must be an address such as https:\/\/api\.example\.com, without a path; received "http:\/\/x"\.\n$/,
    ],
    [["--now"], /^Unknown option '--now'\. Options: --env, --url, --dry-run\.\n$/],
  ])("refuses %j with exit code 2", async (args, line) => {
    const { exitCode, out, err } = await runNode(["src/cli/commands/deploy.ts", ...args]);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err).toMatch(line);
  });
});
