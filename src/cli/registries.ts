import { chunksOf } from "../concurrency/chunksOf.ts";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { partnerKey, partnerSchema, type Partner } from "../partners/partner.ts";
import { usageKey } from "../usage/usage.ts";
import type { Refusal } from "./commandLine.ts";
import { openLocalStores, retryWhileLocked } from "./localState.ts";
import type { Target } from "./target.ts";
import { parsePrinted, wranglerFor, type RunWrangler } from "./wrangler.ts";

/** Prefix of the KV keys of partners. */
const PREFIX = partnerKey("");
/** Maximum number of keys of one bulk read. */
const KEYS_PER_READ = 100;

/** The partners in KV: in a state folder, or of the deployed service. */
export interface Registry {
  ok: true;
  read(partnerId: string): Promise<Partner | null>;
  list(): Promise<Partner[]>;
  write(partner: Partner): Promise<void>;
  remove(partnerId: string): Promise<void>;
  /** Removes the published usage of a partner. */
  removeUsage(partnerId: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens the registry of a service. */
export async function registryAt(target: Target): Promise<Registry | Refusal> {
  return target.remote ? remoteRegistry(wranglerFor(target.environment)) : localRegistry(target.state);
}

/** Opens the registry of a state folder. A service that runs on it sees every change. */
export async function localRegistry(state: string): Promise<Registry | Refusal> {
  const stores = await openLocalStores(state);
  if (!stores.ok) return stores;
  const { partners } = stores;
  const read = async (key: string) => {
    const stored: unknown = await retryWhileLocked(async () => partners.get(key, "json"));
    return stored === null ? null : partnerSchema.parse(stored);
  };
  return {
    ok: true,
    close: async () => stores.close(),
    read: async (partnerId) => read(partnerKey(partnerId)),
    list: async () => {
      const found: Partner[] = [];
      let cursor: string | null = null;
      do {
        const page: KVNamespaceListResult<unknown> = await retryWhileLocked(async () =>
          partners.list({ prefix: PREFIX, cursor }),
        );
        for (const { name } of page.keys) {
          const partner = await read(name);
          if (partner !== null) found.push(partner);
        }
        cursor = page.list_complete ? null : page.cursor;
      } while (cursor !== null);
      return found;
    },
    write: async (partner) =>
      retryWhileLocked(async () => partners.put(partnerKey(partner.partner_id), JSON.stringify(partner))),
    remove: async (partnerId) => retryWhileLocked(async () => partners.delete(partnerKey(partnerId))),
    removeUsage: async (partnerId) => retryWhileLocked(async () => partners.delete(usageKey(partnerId))),
  };
}

const namesSchema = z.array(z.object({ name: z.string() }));
/** Wrangler prints a value as it is or wrapped in an object. Null: the key does not exist. */
const valuesSchema = z.record(
  z.string(),
  z.union([
    z.string().nullable(),
    z.object({ value: z.string().nullable() }).transform(({ value }) => value),
  ]),
);

/** Opens the deployed registry through `wrangler kv`. Its methods throw a RemoteFault when wrangler fails. */
export function remoteRegistry(wrangler: RunWrangler): Registry {
  const wranglerKv = async (...args: string[]) =>
    wrangler(["kv", ...args, "--binding", "PARTNERS", "--remote"]);
  const readAll = async (keys: string[]) =>
    withFile(JSON.stringify(keys), async (file) => {
      const values = parsePrinted(valuesSchema, await wranglerKv("bulk", "get", file));
      return keys.flatMap((key) => {
        const stored = values[key] ?? null;
        return stored === null ? [] : [partnerSchema.parse(JSON.parse(stored))];
      });
    });
  return {
    ok: true,
    close: async () => {},
    read: async (partnerId) => (await readAll([partnerKey(partnerId)]))[0] ?? null,
    list: async () => {
      const listed = parsePrinted(namesSchema, await wranglerKv("key", "list", "--prefix", PREFIX));
      const keys = listed.map(({ name }) => name);
      const found: Partner[] = [];
      for (const chunk of chunksOf(keys, KEYS_PER_READ)) found.push(...(await readAll(chunk)));
      return found;
    },
    write: async (partner) => {
      await withFile(JSON.stringify(partner), async (file) =>
        wranglerKv("key", "put", partnerKey(partner.partner_id), "--path", file),
      );
    },
    remove: async (partnerId) => {
      await wranglerKv("key", "delete", partnerKey(partnerId));
    },
    removeUsage: async (partnerId) => {
      await wranglerKv("key", "delete", usageKey(partnerId));
    },
  };
}

/** Passes text to wrangler in a temporary file that only this user can read, so that no secret is an argument. */
async function withFile<T>(text: string, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), "partner-"));
  try {
    const file = path.join(folder, "value.json");
    await writeFile(file, text, { mode: 0o600 });
    return await use(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
