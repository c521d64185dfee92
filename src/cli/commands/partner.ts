import process from "node:process";
import {
  exitWith,
  flagList,
  misuse,
  partnerIdFault,
  readFlags,
  refusalOf,
  type Refusal,
} from "../commandLine.ts";
import { COPY_COMMANDS, runCopyCommand } from "../export/commands.ts";
import { COMMANDS, runCommand, settingsProblem, SETTINGS } from "../partnerCommands.ts";
import type { Request } from "../partnerRequest.ts";
import { TARGET_FLAGS, readTarget } from "../target.ts";

const USAGE = `Usage: npm run partner -- <command> [--json] [--local [--state DIR] | --remote [--env staging]]
Commands:
  create <partner_id> [--database DB_2] [settings]
                                           prints the key and the webhook secret, once; the database is for
                                           ever, by default the smallest one
  list                                     prints all partners
  show <partner_id>                        prints settings, key ids and secret ids
  set <partner_id> <settings>              changes settings; settings that are not named stay
  rotate-key <partner_id> [--overlap 24h]  creates a key; older keys stay valid for the overlap
  revoke-key <partner_id> <key_id>         ends a key at once
  rotate-secret <partner_id> [--overlap 24h]
                                           creates a webhook secret; older ones stay valid for the overlap
  suspend <partner_id>                     rejects requests, pauses downloads and events
  resume <partner_id>                      ends the suspension
  lock <partner_id>                        rejects the partner's own changes of its keys, endpoints and settings
  unlock <partner_id>                      ends the lock
  export <partner_id> --to DIR [--user U]  copies the partner's data, or a user's, into a folder
  backup <file>                            writes all settings, key digests and secrets to a file
  restore <file> [--with-removed]          writes the partners of a backup and of the databases that the registry
                                           lacks; skips removed ones
  remove <partner_id>                      suspends the partner and erases all its users, then its keys and
                                           settings; prints what is still running, and continues when repeated
Settings ("none" clears one):
  --name TEXT  --event-url URL  --callback-host HOST …  --source SOURCE …  --prefetch-held on|off
  --requests-per-minute N  --files-per-minute N  --quota-files N  --quota-bytes N`;

const FLAGS = {
  json: { type: "boolean", default: false },
  ...TARGET_FLAGS,
  database: { type: "string" },
  name: { type: "string" },
  "event-url": { type: "string" },
  "callback-host": { type: "string", multiple: true },
  source: { type: "string", multiple: true },
  "prefetch-held": { type: "string" },
  "requests-per-minute": { type: "string" },
  "files-per-minute": { type: "string" },
  "quota-files": { type: "string" },
  "quota-bytes": { type: "string" },
  // A day includes working hours in every time zone, so the partner can deploy the new key.
  overlap: { type: "string", default: "24h" },
} as const;

/** Flags of every command. */
const COMMON_FLAGS = new Set(["json", ...Object.keys(TARGET_FLAGS)]);

/** Value that clears a setting. */
const NONE = "none";

const MAX_LIMIT = 999_999_999_999_999;

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses a duration such as `30m`, `24h` or `7d`. Returns null for any other text. */
function durationMs(text: string): number | null {
  const [, count, unit] = /^(\d{1,4})([smhd])$/.exec(text) ?? [];
  const unitMs = unit === undefined ? undefined : UNIT_MS[unit];
  return count === undefined || unitMs === undefined ? null : Number(count) * unitMs;
}

/** Parses a limit or a quota. Returns null for `none`, and NaN for an invalid number. */
function limitOf(text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined;
  if (text === NONE) return null;
  return /^[1-9]\d*$/.test(text) && Number(text) <= MAX_LIMIT ? Number(text) : Number.NaN;
}

/** Parses a list, which `none` clears. */
function listOf(texts: string[] | undefined): string[] | undefined {
  return texts?.length === 1 && texts[0] === NONE ? [] : texts;
}

function textOf(text: string | undefined): string | null | undefined {
  return text === NONE ? null : text;
}

const readArguments = () => readFlags({ options: FLAGS, allowPositionals: true, tokens: true });
type Arguments = Extract<ReturnType<typeof readArguments>, { ok: true }>;
type Command = NonNullable<ReturnType<typeof COMMANDS.get>>;

/** Returns the command with its arguments. */
function commandOf({
  positionals,
  tokens,
}: Arguments): { ok: true; command: Command; partnerId: string; keyId: string } | Refusal {
  const [name, ...rest] = positionals;
  if (name === undefined) return misuse(USAGE);
  const command = COMMANDS.get(name);
  if (command === undefined) {
    return misuse(`Unknown command ${JSON.stringify(name)}. Commands: ${[...COMMANDS.keys()].join(", ")}.`);
  }
  const given = tokens.flatMap((token) => (token.kind === "option" ? [token.name] : []));
  const misplaced = given.find(
    (flag) => !COMMON_FLAGS.has(flag) && !command.flags.some((accepted) => accepted === flag),
  );
  if (misplaced !== undefined) {
    const accepted = flagList([...command.flags, ...COMMON_FLAGS]);
    return misuse(`${name} does not accept --${misplaced}. Options: ${accepted}.`);
  }
  if (rest.length !== command.parameters.length) {
    const expected = command.parameters.map((parameter) => ` <${parameter}>`).join("");
    const received = rest.length === 0 ? "nothing" : rest.join(" ");
    return misuse(`Expected npm run partner -- ${name}${expected}; received ${received} after ${name}.`);
  }
  const [partnerId = "", keyId = ""] = rest;
  const invalidId = rest.length > 0 ? partnerIdFault(partnerId) : null;
  if (invalidId !== null) return invalidId;
  if (name === "set" && !given.some((flag) => SETTINGS.some((setting) => setting === flag))) {
    return misuse(`set needs at least one setting: ${flagList(SETTINGS)}.`);
  }
  return { ok: true, command, partnerId, keyId };
}

/** Parses the settings. */
function parseSettings(
  values: Arguments["values"],
): { ok: true; settings: Omit<Request, "partnerId" | "keyId" | "remote"> } | Refusal {
  const limits = {
    requestsPerMinute: limitOf(values["requests-per-minute"]),
    filesPerMinute: limitOf(values["files-per-minute"]),
    quotaFiles: limitOf(values["quota-files"]),
    quotaBytes: limitOf(values["quota-bytes"]),
  };
  const overlapMs = durationMs(values.overlap);
  for (const flag of ["requests-per-minute", "files-per-minute", "quota-files", "quota-bytes"] as const) {
    if (!Number.isNaN(limitOf(values[flag]))) continue;
    return misuse(
      `--${flag} must be a whole number from 1 to ${MAX_LIMIT}, or "none"; received ${JSON.stringify(values[flag])}.`,
    );
  }
  if (overlapMs === null) {
    return misuse(
      `--overlap must be a duration such as 30m, 24h or 7d; received ${JSON.stringify(values.overlap)}.`,
    );
  }
  const prefetchHeld = values["prefetch-held"];
  if (prefetchHeld !== undefined && prefetchHeld !== "on" && prefetchHeld !== "off") {
    return misuse(`--prefetch-held must be on or off; received ${JSON.stringify(prefetchHeld)}.`);
  }
  const settings = {
    database: values.database,
    name: textOf(values.name),
    eventUrl: textOf(values["event-url"]),
    callbackHosts: listOf(values["callback-host"]),
    sourceOrder: listOf(values.source),
    prefetchHeld: prefetchHeld === undefined ? undefined : prefetchHeld === "on",
    ...limits,
    overlapMs,
  };
  return { ok: true, settings };
}

async function main(): Promise<Refusal | null> {
  const given = readArguments();
  if (!given.ok) return given;
  const selected = commandOf(given);
  if (!selected.ok) return selected;
  const target = readTarget(given.values);
  if (!target.ok) return target;
  const read = parseSettings(given.values);
  if (!read.ok) return read;
  const { command, partnerId, keyId } = selected;
  const request: Request = { partnerId, keyId, remote: target.remote, ...read.settings };
  const problem = settingsProblem(request);
  if (problem !== null) return misuse(problem);
  try {
    const output = await runCommand(command, request, target);
    if (!output.ok) return output;
    console.log(given.values.json ? JSON.stringify(output.json) : output.text);
    return null;
  } catch (thrown) {
    return refusalOf(thrown);
  }
}

const args = process.argv.slice(2);
const refusal = COPY_COMMANDS.includes(args[0] ?? "") ? await runCopyCommand(args) : await main();
if (refusal !== null) exitWith(refusal);
