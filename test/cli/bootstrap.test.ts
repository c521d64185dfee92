import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { runNode, type CommandRun } from "./commandRun.ts";

const BOOTSTRAP = path.join(import.meta.dirname, "..", "..", "src", "cli", "bootstrap.mjs");

type Packages = Record<string, { version?: string; integrity?: string; optional?: true }>;

/** A Node for this platform, pinned by the lockfile. Its installation links the Node that runs the tests. */
const PINNED = {
  "node_modules/pinned-node": {
    version: "1.0.0",
    integrity: "sha512-node",
    optional: true,
    os: process.platform,
    cpu: process.arch,
    bin: { node: "bin/node" },
  },
} as const;
const LOCKED: Packages = {
  "": {},
  "node_modules/one": { version: "1.0.0", integrity: "sha512-one" },
  "node_modules/elsewhere": { version: "1.0.0", integrity: "sha512-else", optional: true },
  ...PINNED,
};
const { "node_modules/elsewhere": _notForThisPlatform, "": _root, ...INSTALLED } = LOCKED;

const lockfileSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      os: z.unknown().optional(),
      cpu: z.unknown().optional(),
      bin: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

const SCRIPT = `const given: string[] = process.argv.slice(2);
console.log(JSON.stringify(given));
process.exitCode = 7;`;

/** Simulates npm: installs the packages of the lockfile for this platform. Fails if the file npm-fails exists. */
const NPM = `const fs = require("node:fs");
fs.appendFileSync("npm-ran", process.argv.slice(2).join(" ") + "\\n");
if (fs.existsSync("npm-fails")) process.exit(1);
fs.mkdirSync("node_modules/pinned-node/bin", { recursive: true });
fs.rmSync("node_modules/pinned-node/bin/node", { force: true });
fs.symlinkSync(process.execPath, "node_modules/pinned-node/bin/node");
fs.writeFileSync("node_modules/.package-lock.json", fs.readFileSync("package-lock.json"));`;

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map(async (folder) => rm(folder, { recursive: true })));
});

class Checkout {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async write(file: string, text: string): Promise<void> {
    const target = path.join(this.folder, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
  }

  async run(...args: string[]): Promise<CommandRun> {
    return runNode([path.join(this.folder, "src/cli/bootstrap.mjs"), ...args], {
      npm_execpath: path.join(this.folder, "npm-cli.js"),
      npm_node_execpath: process.execPath,
    });
  }

  async installs(): Promise<string[]> {
    const record = path.join(this.folder, "npm-ran");
    return existsSync(record) ? (await readFile(record, "utf8")).trim().split("\n") : [];
  }
}

/** Creates a checkout with a lockfile and, unless null, a list of installed packages. */
async function checkout(installed: Packages | null, locked: Packages = LOCKED): Promise<Checkout> {
  const folder = await mkdtemp(path.join(tmpdir(), "checkout-"));
  folders.push(folder);
  const created = new Checkout(folder);
  await created.write("package-lock.json", JSON.stringify({ packages: locked }));
  await created.write("script.ts", SCRIPT);
  await created.write("npm-cli.js", NPM);
  await created.write("package.json", "{}");
  await mkdir(path.join(folder, "src", "cli"), { recursive: true });
  await cp(BOOTSTRAP, path.join(folder, "src", "cli", "bootstrap.mjs"));
  if (installed !== null) {
    await created.write("node_modules/.package-lock.json", JSON.stringify({ packages: installed }));
    const node = path.join(folder, "node_modules/pinned-node/bin/node");
    await created.write(
      "link.cjs",
      `require("node:fs").symlinkSync(process.execPath, ${JSON.stringify(node)})`,
    );
    await mkdir(path.dirname(node), { recursive: true });
    await runNode([path.join(folder, "link.cjs")]);
  }
  return created;
}

test("an installation runs no scripts of packages, and every platform gets the same version of Node", async () => {
  const root = path.join(import.meta.dirname, "..", "..");
  expect((await readFile(path.join(root, ".npmrc"), "utf8")).split("\n")).toContain("ignore-scripts=true");
  const { packages } = lockfileSchema.parse(
    JSON.parse(await readFile(path.join(root, "package-lock.json"), "utf8")),
  );
  const nodes = Object.values(packages).filter(
    ({ bin, os }) => bin?.["node"] !== undefined && os !== undefined,
  );
  expect(nodes.map(({ os, cpu }) => [os, cpu].join(" ")).toSorted()).toEqual([
    "darwin arm64",
    "linux arm64",
    "linux x64",
    "win32 x64",
  ]);
  expect(new Set(nodes.map(({ version }) => version)).size).toBe(1);
});

describe("a command in a fresh checkout", () => {
  test("prints one line, installs from the lockfile, and runs; a second run installs nothing", async () => {
    const fresh = await checkout(null);
    const first = await fresh.run("script.ts");
    expect(first).toEqual({
      exitCode: 7,
      out: "[]\n",
      err: "Installing the packages of package-lock.json …\n",
    });
    expect(await fresh.installs()).toHaveLength(1);
    expect((await fresh.installs())[0]).toMatch(/^ci /);
    const second = await fresh.run("script.ts");
    expect(second).toEqual({ exitCode: 7, out: "[]\n", err: "" });
    expect(await fresh.installs()).toHaveLength(1);
  });

  test("prints one line and exits with 1 when the installation fails", async () => {
    const fresh = await checkout(null);
    await fresh.write("npm-fails", "");
    const { exitCode, out, err } = await fresh.run("script.ts");
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: "" });
    expect(err.split("\n").slice(1)).toEqual([
      "Cannot install the packages: `npm ci` failed, as shown above. Fix that and run the command again.",
      "",
    ]);
  });
});

describe("a command in a checkout with packages", () => {
  test("passes on arguments, output and exit code, and installs nothing", async () => {
    const complete = await checkout(INSTALLED);
    const given = ["--flag", "a b", "--", "-x", ""];
    expect(await complete.run("script.ts", ...given)).toEqual({
      exitCode: 7,
      out: `${JSON.stringify(given)}\n`,
      err: "",
    });
    expect(await complete.installs()).toEqual([]);
  });

  test.each<[string, Packages]>([
    [
      "has another version than in the lockfile",
      { ...INSTALLED, "node_modules/one": { version: "0.9.0", integrity: "sha512-one" } },
    ],
    [
      "has another integrity hash than in the lockfile",
      { ...INSTALLED, "node_modules/one": { version: "1.0.0", integrity: "sha512-two" } },
    ],
    ["is missing", PINNED],
  ])("installs again when a package %s", async (_how, installed) => {
    const outdated = await checkout(installed);
    expect((await outdated.run("script.ts")).exitCode).toBe(7);
    expect(await outdated.installs()).toHaveLength(1);
  });

  test("installs again when the pinned Node is missing", async () => {
    const broken = await checkout(INSTALLED);
    await rm(path.join(broken.folder, "node_modules/pinned-node"), { recursive: true });
    expect((await broken.run("script.ts")).exitCode).toBe(7);
    expect(await broken.installs()).toHaveLength(1);
  });

  test("runs on the machine's Node when the lockfile pins none for the platform", async () => {
    const { "node_modules/pinned-node": _pinned, ...others } = LOCKED;
    const unpinned = await checkout(INSTALLED, others);
    expect(await unpinned.run("script.ts", "x")).toEqual({ exitCode: 7, out: '["x"]\n', err: "" });
  });
});

test("a command in an incomplete checkout reports the missing lockfile", async () => {
  const incomplete = await checkout(INSTALLED);
  await rm(path.join(incomplete.folder, "package-lock.json"));
  expect(await incomplete.run("script.ts")).toEqual({
    exitCode: 1,
    out: "",
    err: "package-lock.json is missing or unreadable. Run the command in a complete checkout.\n",
  });
});
