import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/loopback.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");
const SLOW = 240_000;

let state: string;
let port: number;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  state = await mkdtemp(path.join(tmpdir(), "killed-"));
  port = await freePort();
});

afterEach(async () => {
  for (const child of children) child.kill("SIGINT");
  await eventually("the services end", 20, () =>
    [...children].every((child) => child.exitCode !== null || child.signalCode !== null) ? true : undefined,
  );
  children.clear();
  for (const pid of await runtimesOn(state)) process.kill(pid, "SIGKILL");
  await rm(state, { recursive: true, force: true });
});

async function start(): Promise<{ child: ChildProcess; printed: () => string }> {
  const args = ["src/cli/commands/start.ts", "--empty", "--port", String(port), "--state", state];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => (text += part));
  }
  await eventually("the service listens", 90, () => {
    if (child.exitCode !== null) throw new Error(`The service did not start: ${text}`);
    return text.includes("Ctrl-C") ? true : undefined;
  });
  return { child, printed: () => text };
}

/** Ids of the runtimes that have opened the state folder. */
async function runtimesOn(folder: string): Promise<number[]> {
  const { readdirSync, readlinkSync, readFileSync } = await import("node:fs");
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const isRuntime = readFileSync(`/proc/${name}/cmdline`, "utf8").includes("workerd");
      const opened = readdirSync(`/proc/${name}/fd`).some((fd) => {
        try {
          return readlinkSync(`/proc/${name}/fd/${fd}`).startsWith(folder);
        } catch {
          return false;
        }
      });
      return isRuntime && opened ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

const runtimeOnPort = async (parent: number | undefined) => {
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8");
  for (const pid of children.trim().split(" ")) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
    if (command.includes(`=127.0.0.1:${port}`)) return Number(pid);
  }
  throw new Error("no runtime listens on the port");
};

describe.skipIf(!existsSync("/proc/self/fd"))("on Linux", () => {
  test(
    "after kill -9 of the service, the next start ends what it left, also on another port: one runtime has the state open",
    async () => {
      const first = await start();
      const [left] = await runtimesOn(state);
      first.child.kill("SIGKILL");
      await eventually("the service is killed", 10, () =>
        first.child.signalCode === null ? undefined : true,
      );
      expect(await runtimesOn(state)).toEqual([left]);

      port = await freePort();
      const second = await start();
      expect(second.printed()).toMatch(
        /^Ended the runtime that a killed service had left \(workerd, process \d+ and \d+\)\.$/m,
      );
      const runtimes = await runtimesOn(state);
      expect(runtimes).toHaveLength(1);
      expect(runtimes).not.toContain(left);
      expect((await fetch(`http://127.0.0.1:${port}/health/`)).status).toBe(200);
    },
    SLOW,
  );

  test(
    "a killed runtime: the service goes on with a new one, or stops with one line",
    async () => {
      const { child, printed } = await start();
      const before = printed();
      const [runtime = 0] = await runtimesOn(state);
      process.kill(runtime, "SIGKILL");
      await eventually("the line is printed", 20, () => (printed() === before ? undefined : true));
      expect(printed().slice(before.length)).toBe(
        `The runtime (workerd, process ${runtime}) ended and was started again.\n`,
      );
      await eventually("the new runtime responds", 30, async () =>
        (await fetch(`http://127.0.0.1:${port}/health/`).catch(() => null))?.ok === true ? true : undefined,
      );

      const listening = await runtimeOnPort(child.pid);
      process.kill(listening, "SIGKILL");
      await eventually("the service stops", 30, () => (child.exitCode === null ? undefined : true));
      expect(child.exitCode).toBe(1);
      expect(printed()).toContain(
        `The runtime that listens on the port (workerd, process ${listening}) was killed. The service stops; nothing is lost. Start it again with npm start.\n`,
      );
      expect(await runtimesOn(state)).toEqual([]);
    },
    SLOW,
  );

  test(
    "a full disk: one line, and the service continues",
    async () => {
      await mkdir(state, { recursive: true });
      await symlink("/dev/full", path.join(state, "service.log"));
      const { printed } = await start();
      await eventually("the line is printed", 30, () =>
        printed().includes("The disk is full") ? true : undefined,
      );
      expect(printed().match(/The disk is full/g)).toHaveLength(1);
      expect(printed()).toContain(
        `The disk is full: the service cannot write its log ${path.join(state, "service.log")}, and its stores fail. Free some space; the service continues by itself.\n`,
      );
      expect((await fetch(`http://127.0.0.1:${port}/health/`)).status).toBe(200);
    },
    SLOW,
  );
});
