// Runs a TypeScript command on whatever Node ≥ 20 the machine has: installs from the lockfile what is missing,
// then hands over to the Node that the lockfile pins. Plain JavaScript, because nothing is installed yet.
//   node src/cli/bootstrap.mjs <script.ts> [arguments]
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");

function fail(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

function packagesIn(lockfile) {
  try {
    return JSON.parse(readFileSync(path.join(root, lockfile), "utf8")).packages ?? {};
  } catch {
    return null;
  }
}

/** npm leaves a list of what it installed; an optional package that is not for this platform is absent from it. */
function isInstalled(locked) {
  const present = packagesIn("node_modules/.package-lock.json");
  if (present === null) return false;
  return Object.entries(locked).every(([folder, wanted]) => {
    if (folder === "") return true;
    const found = present[folder];
    if (found === undefined) return wanted.optional === true;
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

/** The Node that the lockfile pins for this platform, installed or not; null when it pins none. */
function pinnedNode(locked) {
  for (const [folder, { bin, os, cpu }] of Object.entries(locked)) {
    if (bin?.node && [os].flat().includes(process.platform) && [cpu].flat().includes(process.arch)) {
      return path.join(root, folder, bin.node);
    }
  }
  return null;
}

function install() {
  process.stderr.write("Installing packages from the lockfile, once …\n");
  const options = ["ci", "--include=dev", "--include=optional", "--loglevel=error"];
  const stdio = ["ignore", "ignore", "inherit"];
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  // Under npm, the same npm on the same Node: the one first in the PATH may be the one being replaced.
  const { status } =
    npm !== undefined && node !== undefined && path.basename(npm).startsWith("npm-cli")
      ? spawnSync(node, [npm, ...options], { cwd: root, stdio })
      : spawnSync("npm", options, { cwd: root, stdio, shell: process.platform === "win32" });
  if (status !== 0) fail("The packages could not be installed: `npm ci` failed as shown above.");
}

const [script, ...args] = process.argv.slice(2);
if (script === undefined) fail("Usage: node src/cli/bootstrap.mjs <script.ts> [arguments]");

const locked = packagesIn("package-lock.json");
if (locked === null) fail("package-lock.json is missing or unreadable: run this in a complete checkout.");
const pinned = pinnedNode(locked);
if (!isInstalled(locked) || (pinned !== null && !existsSync(pinned))) install();

// Without a pinned Node the machine's own must strip types by itself, which it does from 22.18 on.
const node = pinned ?? process.execPath;
if (pinned === null && !process.features.typescript) {
  fail(`Node 22.18 or newer is needed on ${process.platform} ${process.arch}; this is ${process.version}.`);
}

const child = spawn(node, ["--disable-warning=ExperimentalWarning", path.join(root, script), ...args], {
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
if (process.env.npm_lifecycle_event !== undefined) {
  // A signal sent to npm ends npm's shell but not what the shell runs.
  const shell = process.ppid;
  setInterval(() => process.ppid !== shell && child.kill("SIGTERM"), 500).unref();
}
child.on("error", () => fail(`${node} does not run on this machine.`));
child.on("exit", (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
