import { MAX_FILE_BYTES } from "../contract/limits.ts";
import type { WorkItem } from "../collector/calls.ts";
import { fileError, type FileError, type StoredObject } from "../files/file.ts";
import type { Outcome } from "../collector/calls.ts";
import type { FaultOrigin } from "../collector/dispatches/retrySchedule.pure.ts";
import type { Env } from "../env.ts";
import { versionKey } from "../files/objectKeys.ts";
import { decodeFile } from "../activities/decodeFile.ts";
import type { DecodeResult } from "../fit/index.ts";
import { faultName } from "../log.ts";
import type { Hold, Memory, Until } from "../memory/budget.ts";
import { download, MEMORY_SHORT, TOO_LARGE } from "./download.ts";
import type { HostSlots } from "./hostSlots.ts";
import type { Permit } from "./permission.ts";
import { wait } from "../concurrency/wait.ts";

/** A file with stored and decoded bytes, ready to be made readable. */
export interface DecodedFile {
  result: "decoded";
  item: WorkItem;
  stored: StoredObject;
  decoded: Extract<DecodeResult, { ok: true }>;
}

export interface ImportContext {
  env: Env;
  partnerId: string;
  userId: string;
  /** Called before each GET. */
  permit: Permit;
  /** Memory from which this partner's files reserve. */
  memory: Memory;
}

/** Delays between attempts to store bytes, which a host may not send twice. R2 allows one write per key and second. */
const PUT_DELAYS_MS = [500, 1_000, 2_000, 4_000];
/** Maximum time for storing, including all attempts. */
const STORING_MS = 10_000;

const BYTES_MISSING = "The stored bytes of this file were not found.";

/** The partner was suspended before the file's GET, so no attempt was made. */
export interface Suspended {
  result: "suspended";
}

/** Bytes in memory with their stored object, or the outcome without bytes. */
type Obtained =
  | { ok: true; bytes: Uint8Array; stored: StoredObject; hold: Hold }
  | { ok: false; outcome: Outcome | Suspended };

/**
 * Makes one attempt to import a file: reads its bytes from R2, or downloads and stores them, then decodes them unless
 * the file is held. `slots`
 * are the slots at its host; without a free one the file is postponed. Every wait ends before `until`, the end of the
 * claim. Never throws: a fault of this service becomes the outcome `try_again`.
 */
export async function importFile(
  context: ImportContext,
  item: WorkItem,
  slots: HostSlots | null,
  until: Until,
): Promise<DecodedFile | Outcome | Suspended> {
  try {
    const obtained = await obtainBytes(context, item, slots, until);
    if (!obtained.ok) return obtained.outcome;
    try {
      const { file_id, version } = item;
      if (item.prefetch === true) return { result: "stored", file_id, version, stored: obtained.stored };
      return decodeBytes(item, obtained.bytes, obtained.stored);
    } finally {
      obtained.hold.release();
    }
  } catch (fault) {
    return ownFault(item, `Our storage did not respond (${faultName(fault)}).`);
  }
}

async function obtainBytes(
  context: ImportContext,
  item: WorkItem,
  slots: HostSlots | null,
  until: Until,
): Promise<Obtained> {
  const { callback_url: url, object_key: givenKey } = item.submission;
  const key = givenKey ?? versionKey(context.partnerId, context.userId, item.file_id, item.version);
  if (givenKey !== null || item.look_first) {
    const found = await readObject(context, item, key, until);
    if (found !== null) return found;
  }
  if (url === null) {
    return { ok: false, outcome: ownFault(item, BYTES_MISSING) };
  }
  if (slots?.isOpen === false) {
    return { ok: false, outcome: postponed(item, "host", slots.postponedForMs) };
  }
  const bounds = { memory: context.memory, until: () => until() - STORING_MS };
  const startedAt = Date.now();
  const downloaded = await download(url, context.permit, bounds);
  slots?.note(downloaded, Date.now() - startedAt);
  if (!downloaded.ok) return { ok: false, outcome: outcomeOf(item, downloaded) };
  const { bytes, hold } = downloaded;
  try {
    const stored = await storeObject(context.env.FILES, key, bytes, until);
    if (stored !== null) return { ok: true, bytes, stored, hold };
  } catch (fault) {
    hold.release();
    throw fault;
  }
  // Another attempt has stored this version first. Use its bytes.
  hold.release();
  const first = await readObject(context, item, key, until);
  // An erasure may have deleted the bytes meanwhile.
  return first ?? { ok: false, outcome: ownFault(item, BYTES_MISSING) };
}

/** Reads an object into reserved memory. Null when the object does not exist. */
async function readObject(
  { env, memory }: ImportContext,
  item: WorkItem,
  key: string,
  until: Until,
): Promise<Obtained | null> {
  const object = await env.FILES.get(key);
  if (object === null) return null;
  const hold = await memory.reserve(object.size, () => until() - STORING_MS);
  if (hold === null) {
    void object.body.cancel().catch(() => undefined);
    return { ok: false, outcome: ownFault(item, MEMORY_SHORT.detail) };
  }
  try {
    const bytes = new Uint8Array(await object.arrayBuffer());
    const stored = { key, sha256: await sha256Of(bytes), size_in_bytes: bytes.byteLength };
    return { ok: true, bytes, stored, hold };
  } catch (fault) {
    hold.release();
    throw fault;
  }
}

/** Stores bytes if the version has none. Returns null when it has bytes already. */
async function storeObject(
  files: R2Bucket,
  key: string,
  bytes: Uint8Array,
  until: Until,
): Promise<StoredObject | null> {
  const sha256 = await sha256Of(bytes);
  const delays = PUT_DELAYS_MS.values();
  for (;;) {
    try {
      const put = await files.put(key, bytes, { onlyIf: { etagDoesNotMatch: "*" }, sha256 });
      return put === null ? null : { key, sha256, size_in_bytes: bytes.byteLength };
    } catch (fault) {
      const delayMs = delays.next().value;
      if (delayMs === undefined || Date.now() + delayMs >= until()) throw fault;
      await wait(delayMs);
    }
  }
}

async function sha256Of(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function decodeBytes(item: WorkItem, bytes: Uint8Array, stored: StoredObject): DecodedFile | Outcome {
  const failed = (code: FileError["code"], detail: string): Outcome => ({
    result: "failed",
    file_id: item.file_id,
    version: item.version,
    fault: fileError(code, detail),
    stored,
  });
  if (bytes.byteLength > MAX_FILE_BYTES) return failed("file_too_large", TOO_LARGE);
  const found = decodeFile(bytes, item.submission);
  if (!found.ok) return failed(found.code, found.detail);
  return { result: "decoded", item, stored, decoded: found.decoded };
}

function outcomeOf(
  item: WorkItem,
  failed: Extract<Awaited<ReturnType<typeof download>>, { ok: false }>,
): Outcome | Suspended {
  if (failed.code === "memory_short") return ownFault(item, failed.detail);
  if (failed.code === "not_permitted") {
    return failed.why === "suspended" ? { result: "suspended" } : ownFault(item, failed.detail);
  }
  const { file_id, version } = item;
  const fault = fileError(failed.code, failed.detail, failed.httpStatus);
  if (!failed.canRetry) return { result: "failed", file_id, version, fault, stored: null };
  const retry_after_seconds = failed.retryAfterSeconds;
  return { result: "try_again", file_id, version, fault, stored: null, origin: "host", retry_after_seconds };
}

/** Returns the outcome that postpones a file without an attempt. `for_ms` is the minimum time. */
export function postponed(
  { file_id, version }: WorkItem,
  origin: FaultOrigin,
  for_ms: number,
  stored: StoredObject | null = null,
): Outcome {
  return { result: "postponed", file_id, version, origin, stored, for_ms };
}

/** Returns the outcome of a fault of this service. The file is retried for `LIMIT_MS.own_store` before it fails. */
export function ownFault(item: WorkItem, detail: string, stored: StoredObject | null = null): Outcome {
  return {
    result: "try_again",
    file_id: item.file_id,
    version: item.version,
    fault: fileError("internal", detail),
    stored,
    origin: "own_store",
    retry_after_seconds: null,
  };
}
