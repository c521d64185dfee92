import type { Context } from "hono";
import { INTAKE_BYTES, MemoryShortage, type IntakeHold } from "../memory/budget.ts";
import type { AppEnv } from "./context.ts";
import { PAUSE_MS, startPace } from "./pace.ts";
import { chargeBytes } from "./rateLimit.ts";

/** Characters of an answer that are encoded at a time. */
const CHUNK_CHARACTERS = 64 * 1024;

/** A JSON answer whose memory stays reserved until the caller has read it. The type names its body, as `c.json` does. */
class HeldJson<T> extends Response {
  declare readonly _data: T;
  declare readonly _status: 200;
  declare readonly _format: "json";
}

/**
 * Returns a stream of chunks. Releases the memory when the caller has read them, has disconnected, or has read more
 * slowly than the minimum rate, which ends the connection. `next` returns null at the end.
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
          controller.error(new Error("the answer was not read in time"));
        });
      },
      pull: async (controller) => {
        try {
          const chunk = await next();
          if (chunk === null) {
            end();
            controller.close();
          } else {
            pace?.moved(chunk.byteLength);
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

/** Keeps the memory of a request until its answer is read, if any is reserved. */
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

/** Yields a text in UTF-8, encoded piece by piece, so that no second copy of it is made. */
function* encoded(text: string): Generator<Uint8Array, null> {
  const encoder = new TextEncoder();
  let from = 0;
  while (from < text.length) {
    let to = from + CHUNK_CHARACTERS;
    // The halves of a surrogate pair are encoded together.
    if ((text.charCodeAt(to - 1) & 0xfc00) === 0xd800) to += 1;
    yield encoder.encode(text.slice(from, to));
    from = to;
  }
  return null;
}

/** Returns the memory of a string: engines keep two bytes a character as soon as one of them needs two. */
function stringBytes(text: string): number {
  return /[\u0100-\uffff]/.test(text) ? 2 * text.length : text.length;
}

/**
 * Answers with a large JSON value and spends the rate limit by its size. Keeps of the request's memory what the answer
 * takes until it is read; all else that the request allocated is garbage by then. Returns null for an answer larger than
 * requests may hold. Throws a `MemoryShortage`.
 */
export function heldJson<T>(c: Context<AppEnv>, value: T, hold: IntakeHold): HeldJson<T> | null {
  const text = JSON.stringify(value);
  const bytes = stringBytes(text);
  if (bytes > INTAKE_BYTES) return null;
  if (!hold.tryGrowTo(bytes)) throw new MemoryShortage("memory is short");
  hold.keep(bytes);
  chargeBytes(c, text.length);
  const headers = { "Content-Type": "application/json" };
  // The body of the answer to a HEAD request is never read.
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
