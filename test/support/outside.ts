import { vi } from "vitest";

/** One request that left the service. */
export interface Sent {
  url: string;
  method: string;
  headers: Headers;
  body: string;
}

export type Answer = (request: Sent) => Response | Promise<Response>;

/**
 * Plays the network outside: hosts of files, receivers of events. Addresses that nobody plays cannot be
 * reached. Call `vi.restoreAllMocks()` after the test.
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

/** A URL that works once and is gone afterwards, as signed download links are. */
export function once(bytes: Uint8Array<ArrayBuffer>): Answer {
  let used = false;
  return () => {
    if (used) return new Response("used", { status: 410 });
    used = true;
    return new Response(bytes);
  };
}
