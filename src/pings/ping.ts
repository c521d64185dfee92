import { z } from "@hono/zod-openapi";
import { pointerOf, type Fault, type FaultCode } from "../fault.ts";
import { beginsLikeFitFile } from "../files/container.ts";
import { addressFaults, type AddressRules } from "../outbound/address.ts";
import { nameText, textOf, userIdText } from "../text.ts";

/** More is split by the partner: one request is one statement to each store. */
export const MAX_PINGS = 5_000;
/** What one base64 file may hold: with its neighbours it must fit the body and the isolate. */
const MAX_INLINE_BYTES = 8 * 1024 * 1024;
/** Signed URLs run to a few thousand characters; 8,192 is what servers accept as a request line. */
const MAX_URL_CHARACTERS = 8_192;

const startTime = z
  .string()
  .superRefine((text, ctx) => {
    if (/^\d{1,10}$/.test(text)) return;
    const milliseconds = /^\d{11,}$/.test(text);
    ctx.addIssue({
      code: "custom",
      params: { code: milliseconds ? "time_not_in_seconds" : "invalid_format" },
      message: milliseconds
        ? "This looks like milliseconds; send Unix seconds, 1 to 10 digits."
        : "Send Unix seconds as a string of 1 to 10 decimal digits.",
    });
  })
  .openapi({ pattern: "^[0-9]{1,10}$", example: "1712001600" });

/** One file that a partner announces, or brings along. Fields beyond these are ignored. */
export const pingSchema = z
  .object({
    file_type: z.literal("FIT"),
    activity_name: textOf(1_024).nullable(),
    priority: z.literal([0, 1]).openapi({ type: "integer", enum: [0, 1] }),
    user_id: userIdText,
    source: nameText,
    overwrite_mode: z.boolean(),
    start_time_in_seconds: startTime,
    callback_url: z.string().min(1),
    summary_id: nameText,
  })
  .openapi("Ping");
export type Ping = z.infer<typeof pingSchema>;

/** A ping whose callback_url holds what it should: an address that may be reached, or these bytes. */
export type ValidPing = Ping & { inline: Uint8Array | null };

/** Judged before its items are: a list that is too long is not worth a list of its faults. */
export const pingRequestSchema = z.object({
  activity_files: z.preprocess((items, ctx) => {
    if (Array.isArray(items) && items.length > MAX_PINGS) {
      ctx.addIssue({
        code: "custom",
        params: { code: "too_many_items" },
        message: `${items.length} items in one request; send ${Math.ceil(items.length / MAX_PINGS)} requests of at most ${MAX_PINGS} each.`,
      });
    }
    return items;
  }, z.array(pingSchema).min(1).max(MAX_PINGS)),
});

/** What a callback_url turned out to hold. */
type Callback = { ok: true; inline: Uint8Array | null } | { ok: false; code: FaultCode; detail: string };

const DATA_PREFIX = /^data:[^,]{0,200};base64,/i;

/** Standard or URL-safe, padded or not, with or without line breaks; null when it is none of these. */
function decodeBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text, { alphabet: /[-_]/.test(text) ? "base64url" : "base64" });
  } catch {
    return null;
  }
}

async function readCallback(
  callbackUrl: string,
  faultOf: (address: string) => string | null,
): Promise<Callback> {
  if (/^https?:\/\//i.test(callbackUrl)) {
    if (callbackUrl.length > MAX_URL_CHARACTERS) {
      return { ok: false, code: "too_long", detail: `A URL has at most ${MAX_URL_CHARACTERS} characters.` };
    }
    const detail = faultOf(callbackUrl);
    return detail === null ? { ok: true, inline: null } : { ok: false, code: "address_refused", detail };
  }
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

/**
 * Looks into the callback_url of each item; null where there is none to look into, because it is no text.
 * `inline[i]` belongs to item i and says something only where there are no faults.
 */
export async function readCallbacks(
  callbackUrls: readonly (string | null)[],
  rules: AddressRules,
): Promise<{ inline: (Uint8Array | null)[]; faults: Fault[] }> {
  const inline: (Uint8Array | null)[] = [];
  const faults: Fault[] = [];
  const faultOf = addressFaults(rules);
  for (const [index, callbackUrl] of callbackUrls.entries()) {
    const callback =
      callbackUrl === null || callbackUrl === "" ? null : await readCallback(callbackUrl, faultOf);
    inline.push(callback?.ok === true ? callback.inline : null);
    if (callback?.ok === false) {
      const { code, detail } = callback;
      faults.push({ pointer: pointerOf(["activity_files", index, "callback_url"]), code, detail });
    }
  }
  return { inline, faults };
}
