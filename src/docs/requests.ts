/** Address of the service in every listing. The pages show the address at which they were requested instead. */
export const ORIGIN = "https://partner-api.example";

export const LANGUAGES = ["curl", "typescript", "python"] as const;
export type Language = (typeof LANGUAGES)[number];
export type Listings = Readonly<Record<Language, string>>;

/** A request that the page shows in every language. */
export interface ShownRequest {
  method: string;
  /** Path with query. `$FILE_ID` and similar names stand for variables of the environment. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  /** Body that is sent as JSON. */
  json?: unknown;
  /** File that is sent as the body, in base64. */
  file?: string;
  /** Name of a file into which the response is saved. */
  saveAs?: string;
  /** Whether the response is text instead of one JSON value. */
  isText?: boolean;
  /** Whether the request needs no key. */
  isOpen?: boolean;
}

/** Returns a request as a command for the shell, as TypeScript and as Python. Each runs as shown. */
export function listingsFor(request: ShownRequest): Listings {
  return { curl: curl(request), typescript: typescript(request), python: python(request) };
}

/** Returns an address with its variables in the syntax of a language. */
function addressOf({ path }: ShownRequest, variable: (name: string) => string): string {
  return ORIGIN + path.replaceAll(/\$([A-Z_]+)/g, (_, name: string) => variable(name));
}

const hasVariable = ({ path }: ShownRequest) => path.includes("$");

function ownHeaders({ headers = {}, json, file }: ShownRequest): [name: string, value: string][] {
  const own = Object.entries(headers);
  if (json !== undefined) own.push(["Content-Type", "application/json"]);
  if (file !== undefined) own.push(["Content-Type", "application/octet-stream"]);
  return own;
}

function curl(request: ShownRequest): string {
  const { method, json, file, saveAs, isOpen } = request;
  const options = [`curl -sS "${addressOf(request, (name) => `$${name}`)}"`];
  const impliesPost = json !== undefined || file !== undefined;
  if (method !== (impliesPost ? "POST" : "GET")) options.push(`-X ${method}`);
  if (isOpen !== true) options.push(`-H "Authorization: Bearer $AUTH_KEY"`, `-H "Partner-Id: $PARTNER_ID"`);
  options.push(...ownHeaders(request).map(([name, value]) => `-H '${name}: ${value}'`));
  if (json !== undefined) options.push(`-d '${JSON.stringify(json, null, 2)}'`);
  if (file !== undefined) options.push("--data-binary @-");
  if (saveAs !== undefined) options.push(`-o ${saveAs}`);
  const command = options.join(" \\\n  ");
  return file === undefined ? command : `echo "${file}" |\n  base64 -d |\n  ${command}`;
}

/** Returns JSON text with every line but the first indented. */
function indented(value: unknown, by: string): string {
  return JSON.stringify(value, null, by.length < 4 ? 2 : 4).replaceAll("\n", `\n${by}`);
}

function typescript(request: ShownRequest): string {
  const { method, json, file, saveAs, isText, isOpen } = request;
  const address = addressOf(request, (name) => `\${process.env.${name}}`);
  const quote = hasVariable(request) ? "`" : '"';
  const headers = ownHeaders(request).map(([name, value]) => `    "${name}": "${value}",`);
  const keys = [
    "    Authorization: `Bearer ${process.env.AUTH_KEY}`,",
    '    "Partner-Id": `${process.env.PARTNER_ID}`,',
  ];
  if (isOpen !== true) headers.unshift(...keys);
  const options = [
    ...(method === "GET" ? [] : [`  method: "${method}",`]),
    ...(headers.length === 0 ? [] : ["  headers: {", ...headers, "  },"]),
    ...(json === undefined ? [] : [`  body: JSON.stringify(${objectLiteral(json)}),`]),
    ...(file === undefined ? [] : [`  body: Buffer.from("${file}", "base64"),`]),
  ];
  const call = options.length === 0 ? "" : `, {\n${options.join("\n")}\n}`;
  const lines = [`const response = await fetch(${quote}${address}${quote}${call});`];
  if (saveAs === undefined) {
    lines.push(`console.log(response.status, await response.${isText === true ? "text" : "json"}());`);
  } else {
    lines.unshift('import { writeFile } from "node:fs/promises";', "");
    lines.push(`await writeFile("${saveAs}", new Uint8Array(await response.arrayBuffer()));`);
  }
  return lines.join("\n");
}

/** Returns JSON as TypeScript is usually written: keys without quotes. */
function objectLiteral(value: unknown): string {
  return indented(value, "  ").replaceAll(/^(\s*)"(\w+)":/gm, "$1$2:");
}

function python(request: ShownRequest): string {
  const { method, json, file, saveAs, isOpen } = request;
  const address = addressOf(request, (name) => `{os.environ['${name}']}`);
  const headers = ownHeaders(request).map(([name, value]) => `        "${name}": "${value}",`);
  const keys = [
    '        "Authorization": "Bearer " + os.environ["AUTH_KEY"],',
    '        "Partner-Id": os.environ["PARTNER_ID"],',
  ];
  if (isOpen !== true) headers.unshift(...keys);
  const modules = [
    ...(file === undefined ? [] : ["base64"]),
    ...(json === undefined ? [] : ["json"]),
    ...(isOpen === true ? [] : ["os"]),
    "urllib.request",
  ];
  const lines = [
    `import ${modules.join(", ")}`,
    "",
    "request = urllib.request.Request(",
    `    ${hasVariable(request) ? "f" : ""}"${address}",`,
    ...(method === "GET" ? [] : [`    method="${method}",`]),
    ...(headers.length === 0 ? [] : ["    headers={", ...headers, "    },"]),
    ...(json === undefined ? [] : [`    data=json.dumps(${pythonLiteral(json)}).encode(),`]),
    ...(file === undefined ? [] : [`    data=base64.b64decode("${file}"),`]),
    ")",
    "with urllib.request.urlopen(request) as response:",
  ];
  if (saveAs === undefined) lines.push("    print(response.status, response.read().decode())");
  else lines.push(`    open("${saveAs}", "wb").write(response.read())`);
  return lines.join("\n");
}

function pythonLiteral(value: unknown): string {
  const words = { true: "True", false: "False", null: "None" };
  return indented(value, "    ").replaceAll(
    /(: |^\s*)(true|false|null)(?=,?$)/gm,
    (_, before: string, word: keyof typeof words) => before + words[word],
  );
}
