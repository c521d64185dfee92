import process from "node:process";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { runChecks } from "../checks.ts";
import { exitWith, misuse, readFlags } from "../commandLine.ts";
import { deploy, planOf } from "../deployment/deploy.ts";
import { readSettings } from "../deployment/settings.ts";
import { DEPLOYED, smokeTest } from "../deployment/smokeTest.ts";
import { readEnvironment } from "../target.ts";
import { remoteRegistry } from "../registries.ts";
import { wranglerFor } from "../wrangler.ts";

/** npm run deploy [-- --env staging] [-- --url ADDRESS] [-- --dry-run] */
const flags = readFlags({
  options: {
    env: { type: "string" },
    // Needed where the service has an address of its own instead of workers.dev.
    url: { type: "string" },
    "dry-run": { type: "boolean", default: false },
  },
});
if (!flags.ok) exitWith(flags);
const { env, url = null, "dry-run": isDryRun } = flags.values;
const named = readEnvironment(env);
if (!named.ok) exitWith(named);
const { environment } = named;
if (url !== null && !/^https:\/\/[^/]+$/.test(url)) {
  exitWith(misuse(`--url takes an address such as https://api.example.com, not ${JSON.stringify(url)}.`));
}

const settings = readSettings(environment);
if (isDryRun) {
  console.log(planOf(environment, settings));
} else {
  const wrangler = wranglerFor(environment);
  const outcome = await deploy(environment, settings, url, {
    wrangler,
    check: runChecks,
    askSecret,
    smokeTest: async (address) => smokeTest(address, remoteRegistry(wrangler), DEPLOYED),
    say: (line) => console.log(line),
  });
  if (!outcome.ok) exitWith(outcome);
}

/** From the environment where it is set there, else from the terminal, which does not show it. */
async function askSecret(name: string): Promise<string | null> {
  const given = process.env[name];
  if (given !== undefined && given !== "") return given;
  if (!process.stdin.isTTY) return null;
  process.stdout.write(`${name} (whsec_…, not shown): `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  const answer = (await terminal.question("")).trim();
  terminal.close();
  process.stdout.write("\n");
  return answer === "" ? null : answer;
}
