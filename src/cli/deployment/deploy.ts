import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { CommandFault, refuse, type Refusal } from "../commandLine.ts";
import {
  parsePrinted,
  environmentFlag,
  RemoteFault,
  type Environment,
  type RunWrangler,
} from "../wrangler.ts";
import type { CommitLabel } from "../commit.ts";
import { JURISDICTIONS } from "../../jurisdiction.ts";
import type { Settings } from "./settings.ts";

const SECRET = "TRAINING_PLAN_SECRET";
/** Cloudflare's code for a KV namespace with a title that exists. */
const NAMESPACE_EXISTS = 10_014;
/** The variable that lists the service's own hosts. */
const OWN_HOSTS = "OWN_HOSTS";
/** The variable that names the jurisdiction of all data. */
const JURISDICTION = "JURISDICTION";

/** Functions that a deployment needs from its command. */
export interface Deployer {
  wrangler: RunWrangler;
  /** Checks types, lint and format, and prints the results. Returns whether all passed. */
  check(): Promise<boolean>;
  /** Asks the operator for a secret. Returns null without a terminal. */
  askSecret(name: string): Promise<string | null>;
  /** Label of the new version. Null outside a git repository. */
  commit: CommitLabel | null;
  /** Returns null when this version works at this address, or else the failure. */
  smokeTest(url: string, version: string): Promise<string | null>;
  print: (line: string) => void;
}

/** The wrangler commands of a deployment. `--dry-run` prints them. */
const COMMANDS = {
  account: () => ["whoami", "--json"],
  versions: () => ["deployments", "list", "--json"],
  databases: () => ["d1", "list", "--json"],
  createDatabase: (name: string, jurisdiction: string) => [
    "d1",
    "create",
    name,
    ...(jurisdiction === "" ? [] : ["--jurisdiction", jurisdiction]),
  ],
  bucketElsewhere: (name: string) => ["r2", "bucket", "info", name],
  queue: (name: string) => ["queues", "info", name],
  createQueue: (name: string, jurisdiction: string) => [
    "queues",
    "create",
    name,
    "--jurisdiction",
    jurisdiction,
  ],
  bookmark: (binding: string) => ["d1", "time-travel", "info", binding, "--json"],
  secrets: () => ["secret", "list", "--format", "json"],
  migrate: (binding: string) => ["d1", "migrations", "apply", binding, "--remote"],
  version: (versionId: string) => ["versions", "view", versionId, "--json"],
  deploy: (secretsFile: string | null, ownHosts: readonly string[], commit: CommitLabel | null) => [
    "deploy",
    ...(commit === null ? [] : ["--tag", commit.tag, "--message", commit.message]),
    ...(secretsFile === null ? [] : ["--secrets-file", secretsFile]),
    ...(ownHosts.length === 0 ? [] : ["--var", `${OWN_HOSTS}:${ownHosts.join(",")}`]),
  ],
};

/** Returns the numbered steps of a deployment, each with its exact commands. */
export function deploymentPlan(environment: Environment, settings: Settings): string {
  const shown = (args: readonly string[]) =>
    `npx wrangler ${[...args, ...environmentFlag(environment)].join(" ")}`;
  const steps: [string, string[]][] = [
    ["Check types, lint and format", ["npm run check"]],
    ["Check that wrangler is logged in", [shown(COMMANDS.account())]],
    [
      "Record the running version, for a rollback, and read its OWN_HOSTS",
      [shown(COMMANDS.versions()), shown(COMMANDS.version("<version>"))],
    ],
    ...(settings.jurisdiction === ""
      ? []
      : [
          [
            `Find the bucket and the queues in the jurisdiction ${settings.jurisdiction}, and create missing queues`,
            [
              shown(COMMANDS.bucketElsewhere(settings.bucket.name)),
              ...settings.queues.flatMap((queue) => [
                shown(COMMANDS.queue(queue)),
                shown(COMMANDS.createQueue(queue, settings.jurisdiction)),
              ]),
            ],
          ] as [string, string[]],
        ]),
    [
      "Find the databases, or create those that are missing",
      [
        shown(COMMANDS.databases()),
        ...settings.databases.map(({ name }) => shown(COMMANDS.createDatabase(name, settings.jurisdiction))),
      ],
    ],
    [
      "Record the state of the databases, for a restore (not for a new database)",
      settings.databases.map(({ binding }) => shown(COMMANDS.bookmark(binding))),
    ],
    [
      settings.trainingPlanUrl === ""
        ? `Skip ${SECRET}: TRAINING_PLAN_URL is empty`
        : `Find ${SECRET}, or ask for it and upload it with the code`,
      settings.trainingPlanUrl === "" ? [] : [shown(COMMANDS.secrets())],
    ],
    [
      "Migrate the databases, before the code",
      settings.databases.map(({ binding }) => shown(COMMANDS.migrate(binding))),
    ],
    [
      "Deploy the code, a second time if its addresses have changed. Wrangler creates a missing KV namespace, bucket or queue",
      [
        shown(
          COMMANDS.deploy(
            settings.trainingPlanUrl === "" ? null : "<file, on a first deployment>",
            ["<hosts>"],
            { tag: "<commit>", message: "<subject>" },
          ),
        ),
      ],
    ],
    ["Test the deployed address as a temporary partner, with the steps of npm run verify", []],
  ];
  return steps
    .map(([step, commands], index) =>
      [`${index + 1}. ${step}`, ...commands.map((line) => `   ${line}`)].join("\n"),
    )
    .join("\n");
}

/** Deploys an environment. A step that fails ends the deployment. */
export async function deploy(
  environment: Environment,
  settings: Settings,
  url: string | null,
  deployer: Deployer,
): Promise<{ ok: true } | Refusal> {
  const { wrangler, print } = deployer;
  if (!(await deployer.check())) return refuse("Nothing was deployed: a check failed, as shown above.");
  let stage = "Nothing was deployed";
  // From the first change of the deployed service, every message ends with the rollback commands.
  let rollback: string | null = null;
  const refused = (problem: string) => refuse(rollback === null ? problem : `${problem}\n${rollback}`);
  try {
    await requireLogin(wrangler);
    const previous = await runningVersion(wrangler);
    const running = previous === null ? null : await variablesOf(wrangler, previous);
    const previousAddresses = addressesIn(running?.get(OWN_HOSTS) ?? "");
    requireSameJurisdiction(settings, running);
    print(
      previous === null
        ? `First deployment of ${settings.worker}.`
        : `${settings.worker} runs version ${previous}.`,
    );
    const urls = url === null ? [] : [url];
    const expectedHosts = hostsOf([...urls, ...previousAddresses]);
    await requireNothingElsewhere(settings, deployer);
    const bookmarks = await bookmarksOrNewDatabases(settings, deployer);

    const secret = await missingSecret(settings, previous, deployer);

    rollback = rollbackCommands(environment, previous, bookmarks);
    stage = "The code was not deployed: a migration failed";
    for (const { binding } of settings.databases) await wrangler(COMMANDS.migrate(binding));
    print(`Migrated ${settings.databases.map(({ binding }) => binding).join(", ")}.`);

    stage = "The databases were migrated, but the deployment of the code failed";
    let { version, targets } = await upload(deployer, secret, expectedHosts);
    const ownHosts = hostsOf([...urls, ...targets]);
    if (ownHosts.join() !== expectedHosts.join()) {
      // Cloudflare lists the addresses of a Worker only after its deployment.
      stage = `Version ${version} was deployed, but a second deployment with its own hosts failed`;
      ({ version, targets } = await upload(deployer, null, ownHosts));
    }
    const address = url ?? firstAddress(targets);
    const label = deployer.commit === null ? "" : ` (${deployer.commit.tag})`;
    print(`Deployed version ${version}${label}${address === null ? "" : ` at ${address}`}.`);

    if (address === null)
      return refused(
        "The code was deployed, but not tested: wrangler printed no address. Give the address with --url.",
      );
    stage = "The code was deployed, but the smoke test could not run";
    const fault = await deployer.smokeTest(address, version);
    if (fault !== null) return refused(`The code was deployed, but the smoke test failed: ${fault}`);
    print(`Smoke test passed.\n${rollback}`);
    return { ok: true };
  } catch (fault) {
    if (!(fault instanceof CommandFault)) throw fault;
    return refused(`${stage}: ${fault.message}`);
  }
}

async function requireLogin(wrangler: RunWrangler): Promise<void> {
  await wrangler(COMMANDS.account()).catch((fault: unknown) => {
    if (!(fault instanceof RemoteFault) || !isLoggedOut(fault.printed)) throw fault;
    throw new CommandFault("wrangler is not logged in. Run npx wrangler login, or set CLOUDFLARE_API_TOKEN.");
  });
}

/** A database's Time Travel bookmark. */
interface Bookmark {
  binding: string;
  bookmark: string;
}

/** Returns the bookmarks of the databases. Creates those that are missing. */
async function bookmarksOrNewDatabases(
  { databases, jurisdiction }: Settings,
  { wrangler, print }: Deployer,
): Promise<Bookmark[]> {
  const listed = parsePrinted(databasesSchema, await wrangler(COMMANDS.databases()));
  for (const { name } of databases) {
    const found = listed.find((database) => database.name === name);
    // Cloudflare's list may omit the jurisdiction.
    if (found?.jurisdiction !== undefined && (found.jurisdiction ?? "") !== jurisdiction)
      throw elsewhere(`database ${name}`, found.jurisdiction ?? "", jurisdiction);
  }
  const existing = new Set(listed.map(({ name }) => name));
  const bookmarks: Bookmark[] = [];
  for (const { binding, name } of databases) {
    if (existing.has(name)) {
      bookmarks.push({ binding, bookmark: await bookmarkOf(wrangler, binding) });
    } else {
      await wrangler(COMMANDS.createDatabase(name, jurisdiction));
      print(`Created the database ${name}.`);
    }
  }
  return bookmarks;
}

/** Asks for the secret of plan requests if it is needed and not stored. Returns null when no upload is needed. */
async function missingSecret(
  settings: Settings,
  previous: string | null,
  deployer: Deployer,
): Promise<string | null> {
  if (settings.trainingPlanUrl === "") return null;
  if (previous !== null && (await hasSecret(deployer.wrangler))) return null;
  const secret = await deployer.askSecret(SECRET);
  if (secret !== null) return secret;
  throw new CommandFault(
    `TRAINING_PLAN_URL is set, but ${SECRET} is not. Set it in the environment, or run the command in a terminal.`,
  );
}

/** Returns whether a failed `whoami` printed that it is not logged in. It also fails for other reasons. */
function isLoggedOut(printed: string): boolean {
  return /"loggedIn":\s*false/.test(printed);
}

/** Faulty code must end at once, also in objects that are busy. A deployment waits for them instead (wrangler.toml). */
const ROLLBACK_FLAG = "--durable-objects-code-update-mode=immediate";

/** Returns the commands that restore the previous code and the previous databases. */
function rollbackCommands(
  environment: Environment,
  previous: string | null,
  bookmarks: readonly Bookmark[],
): string {
  const flag = environmentFlag(environment).join(" ");
  const lines = [
    previous === null
      ? "No rollback: this is the first version."
      : `Roll back the code:    npx wrangler rollback ${previous} ${ROLLBACK_FLAG} ${flag}`,
  ];
  for (const { binding, bookmark } of bookmarks) {
    lines.push(
      `Restore the database:  npx wrangler d1 time-travel restore ${binding} --bookmark=${bookmark} ${flag}`,
    );
  }
  if (bookmarks.length > 0) {
    lines.push(
      "Restore a database only if a migration damaged it: its newer rows are lost. See src/cli/OPERATIONS.md.",
    );
  }
  return lines.join("\n");
}

const databasesSchema = z.array(
  z.object({ name: z.string(), jurisdiction: z.string().nullable().optional() }),
);
const namesSchema = z.array(z.object({ name: z.string() }));
const deploymentsSchema = z.array(
  z.object({ created_on: z.string(), versions: z.array(z.object({ version_id: z.string() })) }),
);

/** Returns the id of the running version. Returns null before the first deployment. */
async function runningVersion(wrangler: RunWrangler): Promise<string | null> {
  const listed = await wrangler(COMMANDS.versions()).catch((fault: unknown) => {
    // Cloudflare's code for a Worker that does not exist.
    if (fault instanceof RemoteFault && fault.message.includes("10007")) return "[]";
    throw fault;
  });
  const deployments = parsePrinted(deploymentsSchema, listed);
  const newest = deployments.toSorted((a, b) => a.created_on.localeCompare(b.created_on)).at(-1);
  return newest?.versions[0]?.version_id ?? null;
}

async function bookmarkOf(wrangler: RunWrangler, binding: string): Promise<string> {
  const printed = await wrangler(COMMANDS.bookmark(binding));
  return parsePrinted(z.object({ bookmark: z.string() }), printed).bookmark;
}

async function hasSecret(wrangler: RunWrangler): Promise<boolean> {
  return parsePrinted(namesSchema, await wrangler(COMMANDS.secrets())).some(({ name }) => name === SECRET);
}

const versionSchema = z.object({
  resources: z.object({
    bindings: z.array(z.looseObject({ name: z.string(), text: z.string().optional() })),
  }),
});

/** Returns the texts of a version's bindings, by name. */
async function variablesOf(wrangler: RunWrangler, versionId: string): Promise<Map<string, string>> {
  const { resources } = parsePrinted(versionSchema, await wrangler(COMMANDS.version(versionId)));
  return new Map(resources.bindings.map(({ name, text }) => [name, text ?? ""]));
}

/** Returns the addresses of a list of hosts, separated by commas. */
function addressesIn(hosts: string): string[] {
  return hosts.split(",").map((host) => `https://${host}`);
}

/** Returns a jurisdiction as messages name it. */
function named(jurisdiction: string): string {
  return jurisdiction === "" ? "no jurisdiction" : `the jurisdiction ${jurisdiction}`;
}

function elsewhere(what: string, found: string, wanted: string): CommandFault {
  return new CommandFault(
    `The ${what} has ${named(found)}, but JURISDICTION in wrangler.toml is ${JSON.stringify(wanted)}. A resource cannot move: correct JURISDICTION, or give the environment other names.`,
  );
}

/** Refuses a jurisdiction that differs from the running version's, whose Durable Objects would be out of reach. */
function requireSameJurisdiction({ jurisdiction }: Settings, running: Map<string, string> | null): void {
  if (running === null) return;
  const before = running.get(JURISDICTION) ?? "";
  if (before !== jurisdiction) throw elsewhere("running version", before, jurisdiction);
}

/** Refuses resources outside of the jurisdiction, and creates missing queues in it. D1 follows with its databases. */
async function requireNothingElsewhere(settings: Settings, { wrangler, print }: Deployer): Promise<void> {
  const { worker, jurisdiction, bucket, queues, hasNamespaceId } = settings;
  if (jurisdiction !== "" && !JURISDICTIONS.some((known) => known === jurisdiction))
    throw new CommandFault(
      `JURISDICTION in wrangler.toml must be ${JURISDICTIONS.join(", ")} or empty; it is ${JSON.stringify(jurisdiction)}.`,
    );
  if (bucket.jurisdiction !== jurisdiction)
    throw new CommandFault(
      `JURISDICTION is ${JSON.stringify(jurisdiction)}, so [[r2_buckets]] in wrangler.toml needs ${jurisdiction === "" ? "no jurisdiction" : `jurisdiction = "${jurisdiction}"`}.`,
    );
  if (jurisdiction === "") return;
  if (!hasNamespaceId)
    throw new CommandFault(
      `Wrangler would create the KV namespace without a jurisdiction. Run npx wrangler kv namespace create ${worker}-partners --jurisdiction ${jurisdiction}, and write its id as id = "…" under [[kv_namespaces]] in wrangler.toml.`,
    );
  if ((await printedOrNull(wrangler, COMMANDS.bucketElsewhere(bucket.name))) !== null)
    throw elsewhere(`bucket ${bucket.name}`, "", jurisdiction);
  for (const queue of queues) {
    const printed = await printedOrNull(wrangler, COMMANDS.queue(queue));
    if (printed === null) {
      await wrangler(COMMANDS.createQueue(queue, jurisdiction));
      print(`Created the queue ${queue}.`);
      continue;
    }
    const found = /^Jurisdiction: (\S+)$/m.exec(printed)?.[1] ?? "";
    if (found !== jurisdiction) throw elsewhere(`queue ${queue}`, found, jurisdiction);
  }
}

/** Returns what a command prints about a resource. Null when the resource does not exist. */
async function printedOrNull(wrangler: RunWrangler, args: readonly string[]): Promise<string | null> {
  return wrangler(args).catch((fault: unknown) => {
    if (fault instanceof RemoteFault && /does not exist|not found/i.test(fault.message)) return null;
    throw fault;
  });
}

/** Returns the sorted hosts of the targets that are addresses. Wrangler also lists routes and schedules. */
function hostsOf(targets: readonly string[]): string[] {
  const hosts = targets.flatMap((target) =>
    target.startsWith("https://") ? (URL.parse(target)?.host ?? []) : [],
  );
  return [...new Set(hosts)].toSorted();
}

const outputSchema = z.object({ version_id: z.string(), targets: z.array(z.string()) });

/** Deploys the code. Wrangler reads the secret from a file and writes the result to another file as JSON lines. */
async function upload(
  { wrangler, commit }: Deployer,
  secret: string | null,
  ownHosts: readonly string[],
): Promise<{ version: string; targets: string[] }> {
  const folder = await mkdtemp(path.join(tmpdir(), "deployment-"));
  try {
    const output = path.join(folder, "output.jsonl");
    const secretsFile = secret === null ? null : path.join(folder, "secrets.json");
    if (secretsFile !== null) {
      await writeFile(secretsFile, JSON.stringify({ [SECRET]: secret }), { mode: 0o600 });
    }
    await wrangler(COMMANDS.deploy(secretsFile, ownHosts, commit), {
      WRANGLER_OUTPUT_FILE_PATH: output,
    }).catch(explainNamespace);
    const written = existsSync(output) ? (await readFile(output, "utf8")).trim().split("\n") : [];
    for (const line of written) {
      const entry = outputSchema.safeParse(parsePrinted(z.unknown(), line));
      if (entry.success) return { version: entry.data.version_id, targets: entry.data.targets };
    }
    throw new CommandFault("wrangler printed no version id. See npx wrangler deployments list.");
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Rethrows a failed upload. Wrangler finds databases, buckets and queues of an earlier attempt by name, but not a KV
 * namespace that no version is bound to.
 */
function explainNamespace(fault: unknown): never {
  if (!(fault instanceof RemoteFault) || !fault.message.includes(`[code: ${NAMESPACE_EXISTS}]`)) throw fault;
  throw new CommandFault(
    `${fault.message} A first deployment that failed left it. Find its id with npx wrangler kv namespace list. ` +
      "If it has no keys, delete it with npx wrangler kv namespace delete --namespace-id ID, and deploy again. " +
      "Otherwise set its id in wrangler.toml.",
  );
}

/** Returns the first target that is an address, without a trailing slash. */
function firstAddress(targets: readonly string[]): string | null {
  const address = targets.find((target) => target.startsWith("https://"));
  return address === undefined ? null : address.replace(/\/$/, "");
}
