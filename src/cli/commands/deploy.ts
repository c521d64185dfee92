import process from "node:process";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { runChecks } from "../checks.ts";
import { cloudflareFor } from "../cloudflare.ts";
import { readCommit } from "../commit.ts";
import { exitWith, misuse, readFlags } from "../commandLine.ts";
import { deploy, deploymentPlan } from "../deployment/deploy.ts";
import { readSettings } from "../deployment/settings.ts";
import { DEPLOYED, smokeTest } from "../deployment/smokeTest.ts";
import { readEnvironment } from "../target.ts";
import { remoteRegistry } from "../registries.ts";
import { wranglerFor } from "../wrangler.ts";

/** npm run deploy [-- --env staging] [-- --url ADDRESS] [-- --dry-run] */
const flags = readFlags({
  options: {
    env: { type: "string" },
    // Required for a service that has its own domain instead of a workers.dev address.
    url: { type: "string" },
    "dry-run": { type: "boolean", default: false },
  },
});
if (!flags.ok) exitWith(flags);
const { env, url = null, "dry-run": isDryRun } = flags.values;
const selected = readEnvironment(env);
if (!selected.ok) exitWith(selected);
const { environment } = selected;
if (url !== null && !/^https:\/\/[^/]+$/.test(url)) {
  exitWith(
    misuse(
      `--url must be an address such as https://api.example.com, without a path; received ${JSON.stringify(url)}.`,
    ),
  );
}

const settings = readSettings(environment);
if (isDryRun) {
  console.log(deploymentPlan(environment, settings));
} else {
  const wrangler = wranglerFor(environment);
  const outcome = await deploy(environment, settings, url, {
    wrangler,
    check: runChecks,
    askSecret,
    commit: await readCommit(),
    smokeTest: async (address, version) =>
      smokeTest(address, version, remoteRegistry(cloudflareFor(environment)), DEPLOYED),
    print: (line) => console.log(line),
  });
  if (!outcome.ok) exitWith(outcome);
}

/** Reads a secret from the environment, or else from the terminal, which does not show it. */
async function askSecret(name: string): Promise<string | null> {
  const given = process.env[name];
  if (given !== undefined && given !== "") return given;
  if (!process.stdin.isTTY) return null;
  process.stdout.write(`${name} (whsec_…, not shown as you type): `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  const answer = (await terminal.question("")).trim();
  terminal.close();
  process.stdout.write("\n");
  return answer === "" ? null : answer;
}
