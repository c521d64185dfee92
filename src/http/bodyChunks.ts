/** A body of 16 MiB at 5 Mbit/s; who sends more slowly would hold memory that others wait for. */
const DEADLINE_MS = 30_000;

const lateness = () => new Error("the body did not come in time");

/** A whole body, for one that is known to be small; throws as `bodyChunks` does. */
export async function wholeBody(request: Request): Promise<ArrayBuffer> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(lateness()), DEADLINE_MS);
  try {
    return await Promise.race([request.arrayBuffer(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A body's chunks; throws when the caller goes away, or has not sent it all in time. */
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
