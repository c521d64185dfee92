import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { z } from "zod";

const ROOT = path.join(import.meta.dirname, "..", "..");
/** Files that decide what the service does and stores. */
const SERVICE = ["src", "migrations", "wrangler.toml", "package-lock.json", ":(exclude)*.md"];
/** Number of commits to search. */
const COMMITS = 200;
/** A line in the message of a commit after which earlier code and data do not work together. */
const INCOMPATIBLE = "Stored-Format: incompatible";

export interface PreviousService {
  /** First 12 digits and subject of the commit. */
  commit: string;
  /** Checkout of the commit, with today's packages. */
  root: string;
  remove(): Promise<void>;
}

/**
 * Checks out the newest commit with another service than this folder, if both can use one state: its migrations and its
 * collector schema are the beginning of today's, and no later commit declares its stored format incompatible. Returns
 * the reason otherwise.
 */
export async function previousService(): Promise<PreviousService | { reason: string }> {
  if (!existsSync(path.join(ROOT, ".git"))) return { reason: "this folder is not a git repository" };
  const found = await previousCommit();
  if ("reason" in found) return found;
  const { commit } = found;
  const root = await mkdtemp(path.join(tmpdir(), "previous-"));
  const remove = async () => rm(root, { recursive: true, force: true });
  try {
    const archive = path.join(root, "archive.tar");
    await git("archive", "-o", archive, commit.slice(0, 12));
    await promisify(execFile)("tar", ["-xf", archive, "-C", root]);
    await symlink(path.join(ROOT, "node_modules"), path.join(root, "node_modules"));
    const problem = await incompatibility(root);
    if (problem === null) return { commit, root, remove };
    await remove();
    return { reason: `${commit}: ${problem}` };
  } catch (fault) {
    await remove();
    throw fault;
  }
}

async function previousCommit(): Promise<{ commit: string } | { reason: string }> {
  const format = "--format=%h%x09%s%x09%(trailers:key=Stored-Format,separator=%x20)";
  let log: string;
  try {
    log = await git("log", "--first-parent", `-${COMMITS}`, "--abbrev=12", format);
  } catch {
    return { reason: "git has no commits here" };
  }
  for (const line of log.trim().split("\n")) {
    const [hash = "", subject = "", trailers = ""] = line.split("\t");
    const commit = `${hash} ${subject}`;
    if ((await git("diff", "--name-only", hash, "--", ...SERVICE)) !== "") return { commit };
    if (trailers.includes(INCOMPATIBLE)) return { reason: `${commit} says "${INCOMPATIBLE}"` };
  }
  return { reason: "the history contains no other version of the service (a shallow clone?)" };
}

/** Returns why code and data of this folder and of the checkout do not work together. Null: they do. */
async function incompatibility(root: string): Promise<string | null> {
  const read = async (folder: string, file: string) => readFile(path.join(folder, file), "utf8");
  const lock = "package-lock.json";
  if ((await read(root, lock)) !== (await read(ROOT, lock))) return "it needs other packages";
  const [before, now] = await Promise.all([migrationsOf(root), migrationsOf(ROOT)]);
  if (!isBeginning(before, now)) return "its migrations are not the beginning of today's";
  const [tablesBefore, tablesNow] = await Promise.all([collectorSchema(root), collectorSchema(ROOT)]);
  if (!isBeginning(tablesBefore, tablesNow)) {
    return "its steps of the collector's schema are not the beginning of today's";
  }
  const readableFrom = Math.max(...tablesNow.map((step) => step.readableFrom));
  return readableFrom > tablesBefore.length ? "it cannot read today's tables of a collector" : null;
}

/** Returns the migrations of a checkout in their order, without comments. */
async function migrationsOf(root: string): Promise<{ name: string; sql: string }[]> {
  const folder = path.join(root, "migrations");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sql")).toSorted();
  return Promise.all(
    names.map(async (name) => ({ name, sql: plainSql(await readFile(path.join(folder, name), "utf8")) })),
  );
}

const schemaModule = z.object({
  MIGRATIONS: z.array(z.object({ sql: z.string().transform(plainSql), readableFrom: z.number() })),
});

async function collectorSchema(root: string) {
  const module: unknown = await import(path.join(root, "src/collector/storage/schema.ts"));
  return schemaModule.parse(module).MIGRATIONS;
}

function plainSql(sql: string): string {
  return sql.replaceAll(/--.*$/gm, "").replaceAll(/\s+/g, " ").trim();
}

function isBeginning(before: readonly unknown[], now: readonly unknown[]): boolean {
  return (
    before.length <= now.length &&
    before.every((step, index) => JSON.stringify(step) === JSON.stringify(now[index]))
  );
}

async function git(...args: string[]): Promise<string> {
  return (await promisify(execFile)("git", args, { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 })).stdout;
}
