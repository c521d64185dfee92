import { z } from "zod";
import type { Partner } from "../../partners/partner.ts";
import { cloudflareFor } from "../cloudflare.ts";
import { unusedState, type Refusal } from "../commandLine.ts";
import { databaseNamed, remoteDatabases, type Database } from "../databases.ts";
import { remoteRegistry } from "../registries.ts";
import { openStateFiles } from "../stateFiles.ts";
import type { Target } from "../target.ts";
import type { Environment } from "../wrangler.ts";

/** The stores that an export and a backup read: the files of a state folder, or Cloudflare's REST API. */
export interface Source {
  ok: true;
  readPartner(partnerId: string): Promise<Partner | null>;
  listPartners(): Promise<Partner[]>;
  /** Returns the database with the name of a binding. */
  database(name: string): Promise<{ ok: true; database: Pick<Database, "run"> } | Refusal>;
  /** Writes an object to a file that only this user can read. Returns false when the object does not exist. */
  saveObject(key: string, file: string): Promise<boolean>;
  close(): void;
}

/** Opens the stores without a runtime and without wrangler. */
export async function openSource(target: Target): Promise<Source | Refusal> {
  if (target.remote) return remoteSource(target.environment);
  const files = openStateFiles(target.state);
  if (files === null) return unusedState(target.state);
  return {
    ok: true,
    readPartner: async (partnerId) => files.readPartner(partnerId),
    listPartners: async () => files.listPartners(),
    database: async (name) => {
      const database = files.database(name);
      return database === null ? unusedState(target.state) : { ok: true, database };
    },
    saveObject: async (key, file) => files.saveObject(key, file),
    close: () => files.close(),
  };
}

const bucketSchema = z.looseObject({ bucket_name: z.string(), jurisdiction: z.string().optional() });

function remoteSource(environment: Environment): Source {
  const cloudflare = cloudflareFor(environment);
  const registry = remoteRegistry(cloudflare);
  return {
    ok: true,
    readPartner: async (partnerId) => registry.read(partnerId),
    listPartners: async () => registry.list(),
    database: async (name) => databaseNamed(await remoteDatabases(cloudflare), name),
    saveObject: async (key, file) => {
      const { bucket_name, jurisdiction } = bucketSchema.parse(
        await cloudflare.binding("r2_bucket", "FILES"),
      );
      const headers = jurisdiction === undefined ? {} : { "cf-r2-jurisdiction": jurisdiction };
      return cloudflare.download(`/r2/buckets/${bucket_name}/objects/${key}`, file, headers);
    },
    close: () => {},
  };
}
