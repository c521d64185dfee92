import { pingFieldsOf, type PingFields } from "../../files/pingFields.pure.ts";
import { callbackDigest } from "../../identifiers.ts";

/** A ping as the collector keeps it. The file's row and the collector's identity carry its names. */
export interface Submission extends PingFields {
  /** Where to download from; null once deleted, or when the bytes came with the ping. */
  callback_url: string | null;
  /** Where bytes of this version are stored: sent inline, or kept from a failed attempt. */
  object_key: string | null;
  /** Hash of callback_url as it was pinged, when callback_url is not kept; null while it is. */
  callback_digest: string | null;
  /** Unix milliseconds. */
  received_at: number;
}

function callbackDigestOf({ callback_digest, callback_url }: Submission): string | null {
  return callback_digest ?? (callback_url === null ? null : callbackDigest(callback_url));
}

/** Whether two pings of one file are equal in all nine fields. Hashes a URL only to compare it with a hash. */
export function saysTheSame(a: Submission, b: Submission): boolean {
  const sameCallback =
    a.callback_url !== null && b.callback_url !== null
      ? a.callback_url === b.callback_url
      : callbackDigestOf(a) === callbackDigestOf(b);
  return sameCallback && JSON.stringify(pingFieldsOf(a)) === JSON.stringify(pingFieldsOf(b));
}

/** The submission without its URL. A repetition of it is still recognized. */
export function withoutCallback(submission: Submission): Submission {
  return { ...submission, callback_url: null, callback_digest: callbackDigestOf(submission) };
}

/** The submission with nothing left to import from. A repetition of it is still recognized. */
export function withoutSource(submission: Submission): Submission {
  return { ...withoutCallback(submission), object_key: null };
}

/** Whether bytes, or a URL to download them from, are left. */
export function hasSource({ callback_url, object_key }: Submission): boolean {
  return callback_url !== null || object_key !== null;
}
