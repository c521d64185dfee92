import type { FaultCode } from "../contract/fault.ts";
import { beginsLikeFitFile } from "../files/container.ts";
import { addressFaults, type AddressRules } from "../outbound/address.ts";

/** Maximum size of one base64 file: with its neighbors it must fit the body and the isolate. */
const MAX_INLINE_BYTES = 8 * 1024 * 1024;
/** Signed URLs run to a few thousand characters; servers accept request lines of 8,192. */
const MAX_URL_CHARACTERS = 8_192;

/** What a callback_url holds: a URL (`inline` is null), the bytes of a file, or neither. */
export type Callback =
  { ok: true; inline: Uint8Array | null } | { ok: false; code: FaultCode; detail: string };

const DATA_PREFIX = /^data:[^,]{0,200};base64,/i;

/** Decodes standard or URL-safe base64, padded or not, with or without line breaks; null when it is none of these. */
function decodeBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text, { alphabet: /[-_]/.test(text) ? "base64url" : "base64" });
  } catch {
    return null;
  }
}

/** Returns a function that reads one callback_url under these rules; make one for a whole request. */
export function callbackReader(rules: AddressRules): (callbackUrl: string) => Promise<Callback> {
  const faultOf = addressFaults(rules);
  return async (callbackUrl) => {
    if (!/^https?:\/\//i.test(callbackUrl)) return readInline(callbackUrl);
    if (callbackUrl.length > MAX_URL_CHARACTERS) {
      return { ok: false, code: "too_long", detail: `A URL has at most ${MAX_URL_CHARACTERS} characters.` };
    }
    const detail = faultOf(callbackUrl);
    return detail === null ? { ok: true, inline: null } : { ok: false, code: "address_refused", detail };
  };
}

async function readInline(callbackUrl: string): Promise<Callback> {
  const inline = decodeBase64(callbackUrl.replace(DATA_PREFIX, ""));
  if (inline === null) {
    return {
      ok: false,
      code: "invalid_callback",
      detail: "This is neither an http(s) URL nor a file in base64.",
    };
  }
  if (inline.byteLength > MAX_INLINE_BYTES) {
    return {
      ok: false,
      code: "file_too_large",
      detail: `A file in base64 has at most ${MAX_INLINE_BYTES} bytes; send a URL for larger ones.`,
    };
  }
  if (!(await beginsLikeFitFile(inline))) {
    return { ok: false, code: "not_fit", detail: "The decoded bytes begin like no FIT, gzip or zip file." };
  }
  return { ok: true, inline };
}
