import type { CollectorPage, PagedFile } from "../../collector/calls.ts";
import { identityOf, type CollectorIdentity } from "../../collector/identity.ts";
import { settleAll, valuesOf } from "../../concurrency/settleAll.ts";
import type { Env } from "../../env.ts";
import { inlineKeyPrefix, versionKey, versionKeyPrefix } from "../../files/objectKeys.ts";
import { projectEdits, projectFiles, type FileProjection } from "../../files/write.ts";
import { decodeFile } from "../../activities/decodeFile.ts";
import { readableStatements, type ReadableFile } from "../../activities/readableFiles.ts";
import { projectImports } from "../../imports/write.ts";
import { logLine } from "../../log.ts";
import { introduceSources } from "../../sources/write.ts";
import { touchUsers } from "../../users/write.ts";
import type { JobFailure, PageResult } from "../jobs/job.ts";
import { withStoredBytes } from "../withStoredBytes.ts";
import { lostStates } from "./read.ts";
import { keepNamedObjects, lowerRevisions, type LoweredRow } from "./write.ts";

/** Number of files that are decoded at the same time. */
const CONCURRENT_FILES = 4;
const ORIGINAL_MISSING = "original_missing";

/**
 * Writes the files of a page that the read model has lost, with the user, the source and the imports. Reads stored bytes
 * and downloads nothing. Rows of later revisions and erased users stay as they are, so repeating it changes nothing. Files
 * with missing bytes, or with bytes that cannot be decoded, are failures.
 */
export async function projectPage(env: Env, database: D1Database, page: CollectorPage): Promise<PageResult> {
  if (page.files.length === 0 && page.imports.length === 0) return { changed: 0, failures: [] };
  const identity = identityOf(page.names);
  const states = await lostStates(database, identity.partner_id, page.files);
  const unreadable = page.files.filter(({ newest }) => states.get(newest.file_id)?.is_unreadable === 1);
  const restored = await settleAll(unreadable, CONCURRENT_FILES, async (file) =>
    restore(env, identity, file),
  );
  const readable: ReadableFile[] = [];
  const failures: JobFailure[] = [];
  for (const [index, result] of valuesOf(restored).entries()) {
    const file = unreadable[index];
    if (file === undefined) continue;
    const { partner_id } = identity;
    if (typeof result !== "string") readable.push(result);
    // Without an imported version, the file may never have been readable.
    else if (file.imported !== null)
      failures.push({ partner_id, file_id: file.newest.file_id, code: result });
  }
  const written = new Set(readable.map(({ item }) => item.file_id));
  const behind = page.files.filter(({ newest: { file_id, status } }) => {
    const isBehind = states.get(file_id)?.is_behind === 1 || written.has(file_id);
    return isBehind && status !== "imported";
  });
  await database.batch([
    ...userStatements(database, identity, page),
    ...lowerRevisions(database, identity.partner_id, loweredRows(page, readable)),
    ...(readable.length === 0 ? [] : readableStatements(database, identity, readable)),
    ...projectFiles(
      database,
      identity.partner_id,
      behind.map(({ newest }) => newest),
    ),
    ...projectEdits(
      database,
      identity.partner_id,
      page.files.map(({ newest }) => newest),
    ),
    ...keepNamedObjects(
      database,
      identity.partner_id,
      readable.map(({ item }) => item.file_id),
    ),
    ...projectImports(database, identity.partner_id, page.imports),
  ]);
  for (const { newest } of behind) written.add(newest.file_id);
  return { changed: written.size, failures };
}

/** Returns a file decoded from its stored bytes. Returns the code of its failure without stored bytes, or if they cannot be decoded. */
async function restore(
  env: Env,
  identity: CollectorIdentity,
  { newest, imported }: PagedFile,
): Promise<ReadableFile | JobFailure["code"]> {
  const version = imported ?? (await earlierVersion(env, identity, newest));
  if (version === null) return ORIGINAL_MISSING;
  const object = await originalOf(env, identity, version);
  if (object === null) {
    const { partner_id } = identity;
    logLine({ unit: "setback", outcome: ORIGINAL_MISSING, partner_id, file_id: newest.file_id });
    return ORIGINAL_MISSING;
  }
  const { stored, found } = await withStoredBytes(identity.partner_id, object, async (bytes) => {
    const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    const stored = { key: object.key, sha256, size_in_bytes: bytes.byteLength };
    return { stored, found: decodeFile(bytes, version) };
  });
  if (!found.ok) return found.code;
  // The statements count one more attempt than the item has.
  return {
    item: { ...version, attempts: version.attempts - 1, submission: version },
    stored,
    decoded: found.decoded,
  };
}

/**
 * Returns the newest version with downloaded bytes before this one, with this one's fields, because the collector no
 * longer stores those of the earlier version. A partner reads it until a newer version is imported.
 */
async function earlierVersion(
  env: Env,
  { partner_id, user_id }: CollectorIdentity,
  newest: FileProjection,
): Promise<FileProjection | null> {
  const prefix = versionKeyPrefix(partner_id, user_id, newest.file_id);
  const { objects } = await env.FILES.list({ prefix });
  const versions = objects.map(({ key }) => Number(key.slice(prefix.length)));
  const version = Math.max(0, ...versions.filter((stored) => stored < newest.version));
  if (version === 0) return null;
  const revision = Math.min(newest.revision - 1, version * 1_000);
  const settled = {
    status: "imported",
    attempts: 1,
    import_id: null,
    error: null,
    next_attempt_at: null,
  } as const;
  return { ...newest, ...settled, version, revision };
}

/** Returns the object of an imported version: downloaded bytes have its number, bytes of a ping the hour of the ping. */
async function originalOf(
  env: Env,
  { partner_id, user_id }: CollectorIdentity,
  { file_id, version, received_at }: FileProjection,
): Promise<R2ObjectBody | null> {
  const downloaded = await env.FILES.get(versionKey(partner_id, user_id, file_id, version));
  if (downloaded !== null) return downloaded;
  const { objects } = await env.FILES.list({ prefix: inlineKeyPrefix(partner_id, file_id, received_at) });
  const distance = ({ uploaded }: R2Object) => Math.abs(uploaded.getTime() - received_at);
  const nearest = objects.toSorted((a, b) => distance(a) - distance(b))[0];
  return nearest === undefined ? null : env.FILES.get(nearest.key);
}

/** Returns the statements that list the user and the source. The oldest known file dates a new row of the user. */
function userStatements(
  database: D1Database,
  identity: CollectorIdentity,
  { files, imports }: CollectorPage,
): D1PreparedStatement[] {
  const { partner_id } = identity;
  const versions = files.map(({ newest }) => newest.version);
  const pinged = files.map(({ newest }) => newest.received_at);
  const newest = Math.max(0, ...versions, ...imports.map(({ requested_at }) => requested_at));
  const touched = (pinged_at: number, version: number) =>
    touchUsers(database, partner_id, [{ ...identity, pinged_at, version }]);
  return [
    ...(newest === 0 ? [] : introduceSources(database, partner_id, [{ ...identity, version: newest }])),
    ...(files.length === 0
      ? []
      : [
          ...touched(Math.min(...pinged), Math.max(...versions)),
          ...touched(Math.max(...pinged), Math.max(...versions)),
        ]),
  ];
}

function loweredRows({ files }: CollectorPage, readable: readonly ReadableFile[]): LoweredRow[] {
  const known = new Map(files.map(({ newest }) => [newest.file_id, newest.revision]));
  return readable.map(({ item: { file_id, revision } }) => ({
    file_id,
    revision,
    through: known.get(file_id) ?? revision,
  }));
}
