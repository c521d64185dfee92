import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { CommandFault, refuse, type Refusal } from "../commandLine.ts";
import { answered, environmentFlag, RemoteFault, type Environment, type RunWrangler } from "../wrangler.ts";
import type { Settings } from "./settings.ts";

const SECRET = "TRAINING_PLAN_SECRET";
/** The variable that lists the service's own hosts. */
const OWN_HOSTS = "OWN_HOSTS";

/** What a deployment needs of the machine that it runs on. */
export interface Deployer {
  wrangler: RunWrangler;
  /** Types, lint and format; false, with everything said, when one fails. */
  check(): Promise<boolean>;
  /** Asks a person for a secret; null where nobody is to be asked. */
  askSecret(name: string): Promise<string | null>;
  /** Null when the service at this address works; otherwise what does not. */
  smokeTest(url: string): Promise<string | null>;
  say: (line: string) => void;
}

/** Each wrangler command of a deployment, by what it is for; they are also what --dry-run prints. */
const COMMANDS = {
  account: () => ["whoami", "--json"],
  versions: () => ["deployments", "list", "--json"],
  databases: () => ["d1", "list", "--json"],
  createDatabase: ({ databaseName }: Settings) => ["d1", "create", databaseName],
  bookmark: () => ["d1", "time-travel", "info", "DB", "--json"],
  secrets: () => ["secret", "list", "--format", "json"],
  migrate: () => ["d1", "migrations", "apply", "DB", "--remote"],
  version: (versionId: string) => ["versions", "view", versionId, "--json"],
  deploy: (secretsFile: string | null, ownHosts: readonly string[]) => [
    "deploy",
    ...(secretsFile === null ? [] : ["--secrets-file", secretsFile]),
    ...(ownHosts.length === 0 ? [] : ["--var", `${OWN_HOSTS}:${ownHosts.join(",")}`]),
  ],
};

/** The steps in words, each with its exact command. */
export function planOf(environment: Environment, settings: Settings): string {
  const shown = (args: readonly string[]) =>
    `npx wrangler ${[...args, ...environmentFlag(environment)].join(" ")}`;
  const steps: [string, string[]][] = [
    ["Types, lint and format hold", ["npm run check"]],
    ["Somebody is logged in", [shown(COMMANDS.account())]],
    [
      "The version that runs now is noted, as the way back, and the hosts that it knows as its own",
      [shown(COMMANDS.versions()), shown(COMMANDS.version("<version>"))],
    ],
    [
      `The database ${settings.databaseName} is there, or is created`,
      [shown(COMMANDS.databases()), shown(COMMANDS.createDatabase(settings))],
    ],
    ["Its state is noted, as the way back (not on a first deployment)", [shown(COMMANDS.bookmark())]],
    [
      settings.trainingPlanUrl === ""
        ? "No secret is needed: TRAINING_PLAN_URL is empty"
        : `${SECRET} is there, or is asked for once and goes with the code`,
      settings.trainingPlanUrl === "" ? [] : [shown(COMMANDS.secrets())],
    ],
    ["The database is migrated, before any code needs it", [shown(COMMANDS.migrate())]],
    [
      "The code is deployed (once more where its addresses have changed); wrangler creates the KV namespace, the bucket and the queues that are missing",
      [
        shown(
          COMMANDS.deploy(settings.trainingPlanUrl === "" ? null : "<file, on a first deployment>", [
            "<hosts>",
          ]),
        ),
      ],
    ],
    [
      "A passing partner is made, proves itself at the deployed address like npm run verify, and is removed",
      [],
    ],
  ];
  return steps
    .map(([what, commands], index) =>
      [`${index + 1}. ${what}`, ...commands.map((line) => `   ${line}`)].join("\n"),
    )
    .join("\n");
}

/** Deploys an environment: nothing after a step that fails is tried. */
export async function deploy(
  environment: Environment,
  settings: Settings,
  url: string | null,
  deployer: Deployer,
): Promise<{ ok: true } | Refusal> {
  const { wrangler, say } = deployer;
  if (!(await deployer.check())) return refuse("Nothing was deployed: the checks fail as shown above.");
  let stage = "Nothing was deployed";
  // From the first step on that changes what runs, nobody is left without the way back.
  let wayBack: string | null = null;
  const refused = (problem: string) => refuse(wayBack === null ? problem : `${problem}\n${wayBack}`);
  try {
    await requireLogin(wrangler);
    const previous = await runningVersion(wrangler);
    const known = previous === null ? [] : await ownAddressesOf(wrangler, previous);
    say(`${settings.worker} ${previous === null ? "is deployed for the first time" : `runs ${previous}`}.`);
    const given = url === null ? [] : [url];
    const expectedHosts = hostsOf([...given, ...known]);
    const bookmark = await bookmarkOrNewDatabase(settings, deployer);

    const secret = await missingSecret(settings, previous, deployer);

    wayBack = wayBackFrom(environment, previous, bookmark);
    stage = "The code was not deployed: a migration failed";
    await wrangler(COMMANDS.migrate());
    say("Database migrated.");

    stage = "The deployment failed";
    let { version, targets } = await upload(wrangler, secret, expectedHosts);
    const ownHosts = hostsOf([...given, ...targets]);
    if (ownHosts.join() !== expectedHosts.join()) {
      // Cloudflare says where a Worker is served only once it is.
      stage = `Version ${version} deployed, but it does not know its own hosts`;
      ({ version, targets } = await upload(wrangler, null, ownHosts));
    }
    const address = url ?? addressAmong(targets);
    say(`Version ${version} deployed${address === null ? "" : ` at ${address}`}.`);

    if (address === null) return refused("Deployed, but not tried: no address is known. Say it with --url.");
    stage = "Deployed, but not tried";
    const fault = await deployer.smokeTest(address);
    if (fault !== null) return refused(`Deployed, but the smoke test failed: ${fault}`);
    say(`Smoke test passed.\n${wayBack}`);
    return { ok: true };
  } catch (fault) {
    if (!(fault instanceof CommandFault)) throw fault;
    return refused(`${stage}: ${fault.message}`);
  }
}

async function requireLogin(wrangler: RunWrangler): Promise<void> {
  await wrangler(COMMANDS.account()).catch((fault: unknown) => {
    if (!(fault instanceof RemoteFault) || !isLoggedOut(fault.printed)) throw fault;
    throw new CommandFault("nobody is logged in; use npx wrangler login, or set CLOUDFLARE_API_TOKEN.");
  });
}

/** Returns the way back to the database as it is; creates the database, and returns null, when there is none. */
async function bookmarkOrNewDatabase(
  settings: Settings,
  { wrangler, say }: Deployer,
): Promise<string | null> {
  if (await hasDatabase(wrangler, settings)) return bookmarkOf(wrangler);
  await wrangler(COMMANDS.createDatabase(settings));
  say(`Database ${settings.databaseName} created.`);
  return null;
}

/** Asks for the secret of plan requests if it is needed and not there. Returns null when nothing has to be sent. */
async function missingSecret(
  settings: Settings,
  previous: string | null,
  deployer: Deployer,
): Promise<string | null> {
  if (settings.trainingPlanUrl === "") return null;
  if (previous !== null && (await hasSecret(deployer.wrangler))) return null;
  const secret = await deployer.askSecret(SECRET);
  if (secret !== null) return secret;
  throw new CommandFault(`TRAINING_PLAN_URL is set, so ${SECRET} is needed in the environment.`);
}

/** What `whoami` prints, beside its failure, where there is no login; any other failure is of something else. */
function isLoggedOut(printed: string): boolean {
  return /"loggedIn":\s*false/.test(printed);
}

/** How to undo it: code and data have each their own way back. */
function wayBackFrom(environment: Environment, previous: string | null, bookmark: string | null): string {
  const flag = environmentFlag(environment).join(" ");
  const lines = [
    previous === null
      ? "There is no earlier version to roll back to."
      : `Roll the code back:      npx wrangler rollback ${previous} ${flag}`,
  ];
  if (bookmark !== null) {
    lines.push(`Database as it was, if a migration is at fault (what came since is lost there):
                         npx wrangler d1 time-travel restore DB --bookmark=${bookmark} ${flag}`);
  }
  return lines.join("\n");
}

const namesSchema = z.array(z.object({ name: z.string() }));
const deploymentsSchema = z.array(
  z.object({ created_on: z.string(), versions: z.array(z.object({ version_id: z.string() })) }),
);

/** The version that serves now; null before the first deployment. */
async function runningVersion(wrangler: RunWrangler): Promise<string | null> {
  const listed = await wrangler(COMMANDS.versions()).catch((fault: unknown) => {
    // Cloudflare's code of a script that is not there.
    if (fault instanceof RemoteFault && fault.message.includes("10007")) return "[]";
    throw fault;
  });
  const deployments = answered(deploymentsSchema, listed);
  const newest = deployments.toSorted((a, b) => a.created_on.localeCompare(b.created_on)).at(-1);
  return newest?.versions[0]?.version_id ?? null;
}

async function hasDatabase(wrangler: RunWrangler, { databaseName }: Settings): Promise<boolean> {
  return answered(namesSchema, await wrangler(COMMANDS.databases())).some(
    ({ name }) => name === databaseName,
  );
}

async function bookmarkOf(wrangler: RunWrangler): Promise<string> {
  return answered(z.object({ bookmark: z.string() }), await wrangler(COMMANDS.bookmark())).bookmark;
}

async function hasSecret(wrangler: RunWrangler): Promise<boolean> {
  return answered(namesSchema, await wrangler(COMMANDS.secrets())).some(({ name }) => name === SECRET);
}

const versionSchema = z.object({
  resources: z.object({
    bindings: z.array(z.looseObject({ name: z.string(), text: z.string().optional() })),
  }),
});

/** Addresses that a version knows as its own; none where it was deployed without them. */
async function ownAddressesOf(wrangler: RunWrangler, versionId: string): Promise<string[]> {
  const { resources } = answered(versionSchema, await wrangler(COMMANDS.version(versionId)));
  const listed = resources.bindings.find(({ name }) => name === OWN_HOSTS)?.text ?? "";
  return listed.split(",").map((host) => `https://${host}`);
}

/** The hosts of those that are addresses, each once and in order; routes and schedules are listed with them. */
function hostsOf(targets: readonly string[]): string[] {
  const hosts = targets.flatMap((target) =>
    target.startsWith("https://") ? (URL.parse(target)?.host ?? []) : [],
  );
  return [...new Set(hosts)].toSorted();
}

const outputSchema = z.object({ version_id: z.string(), targets: z.array(z.string()) });

/** Deploys the code. Wrangler writes what came of it as JSON lines to a file; a secret goes by a file as well. */
async function upload(
  wrangler: RunWrangler,
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
    await wrangler(COMMANDS.deploy(secretsFile, ownHosts), { WRANGLER_OUTPUT_FILE_PATH: output });
    const written = existsSync(output) ? (await readFile(output, "utf8")).trim().split("\n") : [];
    for (const line of written) {
      const entry = outputSchema.safeParse(answered(z.unknown(), line));
      if (entry.success) return { version: entry.data.version_id, targets: entry.data.targets };
    }
    throw new CommandFault("wrangler does not say which version it has deployed.");
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The first of the places that is an address; routes and schedules are listed with them. */
function addressAmong(targets: readonly string[]): string | null {
  const address = targets.find((target) => target.startsWith("https://"));
  return address === undefined ? null : address.replace(/\/$/, "");
}
