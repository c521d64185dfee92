/** Finds what a Markdown document names in this repository: paths, npm scripts, constants and links. Pure. */

export interface References {
  /** Paths and globs of files or folders, as written. */
  paths: string[];
  /** Names of npm scripts. */
  scripts: string[];
  /** Names in UPPER_SNAKE case. */
  constants: string[];
  /** Targets of links to files or headings of this repository. */
  links: string[];
}

/** Names that distinguish a path from a media type, a route or an object key. */
export interface Layout {
  /** Names of the entries at the top level. */
  top: ReadonlySet<string>;
  /** Names of the folders of src, and of the document's own folder. */
  rooms: ReadonlySet<string>;
}

const FENCE = /^(```|~~~)[^\n]*\n([\s\S]*?)^\1[ \t]*$/gm;
const CODE_SPAN = /(`+)([\s\S]*?[^`])\1(?!`)/g;
const LINK = /\]\(([^()\s]+)\)/g;
const SCRIPT = /\bnpm (?:(?:run|run-script) (?:--?[\w-]+ )*([\w:-]+)|(test|start)\b)/g;
const CONSTANT = /^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=.*)?$/;
/** A path has no characters of URLs, placeholders, flags or code. */
const PATH_CHARACTERS = /^[\w.@*{},/-]+$/;
/** A name without a folder is a file of this repository if it ends like a source file. */
const SOURCE_FILE = /\.(?:ts|tsx|mjs|sql|toml|md)$/;

/** Returns everything that the document names, each name once. */
export function referencesIn(markdown: string, layout: Layout): References {
  const prose = markdown.replaceAll(FENCE, "");
  const fenced = [...markdown.matchAll(FENCE)].map((match) => match[2] ?? "");
  const spans = [...prose.matchAll(CODE_SPAN)].map((match) => match[2] ?? "");
  const words = spans.flatMap(wordsOf);
  return {
    paths: unique([...words, ...fenced.flatMap(wordsOf)].filter((word) => isPath(word, layout))),
    scripts: unique(
      [...spans, ...fenced].flatMap((code) =>
        [...code.replaceAll(/\s+/g, " ").matchAll(SCRIPT)].map((match) => match[1] ?? match[2] ?? ""),
      ),
    ),
    constants: unique(words.flatMap((word) => CONSTANT.exec(word)?.[1] ?? [])),
    links: unique(
      [...prose.matchAll(LINK)]
        .map((match) => match[1] ?? "")
        .filter((target) => !/^(?:[a-z][a-z+.-]*:|\/)/.test(target)),
    ),
  };
}

/** Returns the anchors of a document's headings, as GitHub makes them. */
export function anchorsIn(markdown: string): Set<string> {
  return new Set(
    [...markdown.replaceAll(FENCE, "").matchAll(/^#{1,6} +(.+)$/gm)].map((match) =>
      (match[1] ?? "")
        .trim()
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(/\s/g, "-"),
    ),
  );
}

/** Returns the paths that a path with `{a,b}` stands for. */
export function expandBraces(written: string): string[] {
  const found = /\{([^{}]*)\}/.exec(written);
  if (found === null) return [written];
  const before = written.slice(0, found.index);
  const after = written.slice(found.index + found[0].length);
  return (found[1] ?? "").split(",").flatMap((name) => expandBraces(before + name + after));
}

/** Returns an expression for a path with `*` and `**`. */
export function globPattern(glob: string): RegExp {
  const source = glob
    .replaceAll(/[.+^$()|[\]\\?]/g, String.raw`\$&`)
    .replaceAll(/\*\*\/|\*\*|\*/g, (stars) =>
      stars === "**/" ? "(?:.*/)?" : stars === "**" ? ".*" : "[^/]*",
    );
  return new RegExp(`^${source}$`);
}

/** Words of code, without the punctuation around them. */
function wordsOf(code: string): string[] {
  return code
    .split(/\s+/)
    .map((word) => word.replace(/^["'(]+/, "").replace(/["'),;]+$/, ""))
    .filter((word) => word !== "");
}

function isPath(word: string, { top, rooms }: Layout): boolean {
  const name = word.replace(/^\.\//, "");
  if (!PATH_CHARACTERS.test(name) || /^[/-]/.test(name) || name === "." || name === "..") return false;
  if (!name.includes("/")) return SOURCE_FILE.test(name) && !name.startsWith(".");
  const first = name.slice(0, name.indexOf("/"));
  return top.has(first) || rooms.has(first) || first === ".." || SOURCE_FILE.test(name);
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
