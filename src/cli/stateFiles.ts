import { createHash, createHmac } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, readFile } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { partnerKey, partnerSchema, type Partner } from "../partners/partner.ts";
import { systemCode } from "./commandLine.ts";
import type { Database } from "./databases.ts";
import { localBucketName, localNamespaceId } from "./wrangler.ts";

/**
 * Reads the files of a state folder, read-only, without a runtime: a second workerd would take 400 MB, and lock databases
 * that the service writes. The folders and tables are miniflare's: an object is a row with the name of a file in `blobs`.
 */
export interface StateFiles {
  readPartner(partnerId: string): Promise<Partner | null>;
  listPartners(): Promise<Partner[]>;
  /** Returns the database with the name of a binding. Null for one without tables, and for an unknown one. */
  database(name: string): Pick<Database, "run"> | null;
  /** Copies an object of the bucket to a file. Returns false when the object does not exist. */
  saveObject(key: string, file: string): Promise<boolean>;
  close(): void;
}

/** Longer than the service locks a database. */
const TIMEOUT_MS = 5_000;

const TRIES = 3;

/** Rows of a store's objects. */
const objectRows = z.array(z.object({ blob_id: z.string() }));

/** Returns null for a folder without a registry. */
export function openStateFiles(state: string): StateFiles | null {
  const stores = path.join(state, "v3");
  const opened = new Map<string, DatabaseSync>();
  const fileOf = (kind: string, object: string, name: string) =>
    path.join(stores, kind, object, `${objectId(object, name)}.sqlite`);
  const databaseAt = (file: string): DatabaseSync => {
    const database = opened.get(file) ?? new DatabaseSync(file, { readOnly: true, timeout: TIMEOUT_MS });
    opened.set(file, database);
    return database;
  };
  const namespace = localNamespaceId();
  const namespaceFile = fileOf("kv", "miniflare-KVNamespaceObject", namespace);
  const bucketName = localBucketName();
  const bucketFile = fileOf("r2", "miniflare-R2BucketObject", bucketName);
  if (!existsSync(namespaceFile)) return null;
  const readPartners = async (where: string, value: string): Promise<Partner[]> => {
    const find = databaseAt(namespaceFile).prepare(
      `SELECT blob_id FROM _mf_entries WHERE ${where} ORDER BY key`,
    );
    const texts = await whileReplaced(async () =>
      Promise.all(
        objectRows
          .parse(find.all(value))
          .map(async ({ blob_id }) => readFile(path.join(stores, "kv", namespace, "blobs", blob_id), "utf8")),
      ),
    );
    return texts.map((text) => partnerSchema.parse(JSON.parse(text)));
  };
  return {
    readPartner: async (partnerId) => (await readPartners("key = ?", partnerKey(partnerId)))[0] ?? null,
    listPartners: async () => readPartners("substr(key, 1, length(?1)) = ?1", partnerKey("")),
    database: (name) => {
      const file = fileOf("d1", "miniflare-D1DatabaseObject", name);
      if (!existsSync(file)) return null;
      const database = databaseAt(file);
      const tables = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'files'").all();
      return tables.length === 0
        ? null
        : { run: async (sql, ...values) => database.prepare(sql).all(...values) };
    },
    saveObject: async (key, file) => {
      if (!existsSync(bucketFile)) return false;
      const find = databaseAt(bucketFile).prepare("SELECT blob_id FROM _mf_objects WHERE key = ?");
      return whileReplaced(async () => {
        const [row] = objectRows.parse(find.all(key));
        if (row === undefined) return false;
        const blob = path.join(stores, "r2", bucketName, "blobs", row.blob_id);
        await copyFile(blob, file);
        await chmod(file, 0o600);
        return true;
      });
    },
    close: () => {
      for (const database of opened.values()) database.close();
    },
  };
}

/** Reads again if the service has replaced an object between the reads of its row and of its file. */
async function whileReplaced<T>(read: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await read();
    } catch (fault) {
      if (systemCode(fault) !== "ENOENT" || tries === TRIES) throw fault;
    }
  }
}

/** Returns the id of a Durable Object in the local runtime, which names its file: two HMACs of the object's name. */
function objectId(namespace: string, name: string): string {
  const key = createHash("sha256").update(namespace).digest();
  const half = (data: string | Buffer) => createHmac("sha256", key).update(data).digest().subarray(0, 16);
  const first = half(name);
  return Buffer.concat([first, half(first)]).toString("hex");
}
