import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { refuse, systemCode, type Refusal } from "./commandLine.ts";

/**
 * Keeps a second service off a state folder: two of them on one set of databases lose writes. The lock holds the
 * process id; one whose process has ended is taken over. Answers how to let go, or who holds it.
 */
export function lockState(state: string): { ok: true; release: () => void } | Refusal {
  const file = path.join(state, "service.pid");
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 });
    if (!claim(file)) {
      const holder = holderOf(file);
      if (holder !== null) {
        return refuse(
          `A service runs on ${state} already (process ${holder}): stop it, or choose another folder with --state.`,
        );
      }
      rmSync(file, { force: true });
      if (!claim(file)) return refuse(`Another service starts on ${state} at this moment.`);
    }
  } catch (fault) {
    const code = systemCode(fault);
    if (code === null) throw fault;
    return refuse(`The state folder ${state} cannot be written (${code}).`);
  }
  return { ok: true, release: () => rmSync(file, { force: true }) };
}

/** Writes our process id where no lock is; false where there is one. */
function claim(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (fault) {
    if (systemCode(fault) === "EEXIST") return false;
    throw fault;
  }
}

/** The process that holds the lock; null when it has ended. */
function holderOf(file: string): number | null {
  const holder = Number(readFileSync(file, "utf8"));
  if (!Number.isSafeInteger(holder) || holder <= 0) return null;
  try {
    process.kill(holder, 0);
  } catch (fault) {
    if (systemCode(fault) !== "EPERM") return null;
  }
  try {
    // Another program may have the number by now; one that has ended unheard has no command line any more.
    return readFileSync(`/proc/${holder}/cmdline`, "utf8").includes("start.ts") ? holder : null;
  } catch {
    return holder;
  }
}
