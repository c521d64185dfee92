import { checkAddress } from "../outbound/address.ts";
import {
  DEFAULT_LIMITS,
  DEFAULT_QUOTAS,
  unexpired,
  newAuthKey,
  newWebhookSecret,
  settingsOf,
  type Partner,
} from "../partners/partner.ts";
import { revokeKey, rotateKey, rotateSecret, type Rotated } from "../partners/rotate.ts";
import { refuse, type Refusal } from "./commandLine.ts";
import { newPartner } from "./newPartner.ts";
import type { Registry } from "./registries.ts";

/** A command line, read: what was not given is undefined, what was given as `none` is null or empty. */
export interface Request {
  partnerId: string;
  /** The second argument of revoke-key. */
  keyId: string;
  remote: boolean;
  name: string | null | undefined;
  eventUrl: string | null | undefined;
  callbackHosts: string[] | undefined;
  requestsPerMinute: number | null | undefined;
  filesPerMinute: number | null | undefined;
  quotaFiles: number | null | undefined;
  quotaBytes: number | null | undefined;
  overlapMs: number;
}

/** What a command has to say: to programs, and to people. */
export interface Answer {
  ok: true;
  json: unknown;
  text: string;
}

export const SETTINGS = [
  "name",
  "event-url",
  "callback-host",
  "requests-per-minute",
  "files-per-minute",
  "quota-files",
  "quota-bytes",
] as const;

export interface Command {
  /** What it takes after its name, as usage shows it. */
  takes: readonly ("partner_id" | "key_id")[];
  flags: readonly ((typeof SETTINGS)[number] | "overlap")[];
  run(registry: Registry, request: Request, now: Date): Promise<Answer | Refusal>;
}

export const COMMANDS = new Map<string, Command>([
  ["create", { takes: ["partner_id"], flags: SETTINGS, run: create }],
  ["list", { takes: [], flags: [], run: list }],
  ["show", { takes: ["partner_id"], flags: [], run: ofPartner(show) }],
  ["set", { takes: ["partner_id"], flags: SETTINGS, run: ofPartner(set) }],
  ["rotate-key", { takes: ["partner_id"], flags: ["overlap"], run: ofPartner(giveKey) }],
  ["revoke-key", { takes: ["partner_id", "key_id"], flags: [], run: ofPartner(takeKey) }],
  ["rotate-secret", { takes: ["partner_id"], flags: ["overlap"], run: ofPartner(giveSecret) }],
  ["suspend", { takes: ["partner_id"], flags: [], run: ofPartner(suspend) }],
  ["resume", { takes: ["partner_id"], flags: [], run: ofPartner(resume) }],
]);

/** What a command does with the partner that it names. */
type Act = (partner: Partner, registry: Registry, request: Request, now: Date) => Promise<Answer | Refusal>;

/** A command about a partner that must be there. */
function ofPartner(act: Act): Command["run"] {
  return async (registry, request, now) => {
    const partner = await registry.read(request.partnerId);
    return partner === null
      ? refuse(`There is no partner ${request.partnerId}.`)
      : act(partner, registry, request, now);
  };
}

/** Null when the settings may stand as they are; otherwise what is wrong with one of them. */
export function settingsFault({ remote, eventUrl, callbackHosts = [] }: Request): string | null {
  const rules = { local: !remote, allowedHosts: [], ownHosts: [] };
  if (typeof eventUrl === "string") {
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

async function create(registry: Registry, request: Request, now: Date): Promise<Answer | Refusal> {
  const { partnerId, remote } = request;
  if ((await registry.read(partnerId)) !== null) return refuse(`There is a partner ${partnerId} already.`);
  // On one's own machine nobody else waits.
  const limits = remote ? DEFAULT_LIMITS : { requests_per_minute: null, files_per_minute: null };
  const quotas = remote ? DEFAULT_QUOTAS : { files: null, stored_bytes: null };
  const { partner, credentials } = newPartner(
    {
      partner_id: partnerId,
      ...changed({ name: null, event_url: null, callback_hosts: [], limits, quotas }, request),
    },
    now,
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

async function list(registry: Registry, _request: Request, now: Date): Promise<Answer> {
  const partners = await registry.list();
  const width = Math.max(0, ...partners.map(({ partner_id }) => partner_id.length));
  return {
    ok: true,
    json: { data: partners.map((partner) => settingsOf(partner, now.getTime())) },
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

async function show(partner: Partner, _registry: Registry, _request: Request, now: Date): Promise<Answer> {
  return answerOf(partner, now);
}

async function set(partner: Partner, registry: Registry, request: Request, now: Date): Promise<Answer> {
  return stored(registry, { ...partner, ...changed(partner, request) }, now);
}

async function giveKey(partner: Partner, registry: Registry, request: Request, now: Date): Promise<Answer> {
  const authKey = newAuthKey();
  const rotated = rotateKey(partner, authKey, request.overlapMs, now);
  await registry.write(rotated.partner);
  return {
    ok: true,
    json: {
      partner_id: partner.partner_id,
      key_id: rotated.new_id,
      auth_key: authKey,
      old_keys: rotated.old.map(({ id, expires_at }) => ({ key_id: id, expires_at })),
    },
    text: [`Key:  ${authKey}`, `Id:   ${rotated.new_id}`, ...endsOf(rotated, request.remote)].join("\n"),
  };
}

async function giveSecret(
  partner: Partner,
  registry: Registry,
  request: Request,
  now: Date,
): Promise<Answer> {
  const secret = newWebhookSecret();
  const rotated = rotateSecret(partner, secret, request.overlapMs, now);
  await registry.write(rotated.partner);
  return {
    ok: true,
    json: {
      partner_id: partner.partner_id,
      secret_id: rotated.new_id,
      webhook_secret: secret,
      old_secrets: rotated.old.map(({ id, expires_at }) => ({ secret_id: id, expires_at })),
    },
    text: [
      `Webhook secret:  ${secret}`,
      `Id:              ${rotated.new_id}`,
      ...endsOf(rotated, request.remote),
    ].join("\n"),
  };
}

function endsOf({ old }: Rotated, remote: boolean): string[] {
  const lines = old.map(({ id, expires_at }) => `${id} goes on until ${expires_at}.`);
  if (old.length === 0) lines.push("Nothing older goes on.");
  lines.push("The new one is shown this once.");
  if (remote) lines.push("The service may take a minute to see the change.");
  return lines;
}

async function takeKey(
  partner: Partner,
  registry: Registry,
  request: Request,
  now: Date,
): Promise<Answer | Refusal> {
  const left = revokeKey(partner, request.keyId, now);
  if (left === null) return refuse(`${request.partnerId} has no live key ${request.keyId}.`);
  const answer = await stored(registry, left, now);
  if (unexpired(left.keys, now.getTime()).length > 0) return answer;
  return {
    ...answer,
    text: `${answer.text}\nNo key is left: rotate-key ${request.partnerId} makes one.`,
  };
}

async function suspend(partner: Partner, registry: Registry, _request: Request, now: Date): Promise<Answer> {
  return stored(registry, { ...partner, status: "suspended" }, now);
}

async function resume(partner: Partner, registry: Registry, _request: Request, now: Date): Promise<Answer> {
  return stored(registry, { ...partner, status: "active" }, now);
}

type Settings = Pick<Partner, "name" | "event_url" | "callback_hosts" | "limits" | "quotas">;

/** The settings with what the request gives in place of what was. */
function changed(settings: Settings, request: Request): Settings {
  const { name, eventUrl, callbackHosts, requestsPerMinute, filesPerMinute, quotaFiles, quotaBytes } =
    request;
  return {
    name: name === undefined ? settings.name : name,
    event_url: eventUrl === undefined ? settings.event_url : eventUrl,
    callback_hosts: callbackHosts?.map((host) => host.toLowerCase()) ?? settings.callback_hosts,
    limits: {
      requests_per_minute:
        requestsPerMinute === undefined ? settings.limits.requests_per_minute : requestsPerMinute,
      files_per_minute: filesPerMinute === undefined ? settings.limits.files_per_minute : filesPerMinute,
    },
    quotas: {
      files: quotaFiles === undefined ? settings.quotas.files : quotaFiles,
      stored_bytes: quotaBytes === undefined ? settings.quotas.stored_bytes : quotaBytes,
    },
  };
}

async function stored(registry: Registry, partner: Partner, now: Date): Promise<Answer> {
  await registry.write(partner);
  return answerOf(partner, now);
}

function answerOf(partner: Partner, now: Date): Answer {
  const settings = settingsOf(partner, now.getTime());
  return { ok: true, json: settings, text: JSON.stringify(settings, null, 2) };
}
