/** A connection that fails after this time counts as a timeout: it occupied its consumer as long. */
const SLOW_FAILURE_MS = 5_000;
/** Number of stored bytes of a response: enough for the receiver's error message. */
const RESPONSE_BYTES = 500;

/** Returns the first bytes of a response as text: those that arrive before the signal aborts. */
async function firstBytes(response: Response, signal: AbortSignal): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const stop = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", stop);
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let left = RESPONSE_BYTES; left > 0;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value.subarray(0, left), { stream: true });
      left -= value.byteLength;
    }
  } catch {
    // The connection broke after the headers. The status decides; keep the bytes that arrived.
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
  return text;
}

export interface PostResult {
  /** Null without a response. */
  status: number | null;
  /** Whether the deadline passed, or the connection failed only after a long time. */
  timedOut: boolean;
  text: string;
  retryAfter: string | null;
}

/** Sends a JSON body to a receiver. Never throws: a failed connection is a result without a status. */
export async function post(
  { url, agent }: { url: string; agent: string },
  headers: Record<string, string>,
  body: string,
  deadlineMs: number,
): Promise<PostResult> {
  const signal = AbortSignal.timeout(deadlineMs);
  const startedAt = Date.now();
  try {
    const response = await fetch(url, {
      method: "POST",
      redirect: "manual",
      headers: { "content-type": "application/json", "user-agent": agent, ...headers },
      body,
      signal,
    });
    return {
      status: response.status,
      text: await firstBytes(response, signal),
      timedOut: signal.aborted,
      retryAfter: response.headers.get("retry-after"),
    };
  } catch {
    const text = signal.aborted
      ? `The receiver did not respond within ${deadlineMs / 1000} s.`
      : "The connection to the receiver failed.";
    const timedOut = signal.aborted || Date.now() - startedAt >= SLOW_FAILURE_MS;
    return { status: null, text, timedOut, retryAfter: null };
  }
}
