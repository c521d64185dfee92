import { checkAddress } from "../outbound/address.ts";
import {
  DEFAULT_LIMITS,
  DEFAULT_QUOTAS,
  unexpired,
  newAuthKey,
  newWebhookSecret,
  resumed,
  settingsOf,
  suspended,
  type Partner,
} from "../partners/partner.ts";
import { ownSettings } from "../partners/settings.ts";
import { revokeKey, rotateKey, rotateSecret, type Rotated } from "../partners/rotate.ts";
import { inWords } from "../contract/amounts.ts";
import { DAY_MS, ERASURE_KEPT_FOR_MS, SETTINGS_SPREAD_FOR_MS } from "../contract/limits.ts";
import { misuse, refuse, type Refusal } from "./commandLine.ts";
import { newPartner, USUAL_SETTINGS, type NewPartnerSettings } from "./newPartner.ts";
import { databasesAt, emptyDatabasesAt } from "./databases.ts";
import { registryAt, type Registry } from "./registries.ts";
import type { Target } from "./target.ts";
import type { CommandOutput, Request, Stores } from "./partnerRequest.ts";
import { databaseWithRowsOf } from "./removedPartners.ts";
import { removePartner } from "./removePartner.ts";

export const SETTINGS = [
  "name",
  "event-url",
  "callback-host",
  "source",
  "prefetch-held",
  "requests-per-minute",
  "files-per-minute",
  "quota-files",
  "quota-bytes",
] as const;

export interface Command {
  /** Arguments after the command's name. */
  parameters: readonly ("partner_id" | "key_id")[];
  flags: readonly ((typeof SETTINGS)[number] | "database" | "overlap")[];
  run(stores: Stores, request: Request, now: Date): Promise<CommandOutput | Refusal>;
}

export const COMMANDS = new Map<string, Command>([
  ["create", { parameters: ["partner_id"], flags: [...SETTINGS, "database"], run: create }],
  ["list", { parameters: [], flags: [], run: list }],
  ["show", { parameters: ["partner_id"], flags: [], run: withPartner(show) }],
  ["set", { parameters: ["partner_id"], flags: SETTINGS, run: withPartner(set) }],
  ["rotate-key", { parameters: ["partner_id"], flags: ["overlap"], run: withPartner(runRotateKey) }],
  ["revoke-key", { parameters: ["partner_id", "key_id"], flags: [], run: withPartner(runRevokeKey) }],
  ["rotate-secret", { parameters: ["partner_id"], flags: ["overlap"], run: withPartner(runRotateSecret) }],
  ["suspend", { parameters: ["partner_id"], flags: [], run: withPartner(changing(suspended)) }],
  ["resume", { parameters: ["partner_id"], flags: [], run: withPartner(changing(resumed)) }],
  ["lock", { parameters: ["partner_id"], flags: [], run: withPartner(changing(locked(true))) }],
  ["unlock", { parameters: ["partner_id"], flags: [], run: withPartner(changing(locked(false))) }],
  ["remove", { parameters: ["partner_id"], flags: [], run: withPartner(removePartner) }],
]);

/** Runs a command on the stores of a service. */
export async function runCommand(
  command: Command,
  request: Request,
  target: Target,
): Promise<CommandOutput | Refusal> {
  const registry = registryAt(target);
  try {
    return await command.run(
      {
        registry,
        databases: async () => databasesAt(target),
        emptyDatabases: async () => emptyDatabasesAt(target),
      },
      request,
      new Date(),
    );
  } finally {
    await registry.close();
  }
}

/** The action of a command on an existing partner. */
export type PartnerAction = (
  partner: Partner,
  stores: Stores,
  request: Request,
  now: Date,
) => Promise<CommandOutput | Refusal>;

/** Returns a command that reads its partner first, and refuses an unknown one. */
function withPartner(action: PartnerAction): Command["run"] {
  return async (stores, request, now) => {
    const partner = await stores.registry.read(request.partnerId);
    return partner === null
      ? refuse(`No partner ${request.partnerId} exists. npm run partner -- list shows all of them.`)
      : action(partner, stores, request, now);
  };
}

/** Returns what is wrong with a setting. Returns null for valid settings. */
export function settingsProblem({
  remote,
  eventUrl,
  callbackHosts = [],
  sourceOrder = [],
}: Request): string | null {
  const rules = { local: !remote, allowedHosts: [], ownHosts: [] };
  if (typeof eventUrl === "string") {
    const check = checkAddress(eventUrl, rules);
    if (!check.ok) return `--event-url ${JSON.stringify(eventUrl)}: ${check.detail}`;
  }
  for (const host of callbackHosts) {
    const check = checkAddress(`https://${host}/`, rules);
    if (!check.ok || check.url.hostname !== host.toLowerCase()) {
      return `--callback-host must be a host name such as files.example.com, without scheme, port or path; received ${JSON.stringify(host)}.`;
    }
  }
  const lists = [
    ["callback-host", ownSettings.callback_hosts.safeParse(callbackHosts)],
    ["source", ownSettings.source_order.safeParse(sourceOrder)],
  ] as const;
  for (const [flag, { error }] of lists) {
    if (error !== undefined) return `--${flag}: ${error.issues[0]?.message}`;
  }
  return null;
}

async function create(stores: Stores, request: Request, now: Date): Promise<CommandOutput | Refusal> {
  const { partnerId, remote } = request;
  const { registry } = stores;
  if ((await registry.read(partnerId)) !== null)
    return refuse(`The partner ${partnerId} already exists. Change it with set, or choose another id.`);
  const chosen = await chooseDatabase(stores, request);
  if (!chosen.ok) return chosen;
  // A local service has no other partners to protect.
  const limits = remote ? DEFAULT_LIMITS : { requests_per_minute: null, files_per_minute: null };
  const quotas = remote ? DEFAULT_QUOTAS : { files: null, stored_bytes: null };
  const { partner, credentials } = newPartner(
    {
      partner_id: partnerId,
      ...changedSettings({ name: null, ...USUAL_SETTINGS, limits, quotas }, request),
      database: chosen.database,
    },
    now,
  );
  const created = await registry.change(partner, () => ({ ok: true, partner }));
  if (!created.ok) return created;
  const lines = [
    `Partner-Id:      ${credentials.partner_id}`,
    `Key:             ${credentials.auth_key}`,
    `Webhook secret:  ${credentials.webhook_secret}`,
    `Database:        ${partner.database}`,
    "The key and the secret are shown only once.",
  ];
  if (partner.event_url === null)
    lines.push(
      "The secret signs events to an event_url, if you set one. Endpoints of the partner's own have secrets of their own.",
    );
  if (remote) lines.push(`The key works within ${inWords(SETTINGS_SPREAD_FOR_MS)}.`);
  return { ok: true, json: credentials, text: lines.join("\n") };
}

/**
 * Returns the database with rows of the partner's id, so that late work cannot pass the bounds of its erasures. Else the
 * one that the request names, else the smallest one, and of equal ones the one with fewest partners.
 */
async function chooseDatabase(
  { registry, emptyDatabases }: Stores,
  { partnerId, database }: Request,
): Promise<{ ok: true; database: string } | Refusal> {
  const opened = await emptyDatabases();
  if (!opened.ok) return opened;
  try {
    const names = opened.all.map(({ name }) => name);
    if (database !== undefined && !names.includes(database)) {
      return misuse(
        `--database must be one of ${names.join(", ")}, which wrangler.toml declares; received ${JSON.stringify(database)}.`,
      );
    }
    const home = await databaseWithRowsOf(opened.all, partnerId);
    if (home !== null && database !== undefined && database !== home) {
      return refuse(
        `${home} has rows of ${partnerId}: its data, or for ${ERASURE_KEPT_FOR_MS / DAY_MS} days hashes of its erased users. Create it there: leave out --database, or choose another id.`,
      );
    }
    const required = home ?? database;
    if (required !== undefined) return { ok: true, database: required };
    const sizes = await Promise.all(
      opened.all.map(async (one) => ({ name: one.name, bytes: await one.size() })),
    );
    const smallest = Math.min(...sizes.map(({ bytes }) => bytes));
    const candidates = sizes.filter(({ bytes }) => bytes === smallest).map(({ name }) => name);
    const taken = candidates.length === 1 ? [] : await registry.list();
    const partnersOf = (name: string) => taken.filter((partner) => partner.database === name).length;
    const [emptiest] = candidates.sort((a, b) => partnersOf(a) - partnersOf(b));
    return emptiest === undefined
      ? refuse("wrangler.toml declares no database.")
      : { ok: true, database: emptiest };
  } finally {
    await opened.close();
  }
}

async function list({ registry }: Stores, _request: Request, now: Date): Promise<CommandOutput> {
  const partners = await registry.list();
  const width = Math.max(0, ...partners.map(({ partner_id }) => partner_id.length));
  return {
    ok: true,
    json: { data: partners.map((partner) => operatorView(partner, now)) },
    text:
      partners.length === 0
        ? "No partners."
        : partners
            .map(({ partner_id, status, database, created_at, name }) =>
              [partner_id.padEnd(width), status.padEnd(9), database.padEnd(5), created_at, name ?? ""]
                .join("  ")
                .trimEnd(),
            )
            .join("\n"),
  };
}

async function show(partner: Partner, _stores: Stores, _request: Request, now: Date): Promise<CommandOutput> {
  return outputOf(partner, now);
}

async function set(
  partner: Partner,
  { registry }: Stores,
  request: Request,
  now: Date,
): Promise<CommandOutput | Refusal> {
  return change(registry, partner, (newest) => ({ ...newest, ...changedSettings(newest, request) }), now);
}

async function runRotateKey(
  partner: Partner,
  { registry }: Stores,
  request: Request,
  now: Date,
): Promise<CommandOutput | Refusal> {
  const authKey = newAuthKey();
  const rotated = await rotate(registry, partner, (newest) =>
    rotateKey(newest, authKey, request.overlapMs, now),
  );
  if (!rotated.ok) return rotated;
  return {
    ok: true,
    json: {
      partner_id: partner.partner_id,
      key_id: rotated.new_id,
      auth_key: authKey,
      old_keys: rotated.old.map(({ id, expires_at }) => ({ key_id: id, expires_at })),
    },
    text: [
      `Key:  ${authKey}`,
      `Id:   ${rotated.new_id}`,
      ...expiryLines(rotated, "key", request.remote),
    ].join("\n"),
  };
}

async function runRotateSecret(
  partner: Partner,
  { registry }: Stores,
  request: Request,
  now: Date,
): Promise<CommandOutput | Refusal> {
  const secret = newWebhookSecret();
  const rotated = await rotate(registry, partner, (newest) =>
    rotateSecret(newest, secret, request.overlapMs, now),
  );
  if (!rotated.ok) return rotated;
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
      ...expiryLines(rotated, "secret", request.remote),
    ].join("\n"),
  };
}

/** Stores a rotation, and returns its result. */
async function rotate(
  registry: Registry,
  partner: Partner,
  rotation: (newest: Partner) => Rotated,
): Promise<({ ok: true } & Rotated) | Refusal> {
  let rotated = rotation(partner);
  const changed = await registry.change(partner, (newest) => {
    rotated = rotation(newest);
    return { ok: true, partner: rotated.partner };
  });
  return changed.ok ? { ok: true, ...rotated } : changed;
}

function expiryLines({ old }: Pick<Rotated, "old">, what: "key" | "secret", remote: boolean): string[] {
  const lines = old.map(({ id, expires_at }) => `${id} stays valid until ${expires_at}.`);
  if (old.length === 0) lines.push(`No older ${what} is valid.`);
  lines.push(`The new ${what} is shown only once.`);
  if (remote) lines.push(`The change takes effect everywhere within ${inWords(SETTINGS_SPREAD_FOR_MS)}.`);
  return lines;
}

async function runRevokeKey(
  partner: Partner,
  { registry }: Stores,
  request: Request,
  now: Date,
): Promise<CommandOutput | Refusal> {
  const changed = await registry.change(partner, (newest) => {
    const remaining = revokeKey(newest, request.keyId, now);
    return remaining === null
      ? refuse(
          `The partner ${request.partnerId} has no valid key ${request.keyId}. npm run partner -- show ${request.partnerId} lists the key ids.`,
        )
      : { ok: true, partner: remaining };
  });
  if (!changed.ok) return changed;
  const output = outputOf(changed.partner, now);
  if (unexpired(changed.partner.keys, now.getTime()).length > 0) return output;
  return {
    ...output,
    text: `${output.text}\nThe partner has no valid key now. npm run partner -- rotate-key ${request.partnerId} creates one.`,
  };
}

/** Returns the edit that locks or unlocks what a partner changes itself. */
function locked(self_service_locked: boolean) {
  return (partner: Partner): Partner => ({ ...partner, self_service_locked });
}

/** Returns the action of a command that only changes the partner. */
function changing(edit: (newest: Partner, now: Date) => Partner): PartnerAction {
  return async (partner, { registry }, _request, now) =>
    change(registry, partner, (newest) => edit(newest, now), now);
}

type Settings = Omit<NewPartnerSettings, "partner_id" | "database">;

/** Returns the settings, changed as the request says. */
function changedSettings(settings: Settings, request: Request): Settings {
  const { name, eventUrl, callbackHosts, sourceOrder, prefetchHeld } = request;
  const { requestsPerMinute, filesPerMinute, quotaFiles, quotaBytes } = request;
  return {
    name: name === undefined ? settings.name : name,
    event_url: eventUrl === undefined ? settings.event_url : eventUrl,
    callback_hosts: callbackHosts?.map((host) => host.toLowerCase()) ?? settings.callback_hosts,
    source_order: sourceOrder ?? settings.source_order,
    prefetch_held: prefetchHeld ?? settings.prefetch_held,
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

/** Changes the partner and returns its settings. */
async function change(
  registry: Registry,
  partner: Partner,
  edit: (newest: Partner) => Partner,
  now: Date,
): Promise<CommandOutput | Refusal> {
  const changed = await registry.change(partner, (newest) => ({ ok: true, partner: edit(newest) }));
  return changed.ok ? outputOf(changed.partner, now) : changed;
}

function operatorView(partner: Partner, now: Date) {
  return { database: partner.database, ...settingsOf(partner, now.getTime()) };
}

function outputOf(partner: Partner, now: Date): CommandOutput {
  const settings = operatorView(partner, now);
  return { ok: true, json: settings, text: JSON.stringify(settings, null, 2) };
}
