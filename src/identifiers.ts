import { createHash, randomBytes } from "node:crypto";

/** Lower-case Crockford base32: no look-alikes, sorts as it counts, safe in paths and keys. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Characters of hash(partner, user) that begin every file, import and delivery id of a user. */
export const ROUTE_LENGTH = 8;
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

/** Of a file's own 26 characters so many are shared with files of like names; the other 16 are 80 bits. */
const NEARBY_LENGTH = 10;
const OWN_LENGTH = HASH_LENGTH - NEARBY_LENGTH;
/** Counters and dates change here: what stays are a thousand rides, or a month. */
const VARYING_CHARACTERS = 3;

/** A request names files in turn: the hash of the last beginning serves most of them. */
let lastNearby = { key: "", hash: "" };

/**
 * The same for names that differ in their last characters only: partners number files as they come, so the rows of
 * one ping lie on few pages of every store. A hash, because object keys and logs are not to spell names.
 */
function nearby({ partnerId, userId, source, summaryId }: FileName): string {
  const beginning = summaryId.slice(0, -VARYING_CHARACTERS);
  const key = JSON.stringify([partnerId, userId, source, beginning]);
  if (lastNearby.key !== key) {
    const hash = hashOf("nearby", [partnerId, userId, source, beginning]).slice(0, NEARBY_LENGTH);
    lastNearby = { key, hash };
  }
  return lastNearby.hash;
}

/** One file is (partner, user, source, summary_id): a repeated ping names the same file. 34 characters. */
export function fileId(name: FileName): string {
  const { partnerId, userId, source, summaryId } = name;
  const own = hashOf("file", [partnerId, userId, source, summaryId]).slice(0, OWN_LENGTH);
  return userRoute(partnerId, userId) + nearby(name) + own;
}

/** The name of the collector that owns a user's files from one source. */
export function collectorName(partnerId: string, userId: string, source: string): string {
  return `${partnerId}/${userRoute(partnerId, userId)}${hashOf("collector", [partnerId, userId, source])}`;
}

/** A fresh import id: the user's route, then 26 random characters. */
export function newImportId(partnerId: string, userId: string): string {
  return userRoute(partnerId, userId) + randomId();
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
