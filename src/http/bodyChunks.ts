import { startPace } from "./pace.ts";

/** Time after which the minimum rate applies to a body. */
export const BODY_GRACE_MS = 2_000;
/** Maximum time for a body that needs no reserved memory. No minimum rate applies to it. */
export const SMALL_BODY_MS = 10_000;

/**
 * The body of a request is incomplete. `late`: the caller sent it too slowly. `aborted`: the connection ended early, so
 * no response reaches the caller.
 */
export class BodyIncomplete extends Error {
  override name = "BodyIncomplete";
  readonly code: "late" | "aborted";

  constructor(code: "late" | "aborted") {
    super(`the body is incomplete: ${code}`);
    this.code = code;
  }
}

/** Returns the bytes of a body that is known to be small. Throws a `BodyIncomplete`. */
export async function readSmallBody(request: Request): Promise<ArrayBuffer> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new BodyIncomplete("late")), SMALL_BODY_MS);
  try {
    return await Promise.race([request.arrayBuffer(), late.promise]);
  } catch (fault) {
    throw fault instanceof BodyIncomplete ? fault : new BodyIncomplete("aborted");
  } finally {
    clearTimeout(timer);
  }
}

/** Yields the chunks of a body. Throws a `BodyIncomplete`. */
export async function* bodyChunks(request: Request): AsyncGenerator<Uint8Array> {
  if (request.body === null) return;
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  let isLate = false;
  const stopReading = () => void reader.cancel().catch(() => undefined);
  const pace = startPace(BODY_GRACE_MS, () => {
    isLate = true;
    stopReading();
  });
  const read = async () => {
    try {
      return await reader.read();
    } catch {
      throw new BodyIncomplete(isLate ? "late" : "aborted");
    }
  };
  try {
    for (;;) {
      const { done, value } = await read();
      if (isLate) throw new BodyIncomplete("late");
      if (done) return;
      pace.transferred(value.byteLength);
      yield value;
    }
  } finally {
    pace.stop();
    stopReading();
  }
}
