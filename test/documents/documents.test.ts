import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { anchorsIn, expandBraces, globPattern, referencesIn, type Layout } from "./references.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");

/** Folders that commands write and no checkout has. Documents may name them. */
const GENERATED = new Set(["node_modules", ".state", ".console", ".wrangler", "coverage"]);

/** Environment variables of other programs, which this code does not read. */
const FOREIGN_CONSTANTS = new Set(["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"]);

/** Extensions that a document may leave out. */
const EXTENSIONS = ["", ".ts", ".tsx"];

/** Every file and folder of the checkout, relative to its top level, with `/` between names. */
function listEntries(folder = ""): { files: string[]; folders: string[] } {
  const files: string[] = [];
  const folders: string[] = [];
  for (const entry of readdirSync(path.join(ROOT, folder), { withFileTypes: true })) {
    if (GENERATED.has(entry.name) || entry.name === ".git") continue;
    const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (!entry.isDirectory()) {
      files.push(name);
      continue;
    }
    const below = listEntries(name);
    folders.push(name, ...below.folders);
    files.push(...below.files);
  }
  return { files, folders };
}

const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");

const { files, folders } = listEntries();
const entries = [...files, ...folders];
const existing = new Set(entries);
const baseNames = entries.map((entry) => path.posix.basename(entry));

const documents = files.filter(
  (file) => file === "README.md" || /^(?:src|test)\/.*\.md$/.test(file) || /^\.github\/[^/]*\.md$/.test(file),
);

type Names = Record<string, string>;
const manifest = JSON.parse(read("package.json")) as {
  scripts: Names;
  dependencies: Names;
  devDependencies: Names;
  optionalDependencies: Names;
};
const scripts = new Set(Object.keys(manifest.scripts));
const dependencies = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies].flatMap(
  (names) => Object.keys(names),
);

/** Words of the code, without its comments. */
const identifiers = new Set(
  files
    .filter((file) => /^(?:src|test|migrations)\/.*\.(?:ts|tsx|mjs|sql)$|^wrangler\.toml$/.test(file))
    .filter((file) => !file.startsWith("test/documents/"))
    .flatMap(
      (file) =>
        read(file)
          .replaceAll(/\/\*[\s\S]*?\*\//g, "")
          .replaceAll(/(?:^|\s)(?:\/\/|#\s).*$/gm, "")
          .match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g) ?? [],
    ),
);

function layoutFor(document: string): Layout {
  const below = (folder: string) =>
    folders.filter((name) => path.posix.dirname(name) === folder).map((name) => path.posix.basename(name));
  return {
    top: new Set(entries.filter((name) => !name.includes("/"))),
    rooms: new Set([...below("src"), ...below(path.posix.dirname(document))]),
  };
}

/** Whether a path exists, counted from the top level, from src or from the document's folder. */
function pathExists(written: string, document: string): boolean {
  return expandBraces(written.replace(/\/$/, "")).every((name) => {
    if (GENERATED.has(name.split("/")[0] ?? "")) return true;
    // A name without a folder may be a file of any folder that the sentence is about.
    if (!name.includes("/")) return baseNames.some((base) => globPattern(name).test(base));
    return [".", "src", path.posix.dirname(document)].some((base) => {
      const full = path.posix.normalize(path.posix.join(base, name));
      if (!full.includes("*")) return EXTENSIONS.some((extension) => existing.has(full + extension));
      return entries.some((entry) => globPattern(full).test(entry));
    });
  });
}

function linkExists(target: string, document: string): boolean {
  const [file = "", anchor] = target.split("#");
  const full =
    file === "" ? document : path.posix.normalize(path.posix.join(path.posix.dirname(document), file));
  if (!existing.has(full.replace(/\/$/, ""))) return false;
  return anchor === undefined || (full.endsWith(".md") && anchorsIn(read(full)).has(anchor));
}

describe.each(documents)("%s", (document) => {
  const found = referencesIn(read(document), layoutFor(document));

  it("names only files and folders that exist", () => {
    expect(found.paths.filter((name) => !pathExists(name, document))).toEqual([]);
  });

  it("names only npm scripts that exist", () => {
    expect(found.scripts.filter((name) => !scripts.has(name))).toEqual([]);
  });

  it("names only constants that the code has", () => {
    const unknown = found.constants.filter((name) => !identifiers.has(name) && !FOREIGN_CONSTANTS.has(name));
    expect(unknown).toEqual([]);
  });

  it("links only to files and headings that exist", () => {
    expect(found.links.filter((target) => !linkExists(target, document))).toEqual([]);
  });
});

describe("README.md", () => {
  it("has every folder of src in its map", () => {
    const readme = read("README.md");
    const rooms = folders.filter((name) => /^src\/[^/]+$/.test(name));
    expect(rooms.filter((room) => !readme.includes(`\`${room}/\``))).toEqual([]);
  });
});

describe("src/DECISIONS.md", () => {
  it("gives a reason for every dependency", () => {
    const [, table = ""] = read("src/DECISIONS.md").split("## Dependencies");
    expect(dependencies.filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("references in a document", () => {
  const layout: Layout = { top: new Set(["src", "test", ".github"]), rooms: new Set(["files", "http"]) };
  const inSpan = (code: string) => referencesIn(`Text \`${code}\` text.`, layout);

  it.each([
    "src/lost.ts",
    "src/lost/",
    ".github/LOST.md",
    "files/unwrap",
    "http/routes/",
    "lost/file.ts",
    "lost.ts",
    "*.pure.ts",
    "src/**/*.md",
    "src/{env,log}.ts",
  ])("include the path %s", (code) => {
    expect(inSpan(code).paths).toEqual([code]);
  });

  it.each([
    "/api/files/",
    "https://example.com/src/lost.ts",
    "application/json",
    "inline/",
    "user_id",
    "files.version",
    "<partner_id>/files",
    "src/<room>/read.ts",
    "original_missing",
    "service.log",
    "--state",
    "23/24",
  ])("do not include %s as a path", (code) => {
    expect(inSpan(code).paths).toEqual([]);
  });

  it("include paths of commands, also in blocks", () => {
    const block = "```sh\nnpm test -- src/lost.test.ts\n```\n";
    expect(referencesIn(block, layout)).toMatchObject({ paths: ["src/lost.test.ts"], scripts: ["test"] });
    expect(inSpan("npm run --silent check -- --json").scripts).toEqual(["check"]);
    expect(inSpan("npm ci").scripts).toEqual([]);
  });

  it("include constants of two words or more, with or without a value", () => {
    expect(inSpan("MAX_PINGS").constants).toEqual(["MAX_PINGS"]);
    expect(inSpan("KILL_SEED=n npm run test:kill")).toMatchObject({
      constants: ["KILL_SEED"],
      scripts: ["test:kill"],
    });
    expect(inSpan("BULK").constants).toEqual([]);
  });

  it("include links to files and headings, not to other sites", () => {
    const text = "[a](src/lost.md#part), [b](#part), [c](https://example.com), [d](/docs/)";
    expect(referencesIn(text, layout).links).toEqual(["src/lost.md#part", "#part"]);
  });

  it("expand braces to several paths, and match paths with stars", () => {
    expect(expandBraces("src/{env,log}.{ts,md}")).toEqual([
      "src/env.ts",
      "src/env.md",
      "src/log.ts",
      "src/log.md",
    ]);
    expect(globPattern("src/**/*.md").test("src/cli/OPERATIONS.md")).toBe(true);
    expect(globPattern("src/*.md").test("src/cli/OPERATIONS.md")).toBe(false);
  });

  it("match headings by the anchors of links", () => {
    expect(anchorsIn("# One\n\n## A file's `way`, in 2 steps\n")).toEqual(
      new Set(["one", "a-files-way-in-2-steps"]),
    );
  });
});
