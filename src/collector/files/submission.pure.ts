import { pingFieldsOf, type PingFields } from "../../files/pingFields.pure.ts";
import { callbackDigest } from "../../identifiers.ts";

/** A ping as the collector stores it. Its names are in the file's row and the collector's identity. */
export interface Submission extends PingFields {
  /** Download URL. Null after it was deleted, or when the bytes came with the ping. */
  callback_url: string | null;
  /** R2 key of this version's bytes, sent inline or kept from a failed attempt. Null without bytes. */
  object_key: string | null;
  /** Hash of the pinged URL after `callback_url` was deleted. Null while `callback_url` is stored. */
  callback_digest: string | null;
  /** When the ping was received, in Unix milliseconds. */
  received_at: number;
}

function callbackDigestOf({ callback_digest, callback_url }: Submission): string | null {
  return callback_digest ?? (callback_url === null ? null : callbackDigest(callback_url));
}

/** Returns whether two pings of one file are equal in all their fields. Hashes a URL only to compare it with a hash. */
export function isSameSubmission(a: Submission, b: Submission): boolean {
  const sameCallback =
    a.callback_url !== null && b.callback_url !== null
      ? a.callback_url === b.callback_url
      : callbackDigestOf(a) === callbackDigestOf(b);
  return sameCallback && JSON.stringify(pingFieldsOf(a)) === JSON.stringify(pingFieldsOf(b));
}

/** Returns the submission without its URL. Its digest still identifies a repeated ping. */
export function withoutUrl(submission: Submission): Submission {
  return { ...submission, callback_url: null, callback_digest: callbackDigestOf(submission) };
}

/** Returns the submission without URL and bytes. Its digest still identifies a repeated ping. */
export function withoutContent(submission: Submission): Submission {
  return { ...withoutUrl(submission), object_key: null };
}

/** Returns whether the submission has stored bytes or a download URL. */
export function hasContent({ callback_url, object_key }: Submission): boolean {
  return callback_url !== null || object_key !== null;
}
