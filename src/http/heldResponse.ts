import type { Context } from "hono";
import { INTAKE_BYTES, MemoryShortage, type IntakeHold } from "../memory/budget.ts";
import type { AppEnv } from "./context.ts";
import { PAUSE_MS, startPace } from "./pace.ts";
import { chargeBytes } from "./rateLimit.ts";

/** Number of characters of a response that are encoded at a time. */
const CHUNK_CHARACTERS = 64 * 1024;

/** A JSON response with memory that stays reserved until the caller has read it. Typed like the result of `c.json`. */
class HeldJson<T> extends Response {
  declare readonly _data: T;
  declare readonly _status: 200;
  declare readonly _format: "json";
}

/**
 * Returns a stream of the chunks that `next` returns; null ends it. Releases the memory when the caller has read the
 * stream, has disconnected, or reads below the minimum rate, which ends the connection.
 */
function heldStream(
  hold: IntakeHold,
  next: () => Promise<Uint8Array | null>,
  cancel: () => void,
): ReadableStream<Uint8Array> {
  let pace: ReturnType<typeof startPace> | null = null;
  const end = () => {
    pace?.stop();
    hold.release();
    cancel();
  };
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        pace = startPace(PAUSE_MS, () => {
          end();
          controller.error(new Error("the response was not read in time"));
        });
      },
      pull: async (controller) => {
        try {
          const chunk = await next();
          if (chunk === null) {
            end();
            controller.close();
          } else {
            pace?.transferred(chunk.byteLength);
            controller.enqueue(chunk);
          }
        } catch (fault) {
          end();
          throw fault;
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

/** Keeps the reserved memory of a request until its response is read. */
export function holdUntilRead(c: Context<AppEnv>, hold: IntakeHold): void {
  const { body } = c.res;
  if (body === null || !hold.isReserved()) return hold.release();
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  const next = async () => (await reader.read()).value ?? null;
  c.res = new Response(
    heldStream(hold, next, () => void reader.cancel().catch(() => undefined)),
    c.res,
  );
}

/** Yields a text in UTF-8, encoded piece by piece, so that no second copy of it is in memory. */
function* encoded(text: string): Generator<Uint8Array, null> {
  const encoder = new TextEncoder();
  let from = 0;
  while (from < text.length) {
    let to = from + CHUNK_CHARACTERS;
    // A surrogate pair must not be split.
    if ((text.charCodeAt(to - 1) & 0xfc00) === 0xd800) to += 1;
    yield encoder.encode(text.slice(from, to));
    from = to;
  }
  return null;
}

/** Returns the memory of a string in bytes. V8 stores two bytes per character if one character needs two. */
function stringBytes(text: string): number {
  return /[\u0100-\uffff]/.test(text) ? 2 * text.length : text.length;
}

/**
 * Returns a large JSON response and counts its size against the rate limit. Keeps only the memory of the response
 * reserved until it is read. Returns null for a response larger than the memory of all requests. Throws a
 * `MemoryShortage`.
 */
export function heldJson<T>(c: Context<AppEnv>, value: T, hold: IntakeHold): HeldJson<T> | null {
  const text = JSON.stringify(value);
  const bytes = stringBytes(text);
  if (bytes > INTAKE_BYTES) return null;
  if (!hold.tryGrowTo(bytes)) throw new MemoryShortage("memory is short");
  hold.keep(bytes);
  chargeBytes(c, text.length);
  const headers = { "Content-Type": "application/json" };
  // The runtime never reads the body of a response to a HEAD request.
  if (!hold.isReserved() || c.req.method === "HEAD") {
    hold.release();
    return new HeldJson<T>(c.req.method === "HEAD" ? null : text, { headers });
  }
  const pieces = encoded(text);
  return new HeldJson<T>(
    heldStream(
      hold,
      async () => pieces.next().value,
      () => undefined,
    ),
    { headers },
  );
}
