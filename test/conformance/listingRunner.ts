import { execFile, spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { LANGUAGES, type Language } from "../../src/docs/requests.ts";
import { listingsIn } from "../docs/listings.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/loopback.ts";

/** Makes curl print the status after the body, without a change of the listing. */
const CURL_SETTINGS = 'write-out = "\\n%{http_code}"\n';

/** Makes console.log print JSON instead of Node's shortened form. */
const PRINT_JSON =
  "console.log = (...values) => process.stdout.write(values.map((v) => JSON.stringify(v)).join(' ') + '\\n');\n";

const works = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

const INTERPRETERS: Readonly<Record<Language, boolean>> = {
  curl: works("sh", "-c", "command -v curl && command -v base64"),
  typescript: true,
  python: works("python3", "--version"),
};

/** Languages whose interpreter is on this machine. */
export const RUNNABLE: readonly Language[] = LANGUAGES.filter((language) => INTERPRETERS[language]);

export interface ListingRun {
  /** HTTP status of the response, or null if the listing prints none. */
  status: number | null;
  /** What the listing printed, without the status. */
  printed: string;
}

/** A receiver of events that runs. */
interface Receiver {
  url: string;
  /** What it has printed. */
  printed(): string;
  stop(): Promise<void>;
}

/** Runs the listings of the page that the service serves, unchanged, in an empty folder. */
export class ListingRunner {
  readonly listings: ReadonlyMap<string, string>;
  readonly folder: string;
  readonly settings: Record<string, string> = {};

  private constructor(listings: ReadonlyMap<string, string>, folder: string) {
    this.listings = listings;
    this.folder = folder;
  }

  static async of(serviceUrl: string): Promise<ListingRunner> {
    const listings = listingsIn(await (await fetch(`${serviceUrl}/docs/`)).text());
    const folder = await mkdtemp(path.join(tmpdir(), "listings-"));
    await writeFile(path.join(folder, ".curlrc"), CURL_SETTINGS);
    await writeFile(path.join(folder, "print.mjs"), PRINT_JSON);
    return new ListingRunner(listings, folder);
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  /** Runs a listing that exists in each language. */
  async run(name: string, language: Language, showStatus = true): Promise<ListingRun> {
    const text = this.listings.get(`${name}.${language}`);
    if (text === undefined) throw new Error(`The page has no listing ${name} for ${language}.`);
    const printed = await this.#execute(text, language, showStatus);
    if (language === "curl") {
      const [, body = printed, status] = /^([\s\S]*)\n(\d{3})$/.exec(printed) ?? [];
      return { printed: body, status: status === undefined ? null : Number(status) };
    }
    const [, status, body = printed] = /^(\d{3}) ([\s\S]*)$/.exec(printed) ?? [];
    return { printed: body, status: status === undefined ? null : Number(status) };
  }

  /** Runs a listing whose response is JSON. Returns it. */
  async json(name: string, language: Language): Promise<unknown> {
    const { printed } = await this.run(name, language);
    try {
      return JSON.parse(printed);
    } catch {
      throw new Error(`The listing ${name} for ${language} printed ${printed}`);
    }
  }

  /** Starts the receiver of the page on a free port. Returns its address when it listens. */
  async startReceiver(language: "typescript" | "python", secret: string): Promise<Receiver> {
    const ending = language === "python" ? "py" : "ts";
    for (const name of ["verify", "receiver"]) {
      const text = this.listings.get(`${name}.${language}`) ?? "";
      await writeFile(path.join(this.folder, `${name}.${ending}`), text);
    }
    const port = await freePort();
    const env = { ...process.env, PORT: String(port), WEBHOOK_SECRET: secret };
    const command = language === "python" ? "python3" : process.execPath;
    const child = spawn(command, [`receiver.${ending}`], { cwd: this.folder, env });
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
    const url = `http://127.0.0.1:${port}/`;
    await eventually("the receiver listens", 60, async () => {
      if (child.exitCode !== null) throw new Error(`The receiver stopped: ${printed}`);
      return fetch(url, { method: "POST", body: "" }).then(
        () => true,
        () => undefined,
      );
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    return {
      url,
      printed: () => printed,
      stop: async () => {
        child.kill();
        await ended;
      },
    };
  }

  /** Runs a command in the shell with the runner's settings. Returns what it printed. */
  async shell(command: string): Promise<string> {
    return this.#execute(command, "curl", false);
  }

  async #execute(text: string, language: Language, showStatus: boolean): Promise<string> {
    const [command, args] = await this.#command(text, language);
    const home = showStatus ? this.folder : "/nonexistent";
    const env = { ...process.env, NODE_NO_WARNINGS: "1", CURL_HOME: home, ...this.settings };
    return new Promise((resolve, reject) => {
      execFile(command, args, { cwd: this.folder, env }, (fault, stdout, stderr) => {
        if (fault === null) resolve(stdout.trim());
        else reject(new Error(`The listing failed:\n${text}\n${stdout}\n${stderr}`));
      });
    });
  }

  async #command(text: string, language: Language): Promise<[command: string, args: string[]]> {
    if (language === "curl") return ["sh", ["-c", text]];
    if (language === "python") return ["python3", ["-c", text]];
    const program = path.join(this.folder, "listing.ts");
    await writeFile(program, text);
    return [process.execPath, ["--import", path.join(this.folder, "print.mjs"), program]];
  }
}
