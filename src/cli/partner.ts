import path from "node:path";
import { checkAddress } from "../outbound/address.ts";
import { DEFAULT_LIMITS, live, PARTNER_ID, type Partner } from "../partners/partner.ts";
import { DEFAULT_STATE, exitWith, readFlags, refuse, type Refusal } from "./command.ts";
import { newPartner } from "./newPartner.ts";
import { LockedFault, localRegistry, remoteRegistry, type Registry } from "./registries.ts";
import { RemoteFault } from "./wrangler.ts";

const USAGE = `npm run partner -- <command> [--json] [--local [--state DIR] | --remote]
  create <partner_id> [--name TEXT] [--event-url URL] [--callback-host HOST]…
  list
  show <partner_id>`;

const FLAGS = {
  json: { type: "boolean", default: false },
  local: { type: "boolean", default: false },
  remote: { type: "boolean", default: false },
  state: { type: "string" },
  name: { type: "string" },
  "event-url": { type: "string" },
  "callback-host": { type: "string", multiple: true },
} as const;

interface Request {
  partnerId: string;
  remote: boolean;
  name: string | null;
  eventUrl: string | null;
  callbackHosts: string[];
}

/** What a command has to say: to programs, and to people. */
interface Answer {
  ok: true;
  json: unknown;
  text: string;
}

interface Command {
  takesPartner: boolean;
  flags: readonly (keyof typeof FLAGS)[];
  /** What is wrong with the request itself, told before the registry is opened. */
  faultOf?(request: Request): string | null;
  run(registry: Registry, request: Request): Promise<Answer | Refusal>;
}

const COMMANDS = new Map<string, Command>([
  [
    "create",
    {
      takesPartner: true,
      flags: ["name", "event-url", "callback-host"],
      faultOf: settingsFault,
      run: create,
    },
  ],
  ["list", { takesPartner: false, flags: [], run: list }],
  ["show", { takesPartner: true, flags: [], run: show }],
]);
/** Flags that every command takes. */
const COMMON = new Set(["json", "local", "remote", "state"]);

function settingsFault({ remote, eventUrl, callbackHosts }: Request): string | null {
  const rules = { local: !remote, allowedHosts: [], ownHost: null };
  if (eventUrl !== null) {
    const check = checkAddress(eventUrl, rules);
    if (!check.ok) return `--event-url: ${check.detail}`;
  }
  for (const host of callbackHosts) {
    const check = checkAddress(`https://${host}/`, rules);
    if (!check.ok || check.url.hostname !== host.toLowerCase()) {
      return `--callback-host takes a host's name, not ${JSON.stringify(host)}.`;
    }
  }
  return null;
}

async function create(registry: Registry, request: Request): Promise<Answer | Refusal> {
  const { partnerId, remote, name, eventUrl, callbackHosts } = request;
  if ((await registry.read(partnerId)) !== null) return refuse(`There is a partner ${partnerId} already.`);
  const { partner, credentials } = newPartner(
    {
      partner_id: partnerId,
      name,
      event_url: eventUrl,
      callback_hosts: callbackHosts.map((host) => host.toLowerCase()),
      // On one's own machine nobody else waits.
      limits: remote ? DEFAULT_LIMITS : { requests_per_minute: null, files_per_minute: null },
    },
    new Date(),
  );
  await registry.write(partner);
  const lines = [
    `Partner-Id:      ${credentials.partner_id}`,
    `Key:             ${credentials.auth_key}`,
    `Webhook secret:  ${credentials.webhook_secret}`,
    "Key and secret are shown this once.",
  ];
  if (remote) lines.push("The service caches what it does not find: the key may take a minute to work.");
  return { ok: true, json: credentials, text: lines.join("\n") };
}

async function list(registry: Registry): Promise<Answer> {
  const partners = await registry.list();
  const width = Math.max(0, ...partners.map(({ partner_id }) => partner_id.length));
  return {
    ok: true,
    json: { data: partners.map(shown) },
    text:
      partners.length === 0
        ? "No partners."
        : partners
            .map(({ partner_id, status, created_at, name }) =>
              [partner_id.padEnd(width), status.padEnd(9), created_at, name ?? ""].join("  ").trimEnd(),
            )
            .join("\n"),
  };
}

async function show(registry: Registry, { partnerId }: Request): Promise<Answer | Refusal> {
  const partner = await registry.read(partnerId);
  if (partner === null) return refuse(`There is no partner ${partnerId}.`);
  const view = shown(partner);
  return { ok: true, json: view, text: JSON.stringify(view, null, 2) };
}

/** A partner without its keys' digests and without its secrets. */
function shown(partner: Partner) {
  const now = Date.now();
  return {
    partner_id: partner.partner_id,
    name: partner.name,
    status: partner.status,
    created_at: partner.created_at,
    event_url: partner.event_url,
    callback_hosts: partner.callback_hosts,
    limits: partner.limits,
    keys: live(partner.keys, now).map(({ key_id, created_at, expires_at }) => ({
      key_id,
      created_at,
      expires_at,
    })),
    webhook_secrets: live(partner.webhook_secrets, now).map(({ secret_id, created_at, expires_at }) => ({
      secret_id,
      created_at,
      expires_at,
    })),
  };
}

async function main(): Promise<Refusal | null> {
  const flags = readFlags({ options: FLAGS, allowPositionals: true });
  if (!flags.ok) return flags;
  const { values, positionals } = flags;
  const [name, ...rest] = positionals;
  if (name === undefined) return refuse(USAGE);
  const command = COMMANDS.get(name);
  if (command === undefined) {
    return refuse(`There is no command ${JSON.stringify(name)}: use ${[...COMMANDS.keys()].join(", ")}.`);
  }
  const misplaced = Object.entries(values).find(
    ([flag, value]) => value !== false && !COMMON.has(flag) && !command.flags.some((taken) => taken === flag),
  );
  if (misplaced !== undefined) return refuse(`${name} takes no --${misplaced[0]}.`);
  if (values.local && values.remote) return refuse("Choose one of --local and --remote.");
  if (values.remote && values.state !== undefined) return refuse("--state belongs to --local.");
  if (rest.length !== (command.takesPartner ? 1 : 0)) {
    return refuse(`${name} takes ${command.takesPartner ? "one partner id" : "no further arguments"}.`);
  }
  const partnerId = rest[0] ?? "";
  if (command.takesPartner && !PARTNER_ID.test(partnerId)) {
    return refuse("A partner id is 1 to 64 letters, digits, hyphens and underscores.");
  }

  const request: Request = {
    partnerId,
    remote: values.remote,
    name: values.name ?? null,
    eventUrl: values["event-url"] ?? null,
    callbackHosts: values["callback-host"] ?? [],
  };
  const fault = command.faultOf?.(request) ?? null;
  if (fault !== null) return refuse(fault);
  const registry = values.remote
    ? remoteRegistry()
    : await localRegistry(path.resolve(values.state ?? DEFAULT_STATE));
  if (!registry.ok) return registry;
  try {
    const answer = await command.run(registry, request);
    if (!answer.ok) return answer;
    console.log(values.json ? JSON.stringify(answer.json) : answer.text);
    return null;
  } catch (thrown) {
    if (thrown instanceof RemoteFault || thrown instanceof LockedFault) return refuse(thrown.message);
    throw thrown;
  } finally {
    await registry.close();
  }
}

const refusal = await main();
if (refusal !== null) exitWith(refusal);
