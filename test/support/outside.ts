import { vi } from "vitest";

/** One request that the service sent. */
export interface Sent {
  url: string;
  method: string;
  headers: Headers;
  body: string;
}

export type Answer = (request: Sent) => Response | Promise<Response>;

/**
 * Replaces the network: hosts of files, receivers of events. Other addresses cannot be reached. Call `vi.restoreAllMocks()` after the test.
 */
export function playOutside(answers: Record<string, Answer>) {
  const sent: Sent[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const record: Sent = {
      url: request.url,
      method: request.method,
      headers: request.headers,
      body: await request.text(),
    };
    sent.push(record);
    const answer = answers[request.url];
    if (answer === undefined) throw new TypeError("Network connection lost.");
    return answer(record);
  });
  return { sent, to: (url: string) => sent.filter((request) => request.url === url) };
}

/** Returns a handler that works once, like a signed download link, and returns 410 afterwards. */
export function once(bytes: Uint8Array<ArrayBuffer>): Answer {
  let used = false;
  return () => {
    if (used) return new Response("used", { status: 410 });
    used = true;
    return new Response(bytes);
  };
}
