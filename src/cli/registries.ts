import { z } from "zod";
import { chunksOf } from "../concurrency/chunksOf.ts";
import { wait } from "../concurrency/wait.ts";
import { fieldsOf } from "../database/parse.ts";
import { changePartner, newerOf, type Changed, type Edit } from "../partners/change.ts";
import { partnerKey, type Partner } from "../partners/partner.ts";
import { CLAIM_MS, deleteSettings, parsePartner, readStored, type Run } from "../partners/write.ts";
import { usageKey } from "../usage/usage.ts";
import { cloudflareFor, type Cloudflare } from "./cloudflare.ts";
import { CommandFault, refuse, type Refusal } from "./commandLine.ts";
import { databasesOf, remoteDatabases, type Database } from "./databases.ts";
import { openLocalStores, retryWhileLocked, type LocalStores } from "./localState.ts";
import { openStateFiles, type StateFiles } from "./stateFiles.ts";
import type { Target } from "./target.ts";

/** Prefix of the KV keys of partners. */
const PREFIX = partnerKey("");
/** Maximum number of keys of one bulk read. */
const KEYS_PER_READ = 100;
/** Pause before a partner is removed again whose settings are being published. */
const PUBLISHER_WAIT_MS = 1_000;

/** The partners of a service: in a state folder, or of the deployed service. Changes go the same way as those of the API. */
export interface Registry {
  /** Returns the newest settings of a partner in KV. Null for a partner that KV does not have. */
  read(partnerId: string): Promise<Partner | null>;
  /** Returns all partners in KV. */
  list(): Promise<Partner[]>;
  /** Returns the partners with settings in a database, also those that KV lacks. */
  listStored(): Promise<Partner[]>;
  /** Changes a partner. `edit` gets its newest settings: of its row, or those given if it has none or an older one. */
  change(partner: Partner, edit: Edit<Refusal>): Promise<Changed | Refusal>;
  remove(partner: Pick<Partner, "partner_id" | "database">): Promise<void>;
  /** Removes the published usage of a partner. */
  removeUsage(partnerId: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens the registry of a service. */
export function registryAt(target: Target): Registry {
  return target.remote ? remoteRegistry(cloudflareFor(target.environment)) : localRegistry(target.state);
}

/** The registry's KV namespace. */
interface Namespace {
  get(key: string): Promise<string | null>;
  /** Returns all values whose keys have the prefix. */
  list(prefix: string): Promise<string[]>;
  put(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
}

const FIND_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'partner_settings'";

function registryOver(
  kv: Namespace,
  databases: () => Promise<readonly Database[]>,
  close: () => Promise<void>,
): Registry {
  const readPublished = async (partnerId: string) => {
    const value = await kv.get(partnerKey(partnerId));
    return value === null ? null : parsePartner(value);
  };
  /** Returns the statements of a database. Null without tables: the partner was created before the first start of a service. */
  const runIn = async (name: string): Promise<Run | null> => {
    const database = (await databases()).find((known) => known.name === name);
    if (database === undefined)
      throw new CommandFault(`wrangler.toml does not declare the database ${name}.`);
    if ((await database.run(FIND_TABLE)).length === 0) return null;
    return async (sql, ...values) => database.run(sql, ...values);
  };
  const storedOf = async ({ partner_id, database }: Pick<Partner, "partner_id" | "database">) => {
    const run = await runIn(database);
    return run === null ? null : readStored(run, partner_id);
  };
  return {
    close,
    read: async (partnerId) => {
      const published = await readPublished(partnerId);
      return published === null ? null : newerOf(published, await storedOf(published));
    },
    list: async () => (await kv.list(PREFIX)).map(parsePartner),
    listStored: async () => {
      const found: Partner[] = [];
      for (const database of await databases()) {
        if ((await database.run(FIND_TABLE)).length === 0) continue;
        const rows = await database.run("SELECT settings FROM partner_settings ORDER BY partner_id");
        found.push(...rows.map((row) => parsePartner(String(fieldsOf(row)["settings"]))));
      }
      return found;
    },
    change: async (partner, edit) => {
      const run = await runIn(partner.database);
      const publish = async (partnerId: string, settings: string) => kv.put(partnerKey(partnerId), settings);
      if (run === null) {
        const edited = edit(partner);
        if (!edited.ok) return edited;
        await publish(partner.partner_id, JSON.stringify(edited.partner));
        return { ...edited, inForceAt: Date.now() };
      }
      const changed = await changePartner({ run, readPublished, publish }, partner, edit);
      return !changed.ok && "code" in changed
        ? refuse(`Other changes of ${partner.partner_id} came first. Run the command again.`)
        : changed;
    },
    remove: async (partner) => {
      const run = await runIn(partner.database);
      if (run !== null) await removeRow(run, partner.partner_id);
      await kv.delete(partnerKey(partner.partner_id));
    },
    removeUsage: async (partnerId) => kv.delete(usageKey(partnerId)),
  };
}

/** Deletes a partner's row after the end of a publication, so that the publisher does not write the partner to KV again. */
async function removeRow(run: Run, partnerId: string): Promise<void> {
  const deadline = Date.now() + 2 * CLAIM_MS;
  while (!(await deleteSettings(run, partnerId))) {
    if (Date.now() > deadline) {
      throw new CommandFault(`Settings of ${partnerId} are still being published. Run the command again.`);
    }
    await wait(PUBLISHER_WAIT_MS);
  }
}

/**
 * Opens the registry of a state folder. A service that runs on it sees every change. Reads use the files of the folder. Only the
 * first change starts a runtime, which takes seconds.
 */
export function localRegistry(state: string): Registry {
  let opened: Promise<Registry> | null = null;
  const open = async () => {
    const stores = await openLocalStores(state);
    if (stores.ok) return registryOfStores(stores);
    throw new CommandFault(stores.problem);
  };
  const writable = async () => (opened ??= open());
  return {
    read: async (partnerId) =>
      readFiles(state, null, async (files) => {
        const published = await files.readPartner(partnerId);
        if (published === null) return null;
        const run = files.database(published.database)?.run;
        return newerOf(published, run === undefined ? null : await readStored(run, partnerId));
      }),
    list: async () => readFiles(state, [], async (files) => files.listPartners()),
    listStored: async () => (await writable()).listStored(),
    change: async (partner, edit) => (await writable()).change(partner, edit),
    remove: async (partner) => (await writable()).remove(partner),
    removeUsage: async (partnerId) => (await writable()).removeUsage(partnerId),
    close: async () => (await opened)?.close(),
  };
}

/** Reads the files of a state folder. Returns `absent` for a folder without a registry. */
async function readFiles<T>(state: string, absent: T, read: (files: StateFiles) => Promise<T>): Promise<T> {
  const files = openStateFiles(state);
  if (files === null) return absent;
  try {
    return await read(files);
  } finally {
    files.close();
  }
}

/** Returns the registry of an opened state folder. Closing it closes the folder's stores. */
export function registryOfStores(stores: LocalStores): Registry {
  const { partners, databases } = stores;
  const get = async (key: string) => retryWhileLocked(async () => partners.get(key, "text"));
  const all = databasesOf(databases);
  return registryOver(
    {
      get,
      list: async (prefix) => {
        const found: string[] = [];
        let cursor: string | null = null;
        do {
          const page: KVNamespaceListResult<unknown> = await retryWhileLocked(async () =>
            partners.list({ prefix, cursor }),
          );
          for (const { name } of page.keys) {
            const value = await get(name);
            if (value !== null) found.push(value);
          }
          cursor = page.list_complete ? null : page.cursor;
        } while (cursor !== null);
        return found;
      },
      put: async (key, value) => retryWhileLocked(async () => partners.put(key, value)),
      delete: async (key) => retryWhileLocked(async () => partners.delete(key)),
    },
    async () => all,
    async () => stores.close(),
  );
}

const namespaceSchema = z.looseObject({ namespace_id: z.string() });
const namesSchema = z.array(z.object({ name: z.string() }));
const valuesSchema = z.object({ values: z.record(z.string(), z.string().nullable()) });

/** Opens the deployed registry through Cloudflare's REST API. */
export function remoteRegistry(cloudflare: Cloudflare): Registry {
  const below = async (rest: string) => {
    const { namespace_id } = namespaceSchema.parse(await cloudflare.binding("kv_namespace", "PARTNERS"));
    return `/storage/kv/namespaces/${namespace_id}/${rest}`;
  };
  const valueAt = async (key: string) => below(`values/${encodeURIComponent(key)}`);
  return registryOver(
    {
      get: async (key) => cloudflare.text("GET", await valueAt(key)),
      list: async (prefix) => {
        const keys: string[] = [];
        let cursor: string | null = "";
        while (cursor !== null) {
          const query = `keys?prefix=${encodeURIComponent(prefix)}&cursor=${encodeURIComponent(cursor)}`;
          const page = await cloudflare.page("GET", await below(query));
          keys.push(...namesSchema.parse(page.result).map(({ name }) => name));
          ({ cursor } = page);
        }
        const found: string[] = [];
        for (const chunk of chunksOf(keys, KEYS_PER_READ)) {
          const answer = await cloudflare.result("POST", await below("bulk/get"), { body: { keys: chunk } });
          const { values } = valuesSchema.parse(answer);
          found.push(...chunk.flatMap((key) => (typeof values[key] === "string" ? [values[key]] : [])));
        }
        return found;
      },
      put: async (key, value) => {
        await cloudflare.result("PUT", await valueAt(key), {
          body: value,
          headers: { "Content-Type": "text/plain" },
        });
      },
      delete: async (key) => {
        await cloudflare.result("DELETE", await valueAt(key));
      },
    },
    async () => (await remoteDatabases(cloudflare)).all,
    async () => {},
  );
}
