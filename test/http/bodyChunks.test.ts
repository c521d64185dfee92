import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { bodyChunks, wholeBody } from "../../src/http/bodyChunks.ts";

const DEADLINE_MS = 30_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A request whose body has begun, and goes on when its sender says so. */
function slowRequest() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  void writer.write(new Uint8Array([1])).catch(() => undefined);
  return {
    request: new Request("https://api.example.com/", { method: "POST", body: readable }),
    finish: async () => {
      await writer.write(new Uint8Array([2]));
      await writer.close();
    },
  };
}

describe.each([
  ["read at once", async (request: Request) => new Uint8Array(await wholeBody(request))],
  [
    "read in chunks",
    async (request: Request) => {
      const bytes: number[] = [];
      for await (const chunk of bodyChunks(request)) bytes.push(...chunk);
      return new Uint8Array(bytes);
    },
  ],
])("a body %s", (_how, read) => {
  test("that has not come after 30 s is given up", async () => {
    const { request } = slowRequest();
    const outcome = expect(read(request)).rejects.toThrow("did not come in time");
    await vi.advanceTimersByTimeAsync(DEADLINE_MS);
    await outcome;
  });

  test("that has come before is there, and nothing waits any longer", async () => {
    const { request, finish } = slowRequest();
    const bytes = read(request);
    await vi.advanceTimersByTimeAsync(DEADLINE_MS - 1);
    await finish();
    expect([...(await bytes)]).toEqual([1, 2]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
