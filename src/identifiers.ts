import { createHash, randomBytes } from "node:crypto";

/** Crockford base32 in lower case. It has no look-alike characters, keeps the order of bytes, and is safe in paths and keys. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Length of file and import ids. */
const ID_LENGTH = 42;
/** Number of characters of hash(partner, user) at the start of every file and import id of the user. */
export const ROUTE_LENGTH = 8;
/** Length of the prefix of all file and import ids of a user and source: the route, then 60 bits of a hash. */
export const COLLECTOR_LENGTH = 20;
/** Number of the characters after it, which differ between the files of a collector. */
export const FILE_LENGTH = ID_LENGTH - COLLECTOR_LENGTH;
/** Number of the following characters that file ids with similar names share. */
const NAME_GROUP_LENGTH = 6;
/** Number of the last characters of a file id: 80 bits that belong to this file alone. */
const UNIQUE_LENGTH = FILE_LENGTH - NAME_GROUP_LENGTH;
/** Length of a hash: 130 bits, so that collisions do not occur. */
const HASH_LENGTH = 26;

function base32(bytes: Uint8Array, length: number): string {
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5 && text.length < length) {
      bits -= 5;
      text += ALPHABET.charAt((buffer >> bits) & 31);
    }
    if (text.length >= length) break;
  }
  return text;
}

/**
 * Returns the hash of a kind and its parts. Includes the lengths of the parts, so that ("ab", "c") and ("a", "bc") differ.
 * Hashes one text, because one `update` call for each part costs more than the hashing.
 */
function hashOf(kind: string, parts: readonly string[]): string {
  const text = kind + parts.map((part) => `\0${part.length}:${part}`).join("");
  return base32(createHash("sha256").update(text).digest(), HASH_LENGTH);
}

/** The last user's hash. Most consecutive files have the same user; this saves a third of a request's hashing. */
let lastUser = { partnerId: "", userId: "", hash: hashOf("user", ["", ""]) };

/** Returns the hash of a user. It replaces the names in object keys and in the list of erased users. */
export function userHash(partnerId: string, userId: string): string {
  if (lastUser.partnerId !== partnerId || lastUser.userId !== userId) {
    lastUser = { partnerId, userId, hash: hashOf("user", [partnerId, userId]) };
  }
  return lastUser.hash;
}

/** Returns the start of every id of a user. It selects the user's database and keeps the user's rows together. */
export function userRoute(partnerId: string, userId: string): string {
  return userHash(partnerId, userId).slice(0, ROUTE_LENGTH);
}

export interface FileName {
  partnerId: string;
  userId: string;
  source: string;
  summaryId: string;
}

/** The last collector's prefix. Most consecutive pings have the same user and source. */
let lastCollector: { partnerId: string; userId: string; source: string; prefix: string } | null = null;

/** Returns the start of every file and import id of a user and source. The collector's name ends with it. */
function collectorPrefix(partnerId: string, userId: string, source: string): string {
  if (
    lastCollector?.partnerId !== partnerId ||
    lastCollector.userId !== userId ||
    lastCollector.source !== source
  ) {
    const own = hashOf("collector", [partnerId, userId, source]).slice(0, COLLECTOR_LENGTH - ROUTE_LENGTH);
    lastCollector = { partnerId, userId, source, prefix: userRoute(partnerId, userId) + own };
  }
  return lastCollector.prefix;
}

/** Returns the start of every file and import id of a user, or of those from one source. */
export function idPrefix(partnerId: string, userId: string, source: string | undefined): string {
  return source === undefined ? userRoute(partnerId, userId) : collectorPrefix(partnerId, userId, source);
}

/** Returns the name of the collector that owns a user's files from one source. */
export function collectorName(partnerId: string, userId: string, source: string): string {
  return `${partnerId}/${collectorPrefix(partnerId, userId, source)}`;
}

/** Returns the name of the collector that owns a file or import. It is always a collector of this partner. */
export function collectorNameOfId(partnerId: string, id: string): string {
  return `${partnerId}/${collectorPrefixOf(id)}`;
}

/** Returns the part of an id that all files and imports of its user and source share. */
export function collectorPrefixOf(id: string): string {
  return id.slice(0, COLLECTOR_LENGTH);
}

/** Number of last characters in which the names of one group differ: a thousand numbered rides, or the days of a month. */
const VARYING_CHARACTERS = 3;

/** The last group's hash. Most consecutive files belong to the same group. */
let lastNameGroup = { key: "", hash: "" };

/**
 * Returns a hash that names share if they differ only in their last characters. Partners number their files, so the rows
 * of one request lie on few database pages. It is a hash, because object keys and logs must not contain names.
 */
function nameGroupHash(prefix: string, summaryId: string): string {
  const key = prefix + summaryId.slice(0, -VARYING_CHARACTERS);
  if (lastNameGroup.key !== key) {
    lastNameGroup = { key, hash: hashOf("nearby", [key]).slice(0, NAME_GROUP_LENGTH) };
  }
  return lastNameGroup.hash;
}

/** Returns the id of a file. It depends only on (partner, user, source, summary_id), so a repeated ping names the same file. */
export function fileId({ partnerId, userId, source, summaryId }: FileName): string {
  const prefix = collectorPrefix(partnerId, userId, source);
  const own = hashOf("file", [prefix, summaryId]).slice(0, UNIQUE_LENGTH);
  return prefix + nameGroupHash(prefix, summaryId) + own;
}

/** Returns a new import id: the collector's prefix, then 110 random bits. */
export function newImportId(partnerId: string, userId: string, source: string): string {
  return collectorPrefix(partnerId, userId, source) + randomId().slice(0, FILE_LENGTH);
}

const ID_PATTERN = new RegExp(`^[${ALPHABET}]{${ID_LENGTH}}$`);

/** Whether a text has the form of file and import ids. */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** Returns 130 random bits in 26 characters. */
export function randomId(): string {
  return base32(randomBytes(17), HASH_LENGTH);
}

/** 50 random bits are enough: a batch id is only compared with those of batches that list the same file. */
const BATCH_ID_LENGTH = 10;

/** Returns a random id for a batch of files. Each file's row stores two of them. */
export function newBatchId(): string {
  return randomId().slice(0, BATCH_ID_LENGTH);
}

/** Returns the digest that replaces a callback_url that is not stored: the URL of an imported file, or a file in base64. */
export function callbackDigest(callbackUrl: string): string {
  return createHash("sha256").update(callbackUrl).digest("base64url");
}

export function activityId(file: string, sessionIndex: number): string {
  return `${file}.${sessionIndex}`;
}

/** Returns the upper bound of a range of all strings that begin with `prefix`. */
export function rangeEnd(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}
