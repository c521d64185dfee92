import { exitWith, misuse, partnerIdFault, readFlags, refusalOf, type Refusal } from "../commandLine.ts";
import { COMMANDS, settingsFault, SETTINGS, type Request } from "../partnerCommands.ts";
import { TARGET_FLAGS, readTarget } from "../target.ts";
import { localRegistry, remoteRegistry } from "../registries.ts";
import { wranglerFor } from "../wrangler.ts";

const USAGE = `npm run partner -- <command> [--json] [--local [--state DIR] | --remote [--env staging]]
  create <partner_id> [settings]
  list
  show <partner_id>
  set <partner_id> settings
  rotate-key <partner_id> [--overlap 24h]
  revoke-key <partner_id> <key_id>
  rotate-secret <partner_id> [--overlap 24h]
  suspend <partner_id>
  resume <partner_id>
settings, each cleared by "none":
  --name TEXT  --event-url URL  --callback-host HOST …  --requests-per-minute N  --files-per-minute N
  --quota-files N  --quota-bytes N`;

const FLAGS = {
  json: { type: "boolean", default: false },
  ...TARGET_FLAGS,
  name: { type: "string" },
  "event-url": { type: "string" },
  "callback-host": { type: "string", multiple: true },
  "requests-per-minute": { type: "string" },
  "files-per-minute": { type: "string" },
  "quota-files": { type: "string" },
  "quota-bytes": { type: "string" },
  // A day: whoever runs the partner's servers, wherever, has a working morning to bring the new one in.
  overlap: { type: "string", default: "24h" },
} as const;

/** Flags that every command takes. */
const COMMON = new Set(["json", ...Object.keys(TARGET_FLAGS)]);

/** Clears a setting. */
const NONE = "none";

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30m`, `24h`, `7d`; null when it is no such length. */
function lengthMs(text: string): number | null {
  const [, count, unit] = /^(\d{1,4})([smhd])$/.exec(text) ?? [];
  const unitMs = unit === undefined ? undefined : UNIT_MS[unit];
  return count === undefined || unitMs === undefined ? null : Number(count) * unitMs;
}

/** A limit or a quota; undefined when not given, null for none, NaN when it is no number that limits. */
function limitOf(text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined;
  if (text === NONE) return null;
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : Number.NaN;
}

function cleared(text: string | undefined): string | null | undefined {
  return text === NONE ? null : text;
}

const readArguments = () => readFlags({ options: FLAGS, allowPositionals: true, tokens: true });
type Arguments = Extract<ReturnType<typeof readArguments>, { ok: true }>;
type Command = NonNullable<ReturnType<typeof COMMANDS.get>>;

/** The command, with the arguments that it takes; or why the command line names none. */
function commandOf({
  positionals,
  tokens,
}: Arguments): { ok: true; command: Command; partnerId: string; keyId: string } | Refusal {
  const [name, ...rest] = positionals;
  if (name === undefined) return misuse(USAGE);
  const command = COMMANDS.get(name);
  if (command === undefined) {
    return misuse(`There is no command ${JSON.stringify(name)}: use ${[...COMMANDS.keys()].join(", ")}.`);
  }
  const given = tokens.flatMap((token) => (token.kind === "option" ? [token.name] : []));
  const misplaced = given.find((flag) => !COMMON.has(flag) && !command.flags.some((taken) => taken === flag));
  if (misplaced !== undefined) return misuse(`${name} takes no --${misplaced}.`);
  if (rest.length !== command.takes.length) {
    const wanted = command.takes.map((argument) => `<${argument}>`).join(" ");
    return misuse(`${name} takes ${wanted === "" ? "no further arguments" : wanted}.`);
  }
  const [partnerId = "", keyId = ""] = rest;
  const idFault = rest.length > 0 ? partnerIdFault(partnerId) : null;
  if (idFault !== null) return idFault;
  if (name === "set" && !given.some((flag) => SETTINGS.some((setting) => setting === flag))) {
    return misuse(`set takes at least one of ${SETTINGS.map((setting) => `--${setting}`).join(", ")}.`);
  }
  return { ok: true, command, partnerId, keyId };
}

/** The settings that the flags give. */
function settingsOf(
  values: Arguments["values"],
): { ok: true; settings: Omit<Request, "partnerId" | "keyId" | "remote"> } | Refusal {
  const limits = {
    requestsPerMinute: limitOf(values["requests-per-minute"]),
    filesPerMinute: limitOf(values["files-per-minute"]),
    quotaFiles: limitOf(values["quota-files"]),
    quotaBytes: limitOf(values["quota-bytes"]),
  };
  const overlapMs = lengthMs(values.overlap);
  for (const flag of ["requests-per-minute", "files-per-minute", "quota-files", "quota-bytes"] as const) {
    if (!Number.isNaN(limitOf(values[flag]))) continue;
    return misuse(`--${flag} takes a number of at least 1, or none, not ${JSON.stringify(values[flag])}.`);
  }
  if (overlapMs === null) {
    return misuse(`--overlap takes a length such as 30m, 24h or 7d, not ${JSON.stringify(values.overlap)}.`);
  }
  const hosts = values["callback-host"];
  const settings = {
    name: cleared(values.name),
    eventUrl: cleared(values["event-url"]),
    callbackHosts: hosts?.length === 1 && hosts[0] === NONE ? [] : hosts,
    ...limits,
    overlapMs,
  };
  return { ok: true, settings };
}

async function main(): Promise<Refusal | null> {
  const given = readArguments();
  if (!given.ok) return given;
  const named = commandOf(given);
  if (!named.ok) return named;
  const target = readTarget(given.values);
  if (!target.ok) return target;
  const read = settingsOf(given.values);
  if (!read.ok) return read;
  const { command, partnerId, keyId } = named;
  const request: Request = { partnerId, keyId, remote: target.remote, ...read.settings };
  const fault = settingsFault(request);
  if (fault !== null) return misuse(fault);
  const registry = target.remote
    ? remoteRegistry(wranglerFor(target.environment))
    : await localRegistry(target.state);
  if (!registry.ok) return registry;
  try {
    const answer = await command.run(registry, request, new Date());
    if (!answer.ok) return answer;
    console.log(given.values.json ? JSON.stringify(answer.json) : answer.text);
    return null;
  } catch (thrown) {
    return refusalOf(thrown);
  } finally {
    await registry.close();
  }
}

const refusal = await main();
if (refusal !== null) exitWith(refusal);
