import { createHash, randomBytes } from "node:crypto";

/** Lower-case Crockford base32: no look-alikes, sorts as it counts, safe in paths and keys. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Length of file and import ids. */
const ID_LENGTH = 42;
/** Characters of hash(partner, user) that begin every id of a user's files and imports. */
export const ROUTE_LENGTH = 8;
/** Characters that begin every id of a user's files and imports from one source: the route, then 60 bits. */
const COLLECTOR_LENGTH = 20;
/** Files with similar names share this many characters more. */
const NEARBY_LENGTH = 6;
/** A file's own 80 bits. */
const OWN_LENGTH = ID_LENGTH - COLLECTOR_LENGTH - NEARBY_LENGTH;
/** 26 characters are 130 bits: no two names share a hash by accident. */
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
 * Lengths are hashed with the parts, so that ("ab", "c") and ("a", "bc") differ. As one text: each piece given to
 * a hash on its own costs more than the hashing, and a request asks for thousands.
 */
function hashOf(kind: string, parts: readonly string[]): string {
  const text = kind + parts.map((part) => `\0${part.length}:${part}`).join("");
  return base32(createHash("sha256").update(text).digest(), HASH_LENGTH);
}

/** Files of one user come together: the hash of the last one saves a third of a request's hashing. */
let lastUser = { partnerId: "", userId: "", hash: hashOf("user", ["", ""]) };

/** Stands for (partner, user) wherever the names themselves must not: object keys, the erased list. */
export function userHash(partnerId: string, userId: string): string {
  if (lastUser.partnerId !== partnerId || lastUser.userId !== userId) {
    lastUser = { partnerId, userId, hash: hashOf("user", [partnerId, userId]) };
  }
  return lastUser.hash;
}

/** The beginning of every identifier of this user: routes it to a database and keeps the user's rows together. */
export function userRoute(partnerId: string, userId: string): string {
  return userHash(partnerId, userId).slice(0, ROUTE_LENGTH);
}

export interface FileName {
  partnerId: string;
  userId: string;
  source: string;
  summaryId: string;
}

/** Pings of one user and source come together: a request hashes their names once. */
let lastCollector: { partnerId: string; userId: string; source: string; prefix: string } | null = null;

/** The beginning of every file and import id of this user and source. The collector's name ends with it. */
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

/** The beginning of every file and import id of a user; with a source, of those from it. */
export function idPrefix(partnerId: string, userId: string, source: string | undefined): string {
  return source === undefined ? userRoute(partnerId, userId) : collectorPrefix(partnerId, userId, source);
}

/** The name of the collector that owns a user's files from one source. */
export function collectorName(partnerId: string, userId: string, source: string): string {
  return `${partnerId}/${collectorPrefix(partnerId, userId, source)}`;
}

/** The name of the collector that owns this file, or started this import. Always one of this partner's. */
export function collectorNameOfId(partnerId: string, id: string): string {
  return `${partnerId}/${collectorPrefixOf(id)}`;
}

/** What this id has in common with all files and imports of its user and source. */
export function collectorPrefixOf(id: string): string {
  return id.slice(0, COLLECTOR_LENGTH);
}

/** Counters and dates change here: what stays are a thousand rides, or a month. */
const VARYING_CHARACTERS = 3;

/** A request names files in turn: the hash of the last beginning serves most of them. */
let lastNearby = { key: "", hash: "" };

/**
 * The same for names that differ in their last characters only: partners number files as they come, so the rows of
 * one ping lie on few pages of every store. A hash, because object keys and logs are not to spell names.
 */
function nearby(prefix: string, summaryId: string): string {
  const key = prefix + summaryId.slice(0, -VARYING_CHARACTERS);
  if (lastNearby.key !== key) {
    lastNearby = { key, hash: hashOf("nearby", [key]).slice(0, NEARBY_LENGTH) };
  }
  return lastNearby.hash;
}

/** One file is (partner, user, source, summary_id): a repeated ping names the same file. */
export function fileId({ partnerId, userId, source, summaryId }: FileName): string {
  const prefix = collectorPrefix(partnerId, userId, source);
  const own = hashOf("file", [prefix, summaryId]).slice(0, OWN_LENGTH);
  return prefix + nearby(prefix, summaryId) + own;
}

/** A fresh import id: the collector's prefix, then 110 random bits. */
export function newImportId(partnerId: string, userId: string, source: string): string {
  return collectorPrefix(partnerId, userId, source) + randomId().slice(0, ID_LENGTH - COLLECTOR_LENGTH);
}

const ID_PATTERN = new RegExp(`^[${ALPHABET}]{${ID_LENGTH}}$`);

/** Whether a text has the form of file and import ids. No other text can name one. */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** 130 random bits in 26 characters. */
export function randomId(): string {
  return base32(randomBytes(17), HASH_LENGTH);
}

/** Stands for a callback_url that is not kept: one that was used up, or the bytes of a file. */
export function callbackDigest(callbackUrl: string): string {
  return createHash("sha256").update(callbackUrl).digest("base64url");
}

export function activityId(file: string, sessionIndex: number): string {
  return `${file}.${sessionIndex}`;
}

/** The first value after every string that begins with this one, for ranges over a clustered key. */
export function rangeEnd(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}
