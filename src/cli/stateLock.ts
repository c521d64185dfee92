import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { refuse, systemCode, type Refusal } from "./commandLine.ts";

/** Name of the lock file in a state folder. */
const LOCK = "service.pid";

/**
 * Locks a state folder for one service, because two services on one set of databases lose writes. The lock file holds
 * the process id. The lock of a process that has ended is replaced.
 */
export function lockState(state: string): { ok: true; release: () => void } | Refusal {
  const file = path.join(state, LOCK);
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 });
    if (!createLock(file)) {
      const holder = lockHolder(file);
      if (holder !== null) {
        return refuse(
          `A service already runs on the state folder ${state} (process ${holder}). Stop it, or choose another folder with --state.`,
        );
      }
      rmSync(file, { force: true });
      if (!createLock(file))
        return refuse(
          `Another service is starting on the state folder ${state}. Choose another folder with --state.`,
        );
    }
  } catch (fault) {
    const code = systemCode(fault);
    if (code === null) throw fault;
    return refuse(unwritableState(state, code));
  }
  return { ok: true, release: () => rmSync(file, { force: true }) };
}

/** Returns the message for a state folder that cannot be written. `code` is the operating system's, as `EACCES`. */
export function unwritableState(state: string, code: string): string {
  return code === "ENOSPC"
    ? `The disk of the state folder ${state} is full. Free some space, or choose another folder with --state.`
    : `Cannot write to the state folder ${state} (${code}). Choose another folder with --state.`;
}

/** Creates the lock file with this process's id. Returns false when the file exists. */
function createLock(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (fault) {
    if (systemCode(fault) === "EEXIST") return false;
    throw fault;
  }
}

/** Returns the refusal of a command that needs a running service on this state folder. Null when one runs. */
export function stoppedService(state: string): Refusal | null {
  return lockHolder(path.join(state, LOCK)) === null
    ? refuse(`No service runs on the state folder ${state}. Start it, then run the command again.`)
    : null;
}

/** Returns the id of the process that holds the lock. Returns null without a lock, or when that process has ended. */
function lockHolder(file: string): number | null {
  if (!existsSync(file)) return null;
  const holder = Number(readFileSync(file, "utf8"));
  if (!Number.isSafeInteger(holder) || holder <= 0) return null;
  try {
    process.kill(holder, 0);
  } catch (fault) {
    if (systemCode(fault) !== "EPERM") return null;
  }
  try {
    // The operating system may have given the id to another program. A zombie process has an empty command line.
    return readFileSync(`/proc/${holder}/cmdline`, "utf8").includes("start.ts") ? holder : null;
  } catch {
    return holder;
  }
}
