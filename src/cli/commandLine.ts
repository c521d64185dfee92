import path from "node:path";
import process from "node:process";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { PARTNER_ID } from "../partners/partner.ts";

/** The checkout that the commands belong to. */
export const ROOT = path.join(import.meta.dirname, "..", "..");

/** Where the local service keeps everything, unless told otherwise. */
export const DEFAULT_STATE = path.join(ROOT, ".state");

/** Something that the person at the terminal can put right: one line, no stack. */
export interface Refusal {
  ok: false;
  problem: string;
  /** 1: it could not be done. 2: the command was misused, and nothing was tried. */
  exitCode: 1 | 2;
}

export function refuse(problem: string): Refusal {
  return { ok: false, problem, exitCode: 1 };
}

/** The command line itself is wrong. */
export function misuse(problem: string): Refusal {
  return { ok: false, problem, exitCode: 2 };
}

/** What a command asks for was not done, and it cannot go on; the message is one line for the person at the terminal. */
export class CommandFault extends Error {}

/** The refusal that a CommandFault stands for; any other fault is thrown on. */
export function refusalOf(fault: unknown): Refusal {
  if (fault instanceof CommandFault) return refuse(fault.message);
  throw fault;
}

/** Null for what can be a partner's id. */
export function partnerIdFault(partnerId: string): Refusal | null {
  return PARTNER_ID.test(partnerId)
    ? null
    : misuse("A partner id is 1 to 64 letters, digits, hyphens and underscores.");
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
    return misuse(fault.message.split(/\.\s|\n/)[0]?.replace(/\.?$/, ".") ?? fault.message);
  }
}

/** Ends the command with the refusal's line and exit code. */
export function exitWith(refusal: Refusal): never {
  process.stderr.write(`${refusal.problem}\n`);
  process.exit(refusal.exitCode);
}

/** The code of a fault of the operating system (`EACCES`, …); null for any other fault. */
export function systemCode(fault: unknown): string | null {
  return fault instanceof Error && "code" in fault && typeof fault.code === "string" ? fault.code : null;
}
