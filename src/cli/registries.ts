import { chunksOf } from "../concurrency/chunksOf.ts";
import { z } from "zod";
import { partnerKey, partnerSchema, type Partner } from "../partners/partner.ts";
import { usageKey } from "../usage/usage.ts";
import { cloudflareFor, type Cloudflare } from "./cloudflare.ts";
import type { Refusal } from "./commandLine.ts";
import { openLocalStores, retryWhileLocked } from "./localState.ts";
import type { Target } from "./target.ts";

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
  return target.remote ? remoteRegistry(cloudflareFor(target.environment)) : localRegistry(target.state);
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
  const partnerOf = (text: string) => partnerSchema.parse(JSON.parse(text));
  return {
    ok: true,
    close: async () => {},
    read: async (partnerId) => {
      const text = await cloudflare.text("GET", await valueAt(partnerKey(partnerId)));
      return text === null ? null : partnerOf(text);
    },
    list: async () => {
      const keys: string[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const query = `keys?prefix=${encodeURIComponent(PREFIX)}&cursor=${encodeURIComponent(cursor)}`;
        const page = await cloudflare.page("GET", await below(query));
        keys.push(...namesSchema.parse(page.result).map(({ name }) => name));
        ({ cursor } = page);
      }
      const found: Partner[] = [];
      for (const chunk of chunksOf(keys, KEYS_PER_READ)) {
        const answer = await cloudflare.result("POST", await below("bulk/get"), { body: { keys: chunk } });
        const { values } = valuesSchema.parse(answer);
        found.push(
          ...chunk.flatMap((key) => (typeof values[key] === "string" ? [partnerOf(values[key])] : [])),
        );
      }
      return found;
    },
    write: async (partner) => {
      await cloudflare.result("PUT", await valueAt(partnerKey(partner.partner_id)), {
        body: JSON.stringify(partner),
        headers: { "Content-Type": "text/plain" },
      });
    },
    remove: async (partnerId) => {
      await cloudflare.result("DELETE", await valueAt(partnerKey(partnerId)));
    },
    removeUsage: async (partnerId) => {
      await cloudflare.result("DELETE", await valueAt(usageKey(partnerId)));
    },
  };
}
