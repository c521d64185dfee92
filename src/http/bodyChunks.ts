/** Enough for 16 MiB at 5 Mbit/s. A slower caller would hold memory that other requests wait for. */
const DEADLINE_MS = 30_000;

const lateness = () => new Error("the body did not come in time");

/** Reads a body that is known to be small. Throws as `bodyChunks` does. */
export async function wholeBody(request: Request): Promise<ArrayBuffer> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(lateness()), DEADLINE_MS);
  try {
    return await Promise.race([request.arrayBuffer(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Yields the chunks of a body. Throws when the caller disconnects, or does not send all of it in time. */
export async function* bodyChunks(request: Request): AsyncGenerator<Uint8Array> {
  if (request.body === null) return;
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void reader.cancel().catch(() => undefined);
  }, DEADLINE_MS);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) throw lateness();
      if (done) return;
      yield value;
    }
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => undefined);
  }
}
