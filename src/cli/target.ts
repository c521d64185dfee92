import path from "node:path";
import { DEFAULT_STATE, misuse, type Refusal } from "./commandLine.ts";
import type { Environment } from "./wrangler.ts";

/** The flags by which a command is told where to work. */
export const TARGET_FLAGS = {
  local: { type: "boolean", default: false },
  remote: { type: "boolean", default: false },
  state: { type: "string" },
  env: { type: "string" },
} as const;

/** Deployed, cron fires every minute; here it stands in for what local queues forget, so it comes sooner. */
export const LOCAL_CLOCK_MS = 10_000;

/** How long the service's clock waits between two looks for work. */
export function clockInterval({ remote }: Pick<Target, "remote">): string {
  return remote ? "minute" : `${LOCAL_CLOCK_MS / 1_000} seconds`;
}

/** A deployed environment, or a state folder on this machine. */
export type Target =
  { ok: true; remote: true; environment: Environment } | { ok: true; remote: false; state: string };

interface Given {
  local: boolean;
  remote: boolean;
  state?: string | undefined;
  env?: string | undefined;
}

/** Where the flags say to work: here, in the folder that every start uses, unless told otherwise. */
export function readTarget({ local, remote, state, env }: Given): Target | Refusal {
  if (local && remote) return misuse("Choose one of --local and --remote.");
  if (remote && state !== undefined) return misuse("--state belongs to --local.");
  if (!remote && env !== undefined) return misuse("--env belongs to --remote.");
  if (!remote) return { ok: true, remote, state: path.resolve(state ?? DEFAULT_STATE) };
  const named = readEnvironment(env);
  return named.ok ? { ok: true, remote, environment: named.environment } : named;
}

/** What `--env` names: staging, or, when it is not given, production. */
export function readEnvironment(flag: string | undefined): { ok: true; environment: Environment } | Refusal {
  if (flag === undefined) return { ok: true, environment: "production" };
  return flag === "staging"
    ? { ok: true, environment: flag }
    : misuse(`--env takes staging, not ${JSON.stringify(flag)}.`);
}
