import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BODY_GRACE_MS, bodyChunks, SMALL_BODY_MS, readSmallBody } from "../../src/http/bodyChunks.ts";
import { CHECK_INTERVAL_MS, MIN_BYTES_PER_SECOND, PAUSE_MS, TRANSFER_MS } from "../../src/http/pace.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Returns a request with a body that the test sends step by step. */
function slowRequest() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  return {
    request: new Request("https://api.example.com/", { method: "POST", body: readable }),
    send: async (bytes: number) => writer.write(new Uint8Array(bytes)),
    close: async () => writer.close(),
    abort: async () => writer.abort(new Error("Network connection lost.")),
  };
}

async function lengthOf(request: Request): Promise<number> {
  let length = 0;
  for await (const chunk of bodyChunks(request)) length += chunk.byteLength;
  return length;
}

/** Returns an object that receives the result of a read as soon as the read ends. */
function follow(reading: Promise<number>) {
  const outcome: { length?: number; code?: unknown } = {};
  void reading.then(
    (length) => Object.assign(outcome, { length }),
    (fault: unknown) => Object.assign(outcome, { code: Object(fault).code }),
  );
  return outcome;
}

const pass = async (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

describe("a body read in chunks", () => {
  test("is late if no byte arrives within the grace time", async () => {
    const outcome = follow(lengthOf(slowRequest().request));
    await pass(BODY_GRACE_MS - 1);
    expect(outcome).toEqual({});
    await pass(1);
    expect(outcome).toEqual({ code: "late" });
  });

  test("is late after the grace time if it arrives byte by byte", async () => {
    const body = slowRequest();
    const outcome = follow(lengthOf(body.request));
    for (let second = 0; second < 2; second += 1) {
      await body.send(1);
      await pass(1_000);
    }
    await pass(CHECK_INTERVAL_MS);
    expect(outcome).toEqual({ code: "late" });
  });

  test("may take the maximum time at the minimum rate, but no longer", async () => {
    const body = slowRequest();
    const outcome = follow(lengthOf(body.request));
    for (let elapsed = 0; elapsed < TRANSFER_MS; elapsed += 1_000) {
      expect(outcome).toEqual({});
      await body.send(MIN_BYTES_PER_SECOND);
      await pass(1_000);
    }
    expect(outcome).toEqual({ code: "late" });
  });

  test("may pause after a fast start, but not longer than the maximum pause", async () => {
    const body = slowRequest();
    const outcome = follow(lengthOf(body.request));
    await body.send(100 * MIN_BYTES_PER_SECOND);
    await pass(PAUSE_MS - 1);
    await body.send(MIN_BYTES_PER_SECOND);
    await pass(1_000 - CHECK_INTERVAL_MS);
    expect(outcome).toEqual({});
    await pass(2 * CHECK_INTERVAL_MS);
    expect(outcome).toEqual({ code: "late" });
  });

  test("is not late because the isolate was busy", async () => {
    const body = slowRequest();
    const outcome = follow(lengthOf(body.request));
    vi.setSystemTime(Date.now() + 2 * BODY_GRACE_MS);
    await pass(BODY_GRACE_MS - CHECK_INTERVAL_MS);
    expect(outcome).toEqual({});
    await body.send(10);
    await body.close();
    await pass(0);
    expect(outcome).toEqual({ length: 10 });
  });

  test("is aborted if the connection breaks, and leaves no timer behind", async () => {
    const body = slowRequest();
    const outcome = follow(lengthOf(body.request));
    await body.send(10);
    void body.abort();
    await pass(0);
    expect(outcome).toEqual({ code: "aborted" });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a small body", () => {
  const sizeOf = async (request: Request) => (await readSmallBody(request)).byteLength;

  test("is late if it is incomplete after its maximum time", async () => {
    const body = slowRequest();
    const outcome = follow(sizeOf(body.request));
    await body.send(1);
    await pass(SMALL_BODY_MS - 1);
    expect(outcome).toEqual({});
    await pass(1);
    expect(outcome).toEqual({ code: "late" });
  });

  test("is returned if it completes in time, and leaves no timer behind", async () => {
    const body = slowRequest();
    const outcome = follow(sizeOf(body.request));
    await body.send(1);
    await pass(SMALL_BODY_MS - 1);
    await body.send(1);
    await body.close();
    await pass(0);
    expect(outcome).toEqual({ length: 2 });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is aborted if the connection breaks", async () => {
    const body = slowRequest();
    const outcome = follow(sizeOf(body.request));
    await body.send(1);
    void body.abort();
    await pass(0);
    expect(outcome).toEqual({ code: "aborted" });
  });
});
