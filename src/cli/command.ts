import path from "node:path";
import process from "node:process";
import { parseArgs, type ParseArgsConfig } from "node:util";

/** The checkout that the commands belong to. */
export const ROOT = path.join(import.meta.dirname, "..", "..");

/** Where the local service keeps everything, unless told otherwise. */
export const DEFAULT_STATE = path.join(ROOT, ".state");

/** Something that the person at the terminal can put right: one line, no stack. */
export interface Refusal {
  ok: false;
  problem: string;
}

export function refuse(problem: string): Refusal {
  return { ok: false, problem };
}

type Parsed<T extends ParseArgsConfig> = { ok: true } & ReturnType<typeof parseArgs<T>>;

/** Reads the command line; a flag that is unknown or lacks its value is refused in one sentence. */
export function readFlags<T extends ParseArgsConfig>(config: T): Parsed<T> | Refusal {
  try {
    return { ok: true, ...parseArgs(config) };
  } catch (fault) {
    if (!(fault instanceof TypeError && "code" in fault && String(fault.code).startsWith("ERR_PARSE_ARGS"))) {
      throw fault;
    }
    return refuse(fault.message.split(/\.\s|\n/)[0]?.replace(/\.?$/, ".") ?? fault.message);
  }
}

/** Ends the command with the refusal's line and exit code 1. */
export function exitWith(refusal: Refusal): never {
  process.stderr.write(`${refusal.problem}\n`);
  process.exit(1);
}

/** The code of a fault of the operating system (`EACCES`, …); null for any other fault. */
export function systemCode(fault: unknown): string | null {
  return fault instanceof Error && "code" in fault && typeof fault.code === "string" ? fault.code : null;
}
