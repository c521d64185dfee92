import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { z } from "zod";
import { eventually } from "./eventually.ts";
import { freePort } from "./loopback.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");
/** An idle machine starts in four seconds, a busy one may take many. */
const START_DEADLINE_SECONDS = 90;

const credentialsSchema = z.object({
  partner_id: z.string(),
  auth_key: z.string(),
  webhook_secret: z.string(),
});
export type PartnerCredentials = z.infer<typeof credentialsSchema>;

/** The service, started with npm in its own process group and state folder. */
export class ServiceProcess {
  readonly state: string;
  readonly url: string;
  /** Output of the last start. */
  printed = "";
  readonly #flags: readonly string[];
  #root: string;
  #child: ChildProcess | null = null;

  private constructor(state: string, port: number, flags: readonly string[], root: string) {
    this.state = state;
    this.url = `http://127.0.0.1:${port}`;
    this.#flags = flags;
    this.#root = root;
  }

  /** Runs `npm start -- --empty`, or with other flags, on its own port and state folder. `root` is another checkout. */
  static async start(flags: readonly string[] = ["--empty"], root = ROOT): Promise<ServiceProcess> {
    const state = await mkdtemp(path.join(tmpdir(), "service-"));
    const service = new ServiceProcess(state, await freePort(), flags, root);
    process.on("exit", () => service.#signal("SIGKILL"));
    try {
      await service.startAgain();
    } catch (fault) {
      await service.kill();
      throw fault;
    }
    return service;
  }

  /** Starts on the same state and port, from the same checkout unless another is given. */
  async startAgain(root = this.#root): Promise<void> {
    this.#root = root;
    const port = new URL(this.url).port;
    const [command, args] = commandIn(root, "start", ["--port", port, "--state", this.state, ...this.#flags]);
    const child = spawn(command, args, { cwd: root, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.printed += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.printed += text));
    await eventually("the service listens", START_DEADLINE_SECONDS, () => {
      if (child.exitCode !== null) throw new Error(`The service did not start: ${this.printed}`);
      return this.printed.includes("Ctrl-C") ? true : undefined;
    });
  }

  /** Kills the whole process group with SIGKILL. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops with Ctrl-C, then deletes the state folder. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
    await rm(this.state, { recursive: true, force: true });
  }

  /** Creates a partner with the real command while the service runs. */
  async createPartner(partnerId: string, ...flags: string[]): Promise<PartnerCredentials> {
    const args = ["create", partnerId, "--json", "--state", this.state, ...flags];
    const [command, commandArgs] = commandIn(this.#root, "partner", args);
    return credentialsSchema.parse(JSON.parse(await run(command, commandArgs, this.#root)));
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#signal(signal);
    await eventually("the service ends", 20, () => (hasEnded(child) ? true : undefined));
    this.#child = null;
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The group has already ended.
    }
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Returns the program of an npm script. Of another checkout it is the script's own command, so that npm installs nothing. */
function commandIn(root: string, script: "start" | "partner", args: string[]): [string, string[]] {
  return root === ROOT
    ? ["npm", ["run", "--silent", script, "--", ...args]]
    : [process.execPath, ["--disable-warning=ExperimentalWarning", `src/cli/commands/${script}.ts`, ...args]];
}

async function run(command: string, args: string[], root: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(printed) : reject(new Error(`${command} ${args.join(" ")} ended with ${code}`)),
    );
  });
}
