// Runs a TypeScript command on a machine with any Node ≥ 20. Installs missing packages from the lockfile, then runs
// the command on the Node that the lockfile pins. Plain JavaScript, because it runs before any package is installed.
//   node src/cli/bootstrap.mjs [options of node] <script.ts> [arguments]
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

/** Compares the lockfile with npm's list of installed packages, which omits optional packages of other platforms. */
function isInstalled(locked) {
  const installed = packagesIn("node_modules/.package-lock.json");
  if (installed === null) return false;
  return Object.entries(locked).every(([folder, wanted]) => {
    if (folder === "") return true;
    const found = installed[folder];
    if (found === undefined) return wanted.optional === true;
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

/** Returns the path of the Node that the lockfile pins for this platform, installed or not. Returns null without one. */
function pinnedNode(locked) {
  for (const [folder, { bin, os, cpu }] of Object.entries(locked)) {
    if (bin?.node && [os].flat().includes(process.platform) && [cpu].flat().includes(process.arch)) {
      return path.join(root, folder, bin.node);
    }
  }
  return null;
}

function install() {
  process.stderr.write("Installing the packages of package-lock.json …\n");
  const options = ["ci", "--include=dev", "--include=optional", "--loglevel=error"];
  const stdio = ["ignore", "ignore", "inherit"];
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  // Uses the npm and the Node that run this command. Those in PATH may be the ones that `npm ci` replaces.
  const { status } =
    npm !== undefined && node !== undefined && path.basename(npm).startsWith("npm-cli")
      ? spawnSync(node, [npm, ...options], { cwd: root, stdio })
      : spawnSync("npm", options, { cwd: root, stdio, shell: process.platform === "win32" });
  if (status !== 0)
    fail("Cannot install the packages: `npm ci` failed, as shown above. Fix that and run the command again.");
}

const given = process.argv.slice(2);
const scriptAt = given.findIndex((argument) => !argument.startsWith("--"));
if (scriptAt === -1) fail("Usage: node src/cli/bootstrap.mjs [options of node] <script.ts> [arguments]");
const nodeOptions = given.slice(0, scriptAt);
const [script, ...args] = given.slice(scriptAt);

const locked = packagesIn("package-lock.json");
if (locked === null)
  fail("package-lock.json is missing or unreadable. Run the command in a complete checkout.");
const pinned = pinnedNode(locked);
if (!isInstalled(locked) || (pinned !== null && !existsSync(pinned))) install();

// Without a pinned Node, the machine's Node runs the command. It strips types since version 22.18.
const node = pinned ?? process.execPath;
if (pinned === null && !process.features.typescript) {
  fail(
    `${process.platform} ${process.arch} needs Node 22.18 or newer; this is ${process.version}. Install a newer Node.`,
  );
}

nodeOptions.push("--disable-warning=ExperimentalWarning");
// Compiling wrangler takes a second of each command. Node keeps the compiled code there.
const env = { NODE_COMPILE_CACHE: path.join(root, "node_modules/.cache/node"), ...process.env };
const child = spawn(node, [...nodeOptions, path.join(root, script), ...args], { stdio: "inherit", env });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
if (process.env.npm_lifecycle_event !== undefined) {
  // A signal to npm ends npm's shell, but not this process. The parent id then changes.
  const shell = process.ppid;
  setInterval(() => process.ppid !== shell && child.kill("SIGTERM"), 500).unref();
}
child.on("error", () => fail(`Cannot run ${node} on this machine.`));
child.on("exit", (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
