import { MAX_INLINE_BYTES, MAX_URL_CHARACTERS } from "../contract/limits.ts";
import type { FaultCode } from "../contract/fault.ts";
import { beginsLikeFitFile } from "../files/container.ts";
import { addressFaults, type AddressRules } from "../outbound/address.ts";

/** The content of a callback_url: a valid URL (`inline` is null), the bytes of a file, or a fault. */
export type Callback =
  { ok: true; inline: Uint8Array | null } | { ok: false; code: FaultCode; detail: string };

const DATA_PREFIX = /^data:[^,]{0,200};base64,/i;

/** Decodes standard or URL-safe base64, with or without padding and line breaks. Returns null for any other text. */
function decodeBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text, { alphabet: /[-_]/.test(text) ? "base64url" : "base64" });
  } catch {
    return null;
  }
}

/** Returns a function that reads a callback_url under these rules. One function serves all items of a request. */
export function callbackReader(rules: AddressRules): (callbackUrl: string) => Promise<Callback> {
  const faultOf = addressFaults(rules);
  return async (callbackUrl) => {
    if (!/^https?:\/\//i.test(callbackUrl)) return readInline(callbackUrl);
    if (callbackUrl.length > MAX_URL_CHARACTERS) {
      return {
        ok: false,
        code: "too_long",
        detail: `The URL has ${callbackUrl.length} characters. Send a URL of at most ${MAX_URL_CHARACTERS}.`,
      };
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
      detail:
        "The value is neither an http(s) URL nor valid base64. Send a URL, or the bytes of the file in base64.",
    };
  }
  if (inline.byteLength > MAX_INLINE_BYTES) {
    return {
      ok: false,
      code: "file_too_large",
      detail: `The decoded file has ${inline.byteLength} bytes. A file in base64 may have at most ${MAX_INLINE_BYTES}; send a URL for a larger one.`,
    };
  }
  if (!(await beginsLikeFitFile(inline))) {
    return {
      ok: false,
      code: "not_fit",
      detail:
        "The decoded bytes are not the beginning of a FIT, gzip or zip file. Send the bytes of the original file in base64.",
    };
  }
  return { ok: true, inline };
}
