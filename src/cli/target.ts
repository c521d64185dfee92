import path from "node:path";
import { DEFAULT_STATE, misuse, type Refusal } from "./commandLine.ts";
import { environmentNames, type Environment } from "./wrangler.ts";

/** Flags that select the service that a command works on. */
export const TARGET_FLAGS = {
  local: { type: "boolean", default: false },
  remote: { type: "boolean", default: false },
  state: { type: "string" },
  env: { type: "string" },
} as const;

/** Interval of the local service's clock. Local queues lose messages at a restart, so it is shorter than cron's minute. */
export const LOCAL_CLOCK_MS = 10_000;

/** Returns the interval of the service's clock, as in "every minute" or "every 10 seconds". */
export function clockInterval({ remote }: Pick<Target, "remote">): string {
  return remote ? "minute" : `${LOCAL_CLOCK_MS / 1_000} seconds`;
}

/** A deployed environment, or a local state folder. */
export type Target =
  { ok: true; remote: true; environment: Environment } | { ok: true; remote: false; state: string };

interface Given {
  local: boolean;
  remote: boolean;
  state?: string | undefined;
  env?: string | undefined;
}

/** Returns the target that the flags select. Default: the local service in its default state folder. */
export function readTarget({ local, remote, state, env }: Given): Target | Refusal {
  if (local && remote) return misuse("Use --local or --remote, not both.");
  if (remote && state !== undefined)
    return misuse("--state selects a local folder: remove --state or --remote.");
  if (!remote && env !== undefined)
    return misuse("--env selects a deployed environment: add --remote, or remove --env.");
  if (!remote) return { ok: true, remote, state: path.resolve(state ?? DEFAULT_STATE) };
  const named = readEnvironment(env);
  return named.ok ? { ok: true, remote, environment: named.environment } : named;
}

/** Returns the environment that `--env` names. Default: production. */
export function readEnvironment(flag: string | undefined): { ok: true; environment: Environment } | Refusal {
  if (flag === undefined) return { ok: true, environment: "production" };
  const names = environmentNames();
  return names.includes(flag)
    ? { ok: true, environment: flag }
    : misuse(
        `--env must be ${names.map((name) => JSON.stringify(name)).join(" or ")}; received ${JSON.stringify(flag)}. Production needs no --env.`,
      );
}
