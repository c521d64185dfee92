import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { CommandFault } from "./commandLine.ts";

/** Time that the operating system needs to end a killed process and to free its port. */
const END_DEADLINE_MS = 5_000;
const POLL_MS = 50;

/** A process of the Workers runtime. */
interface Runtime {
  pid: number;
  parent: number;
  command: string;
}

/** Returns all processes of the runtime. Empty on a system without /proc. */
function runtimes(): Runtime[] {
  return entriesOf("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isSafeInteger(pid)) return [];
    const command = textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
    // The control pipe tells wrangler's runtimes from others.
    if (!command.includes("workerd serve") || !command.includes(" --control-fd=")) return [];
    const parent = /^PPid:\s*(\d+)/m.exec(textOf(`/proc/${pid}/status`))?.[1];
    return parent === undefined ? [] : [{ pid, parent: Number(parent), command }];
  });
}

/** Returns the runtime's processes that this process has started. */
export function ownRuntimes(): Runtime[] {
  return runtimes().filter(({ parent }) => parent === process.pid);
}

/** Returns whether a runtime listens on the port of a service. The other one runs the Worker. */
export function listensOn({ command }: Runtime, port: number): boolean {
  return command.includes(`=127.0.0.1:${port} `);
}

/**
 * Ends the runtimes that a killed service has left: those of a dead parent that belong to the state folder, or that
 * listen on the port. Two runtimes on one set of databases lose writes. Returns the ids of the processes.
 */
export async function endLeftRuntimes(state: string, port: number): Promise<number[]> {
  const left = runtimes().filter(
    (runtime) =>
      !isNode(runtime.parent) &&
      (listensOn(runtime, port) ||
        isOfState(runtime.pid, state) ||
        hasOpened(runtime.pid, path.join(state, "v3"))),
  );
  for (const { pid } of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has just ended.
    }
  }
  const untilMs = Date.now() + END_DEADLINE_MS;
  for (const { pid } of left) {
    while (isRunning(pid)) {
      if (Date.now() > untilMs) {
        throw new CommandFault(
          `Process ${pid}, which a killed service has left, does not end. End it with kill -9 ${pid}.`,
        );
      }
      await delay(POLL_MS);
    }
  }
  return left.map(({ pid }) => pid);
}

/** Interval at which a service looks for its runtimes. */
const WATCH_MS = 1_000;

/**
 * Watches the runtimes of this service. Wrangler starts an ended one again, which `report` tells; but a new one on the
 * port does not find the Worker, so then the promise resolves. It stays pending on a system without /proc.
 */
export async function listeningRuntimeEnded(
  port: number,
  report: (line: string) => void,
  stopped: AbortSignal,
): Promise<number> {
  let known = ownRuntimes();
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const now = ownRuntimes();
      const pids = new Set(now.map(({ pid }) => pid));
      for (const runtime of known.filter(({ pid }) => !pids.has(pid))) {
        if (listensOn(runtime, port)) resolve(runtime.pid);
        else report(`The runtime (workerd, process ${runtime.pid}) ended and was started again.`);
      }
      known = now;
    }, WATCH_MS);
    stopped.addEventListener("abort", () => clearInterval(timer));
  });
}

function isNode(pid: number): boolean {
  return /(^|\/)node[^/]*\0/.test(textOf(`/proc/${pid}/cmdline`));
}

/** Variable in the environment of all runtimes of a state folder, also of the one that only listens on the port. */
export const REGISTRY_VARIABLE = "WRANGLER_REGISTRY_PATH";

/** Returns the folder in which the runtimes of a state folder find each other. */
export function registryFolder(state: string): string {
  return path.join(state, "wrangler", "registry");
}

function isOfState(pid: number, state: string): boolean {
  return textOf(`/proc/${pid}/environ`)
    .split("\0")
    .includes(`${REGISTRY_VARIABLE}=${registryFolder(state)}`);
}

function hasOpened(pid: number, folder: string): boolean {
  return entriesOf(`/proc/${pid}/fd`).some((fd) => {
    try {
      const opened = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return opened === folder || opened.startsWith(folder + path.sep);
    } catch {
      return false;
    }
  });
}

/** Returns false also for a zombie, which has an empty command line and holds nothing. */
function isRunning(pid: number): boolean {
  return textOf(`/proc/${pid}/cmdline`) !== "";
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
