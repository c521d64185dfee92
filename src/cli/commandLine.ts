import path from "node:path";
import process from "node:process";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { PARTNER_ID } from "../partners/partner.ts";

/** Root folder of the checkout. */
export const ROOT = path.join(import.meta.dirname, "..", "..");

/** Default state folder: everything that the local service stores. */
export const DEFAULT_STATE = path.join(ROOT, ".state");

/** Why a command did not do its work, as one line for the operator. */
export interface Refusal {
  ok: false;
  problem: string;
  /** 1: the command failed. 2: the command line is wrong, and nothing was tried. */
  exitCode: 1 | 2;
}

/** Returns the refusal of a command that failed. */
export function refuse(problem: string): Refusal {
  return { ok: false, problem, exitCode: 1 };
}

/** Returns the refusal of a wrong command line. */
export function misuse(problem: string): Refusal {
  return { ok: false, problem, exitCode: 2 };
}

/** A failure that ends the command. The message is one line for the operator. */
export class CommandFault extends Error {}

/** Returns the refusal for a CommandFault. Rethrows any other fault. */
export function refusalOf(fault: unknown): Refusal {
  if (fault instanceof CommandFault) return refuse(fault.message);
  throw fault;
}

/** Returns the refusal of a malformed partner id. Null for a well-formed one. */
export function partnerIdFault(partnerId: string): Refusal | null {
  return PARTNER_ID.test(partnerId)
    ? null
    : misuse(
        `A partner id is 1 to 64 letters, digits, hyphens and underscores; received ${JSON.stringify(partnerId)}.`,
      );
}

type Parsed<T extends ParseArgsConfig> = { ok: true } & ReturnType<typeof parseArgs<T>>;

/** Parses the command line. Refuses an unknown flag, a flag without its value, and an unexpected argument. */
export function readFlags<T extends ParseArgsConfig>(config: T): Parsed<T> | Refusal {
  try {
    return { ok: true, ...parseArgs(config) };
  } catch (fault) {
    if (!(fault instanceof TypeError && "code" in fault && String(fault.code).startsWith("ERR_PARSE_ARGS"))) {
      throw fault;
    }
    // Node's second sentence explains how to escape an argument.
    const reason = fault.message.split(/\.\s|\n/)[0]?.replace(/\.?$/, ".") ?? fault.message;
    return misuse(`${reason} Options: ${flagList(Object.keys(config.options ?? {}))}.`);
  }
}

/** Returns `--one, --two` for the names `one` and `two`. */
export function flagList(names: Iterable<string>): string {
  return Array.from(names, (name) => `--${name}`).join(", ");
}

/** Prints the refusal to stderr and exits with its code. */
export function exitWith(refusal: Refusal): never {
  process.stderr.write(`${refusal.problem}\n`);
  process.exit(refusal.exitCode);
}

/** Returns the code of an operating system error, such as `EACCES`. Returns null for any other fault. */
export function systemCode(fault: unknown): string | null {
  return fault instanceof Error && "code" in fault && typeof fault.code === "string" ? fault.code : null;
}

/** Returns the refusal for a path that the operating system does not let the command write. `code` is its error. */
export function unwritableFolder(target: string, code: string): Refusal {
  return refuse(
    code === "ENOSPC"
      ? `The disk is full: cannot write to ${target}. Free some space and run the command again.`
      : `Cannot write to ${target} (${code}).`,
  );
}

/** Returns the refusal for a state folder without data. */
export function unusedState(state: string): Refusal {
  return refuse(
    `No service has used the state folder ${state}. Start one with npm start -- --state, or choose another folder with --state.`,
  );
}
