import { MAX_JSON_VALUES } from "../contract/limits.ts";
import {
  INTAKE_BYTES_OF_PARTNER,
  requestMemory,
  SMALL_BYTES,
  SMALL_BYTES_OF_PARTNER,
  UNCOUNTED_BYTES,
  type IntakeHold,
} from "../memory/budget.ts";
import { holdUntilRead } from "./heldResponse.ts";
import { bodyChunks, BodyIncomplete, readSmallBody } from "./bodyChunks.ts";
import { rejectEncodedBody } from "./contentEncoding.ts";
import type { Middleware } from "./context.ts";
import { memoryShort, problem, unsupportedMediaType } from "./problem.ts";

/** A body is in memory twice: as text, and as the strings and bytes parsed from it. */
const COPIES = 2;
/** Maximum size of a body that needs no memory reservation. */
export const UNCOUNTED_BODY_BYTES = UNCOUNTED_BYTES / COPIES;
/** Memory that one partner's requests may use at one time, in addition to its largest request. For the documentation. */
export const REQUEST_SHARES = {
  smallRequestBytes: SMALL_BYTES,
  otherSmallBytes: SMALL_BYTES_OF_PARTNER,
  otherLargeBytes: INTAKE_BYTES_OF_PARTNER,
} as const;

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json$/;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;

/** Returns an upper bound for the number of values that JSON.parse creates from a text. */
function countValues(text: string): number {
  let values = 1;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (inString) {
      if (unit === BACKSLASH) index += 1;
      else if (unit === QUOTE) inString = false;
    } else if (unit === QUOTE) inString = true;
    else if (unit === COMMA || unit === OPEN_ARRAY || unit === OPEN_OBJECT) values += 1;
  }
  return values;
}

type Body =
  | { ok: true; text: string }
  | { ok: false; code: "body_too_large" | "memory_short" | "malformed_json" | "too_many_values" };

/** Returns the `Content-Length` of a request, or null for a chunked body. */
export function declaredLength(request: Request): number | null {
  const length = request.headers.get("Content-Length");
  return length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null;
}

/**
 * Reads a body of at most `maxBytes` as UTF-8 text; `Content-Length` is not trusted. Reserves memory as bytes arrive.
 * Throws a `BodyIncomplete`.
 */
async function readBody(request: Request, maxBytes: number, hold: IntakeHold): Promise<Body> {
  const declared = declaredLength(request);
  if (declared !== null && declared > maxBytes) return { ok: false, code: "body_too_large" };

  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let text = "";
  let receivedBytes = 0;
  try {
    if (declared !== null && declared <= UNCOUNTED_BODY_BYTES) {
      const bytes = await readSmallBody(request);
      if (bytes.byteLength > maxBytes) return { ok: false, code: "body_too_large" };
      return { ok: true, text: decoder.decode(bytes) };
    }
    // Leaving the loop early cancels the stream, so a rejected body is not read to its end.
    for await (const chunk of bodyChunks(request)) {
      receivedBytes += chunk.byteLength;
      if (receivedBytes > maxBytes) return { ok: false, code: "body_too_large" };
      if (!hold.tryGrowTo(COPIES * receivedBytes)) return { ok: false, code: "memory_short" };
      text += decoder.decode(chunk, { stream: true });
    }
    text += decoder.decode();
  } catch (fault) {
    if (fault instanceof BodyIncomplete) throw fault;
    return { ok: false, code: "malformed_json" };
  }
  if (receivedBytes > MAX_JSON_VALUES && countValues(text) > MAX_JSON_VALUES)
    return { ok: false, code: "too_many_values" };
  return { ok: true, text };
}

/** Reads the text of a body of at most `maxBytes` for the validators. Reserves its memory until the response is read. */
export function jsonBody(maxBytes: number): Middleware {
  return async (c, next) => {
    const type = (c.req.header("Content-Type") ?? "").split(";")[0] ?? "";
    if (!JSON_TYPE.test(type.trim().toLowerCase())) {
      return unsupportedMediaType(c);
    }
    const encoded = rejectEncodedBody(c);
    if (encoded !== null) return encoded;
    const hold = requestMemory(c.var.partner.partner_id);
    try {
      const body = await readBody(c.req.raw, maxBytes, hold);
      if (!body.ok) {
        hold.release();
        switch (body.code) {
          case "body_too_large":
            return problem(
              c,
              body.code,
              `A body may have at most ${maxBytes} bytes. Split it into several requests.`,
            );
          case "too_many_values":
            return problem(
              c,
              body.code,
              `A body may contain at most ${MAX_JSON_VALUES} JSON values. Split it into several requests.`,
            );
          case "memory_short":
            return memoryShort(c);
          case "malformed_json":
            return problem(c, body.code, "The body is not valid UTF-8. Send one JSON value in UTF-8.");
        }
      }
      // Hono's validators parse the text in this cache; its entries are promises.
      Object.assign(c.req.bodyCache, { text: Promise.resolve(body.text) });
      await next();
      return holdUntilRead(c, hold);
    } catch (fault) {
      hold.release();
      throw fault;
    }
  };
}
