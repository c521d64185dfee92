import { afterEach, describe, expect, test, vi } from "vitest";
import { MAX_FILE_BYTES } from "../../src/contract/limits.ts";
import { download, type DownloadResult } from "../../src/importer/download.ts";
import type { Permit } from "../../src/importer/permission.ts";
import {
  FIRST_BYTES,
  reserveAll,
  sharedMemory,
  FIRST_BYTES_OF_PARTNER,
  type Hold,
} from "../../src/memory/budget.ts";

const MiB = 1024 * 1024;
const rules = { local: false, allowedHosts: [], ownHosts: [] };
const permitted: Permit = async () => ({ ok: true, rules, prefetchHeld: false });
const url = "https://files.example.com/a%2Fb.fit?token=s3cret&x=&y=+";
const nowMs = Date.parse("2026-11-25T12:00:00Z");
const now = () => nowMs;

const memory = sharedMemory("acme");
/** Length of a claim. */
const bounds = () => ({ memory, until: () => nowMs + 50_000 });
/** End of a wait in the past, so that nothing waits. */
const AT_ONCE = () => 0;

function fakeTime(): void {
  const toFake = ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"] as const;
  vi.useFakeTimers({ toFake: [...toFake], now: nowMs });
}

/** Returns whether nothing is reserved. */
async function isAllFree(): Promise<boolean> {
  const all = await reserveAll("acme", AT_ONCE());
  all?.release();
  return all !== null;
}

afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  // Every download has released its reservation.
  expect(await isAllFree()).toBe(true);
});

type Host = (request: Request) => Response | Promise<Response>;

/** Simulates the hosts of the outside network. Returns the requests that reached them. */
function play(host: Host): Request[] {
  const requests: Request[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    requests.push(request);
    return host(request);
  });
  return requests;
}

const get = (address = url, deadlineMs?: number): Promise<DownloadResult> =>
  download(address, permitted, bounds(), now, deadlineMs);

function redirect(location: string | null, status = 302): Response {
  return new Response(null, { status, headers: location === null ? {} : { location } });
}

/** Returns a host that redirects this many times, then sends a file. */
function chain(length: number): Host {
  let left = length;
  return () => ((left -= 1) >= 0 ? redirect(`/hop/${left}`) : new Response("bytes"));
}

async function expectFile() {
  const result = await get();
  expect(result.ok).toBe(true);
  if (result.ok) result.hold.release();
}

async function expectFault(result: Promise<DownloadResult>) {
  const answer = await result;
  if (answer.ok) throw new Error("the download succeeded");
  if (answer.code === "memory_short" || answer.code === "not_permitted") throw new Error(answer.detail);
  expect(answer.detail).toMatch(/^[A-Z].*\.$/);
  expect(answer.detail).not.toMatch(/s3cret|example\.com/);
  return answer;
}

/** A body of unknown length, in pieces. */
function pieces(
  sizes: number[],
  atEnd: (controller: ReadableStreamDefaultController) => void = (c) => c.close(),
) {
  const left = [...sizes];
  return new ReadableStream({
    pull(controller) {
      const size = left.shift();
      if (size === undefined) atEnd(controller);
      else controller.enqueue(new Uint8Array(size).fill(left.length));
    },
  });
}

describe("A file that the host sends", () => {
  test("is requested once, with the URL as given, without credentials and without automatic redirects", async () => {
    const requests = play(() => new Response("bytes"));
    const result = await get();
    if (!result.ok) throw new Error(result.detail);
    expect(new TextDecoder().decode(result.bytes)).toBe("bytes");
    result.hold.release();
    expect(requests).toHaveLength(1);
    expect(requests[0]?.url).toBe(url);
    expect(requests[0]?.method).toBe("GET");
    expect(requests[0]?.redirect).toBe("manual");
    expect([...(requests[0]?.headers.keys() ?? [])].sort()).toEqual([
      "accept",
      "accept-encoding",
      "user-agent",
    ]);
    expect(requests[0]?.headers.get("user-agent")).toBe("endurance-partner-api/1.0.0");
  });

  test.each([
    ["of a declared length", [10], { "content-length": "10" }],
    ["of unknown length", [3, 4, 5], {}],
    ["of unknown length and more than 1 MiB", [MiB - 1, 1, 1, 2 * MiB], {}],
    [
      "with the declared length of its gzip encoding",
      [100],
      { "content-length": "40", "content-encoding": "gzip" },
    ],
    ["as large as a file may be", [16 * MiB, 16 * MiB], { "content-length": String(MAX_FILE_BYTES) }],
    ["as large as a file may be, length unknown", [16 * MiB, 16 * MiB], {}],
  ])("is complete when it is %s", async (_, sizes, headers) => {
    play(() => new Response(pieces(sizes), { headers }));
    const result = await get();
    if (!result.ok) throw new Error(result.detail);
    const expected = sizes.reduce((sum, size) => sum + size, 0);
    expect(result.bytes.byteLength).toBe(expected);
    expect(result.bytes[0]).toBe(sizes.length - 1);
    expect(result.bytes[expected - 1]).toBe(0);
    result.hold.release();
  });

  test("reserves its length in the memory budget until the caller releases it", async () => {
    play(() => new Response(pieces([2 * MiB])));
    const result = await get();
    if (!result.ok) throw new Error(result.detail);
    const beside = await sharedMemory("other").reserve(38 * MiB, AT_ONCE);
    expect(beside).not.toBeNull();
    beside?.release();
    expect(await sharedMemory("other").reserve(38 * MiB + 1, AT_ONCE)).toBeNull();
    result.hold.release();
    expect(await isAllFree()).toBe(true);
  });

  test("waits when memory is short, and its host is not blamed for that time", async () => {
    fakeTime();
    const reserved = await sharedMemory("other").reserve(32 * MiB, AT_ONCE);
    play(() => new Response(pieces([2 * MiB])));
    const result = download(url, permitted, bounds(), Date.now, 1_000);
    await vi.advanceTimersByTimeAsync(10_000);
    reserved?.release();
    await vi.advanceTimersByTimeAsync(100);
    const answer = await result;
    expect(answer.ok).toBe(true);
    if (answer.ok) answer.hold.release();
  });

  test("is not requested before its first bytes have room, so its URL still works afterwards", async () => {
    fakeTime();
    const started: (Hold | null)[] = [];
    for (let bytes = 0; bytes < FIRST_BYTES_OF_PARTNER; bytes += FIRST_BYTES) {
      started.push(await memory.start(AT_ONCE));
    }
    const requests = play(() => new Response("bytes"));
    const result = download(url, permitted, bounds());
    await vi.advanceTimersByTimeAsync(20_100);
    expect(await result).toMatchObject({ ok: false, code: "memory_short" });
    expect(requests).toHaveLength(0);
    for (const hold of started) hold?.release();
  });

  test.each([
    ["of unknown length", {}],
    ["of a declared length", { "content-length": String(2 * MiB) }],
  ])(
    "of more than 1 MiB and %s ends as a fault of this service when memory stays short",
    async (_, headers) => {
      fakeTime();
      const reserved = await sharedMemory("other").reserve(40 * MiB, AT_ONCE);
      play(() => new Response(pieces([MiB, MiB]), { headers }));
      const result = download(url, permitted, bounds());
      await vi.advanceTimersByTimeAsync(50_100);
      expect(await result).toMatchObject({ ok: false, code: "memory_short" });
      reserved?.release();
    },
  );

  test("gets at least a short time after a long wait; when that ends, the host is not blamed", async () => {
    fakeTime();
    const reserved = await sharedMemory("other").reserve(40 * MiB, AT_ONCE);
    play(() => new Response(pieces([MiB, MiB], () => undefined)));
    const result = download(url, permitted, bounds());
    await vi.advanceTimersByTimeAsync(35_000);
    reserved?.release();
    await vi.advanceTimersByTimeAsync(15_100);
    expect(await result).toMatchObject({ ok: false, code: "memory_short" });
  });

  test("may be an HTML page: the decoder rejects it later", async () => {
    play(() => new Response("<html>", { headers: { "content-type": "text/html" } }));
    await expectFile();
  });
});

describe("Statuses", () => {
  test.each([400, 401, 403, 404, 410])("%i fails the file as callback_gone", async (status) => {
    play(() => new Response("gone", { status }));
    expect(await expectFault(get())).toMatchObject({
      code: "callback_gone",
      httpStatus: status,
      canRetry: false,
    });
  });

  test.each([201, 202, 204, 205, 206, 300, 304, 402, 405, 406, 409, 416, 418, 451, 499])(
    "%i ends the file as callback_http_error",
    async (status) => {
      play(() => new Response(null, { status }));
      expect(await expectFault(get())).toMatchObject({
        code: "callback_http_error",
        httpStatus: status,
        canRetry: false,
      });
    },
  );

  test.each([408, 425, 429, 500, 502, 503, 504, 522, 599])("%i is retried", async (status) => {
    play(() => new Response("later", { status }));
    expect(await expectFault(get())).toMatchObject({
      code: "callback_http_error",
      httpStatus: status,
      canRetry: true,
      retryAfterSeconds: null,
    });
  });

  test.each([
    ["120", 120],
    ["0", 0],
    ["Wed, 25 Nov 2026 12:01:30 GMT", 90],
    ["Wednesday, 25-Nov-26 12:01:30 GMT", 90],
    ["Wed Nov 25 12:01:30 2026", 90],
    ["Wed, 25 Nov 2026 11:00:00 GMT", 0],
    ["soon", null],
    ["-5", null],
    ["1.5", null],
    ["2026", 2026],
    ["", null],
  ])("Retry-After: %s means %s seconds", async (field, seconds) => {
    play(() => new Response("later", { status: 429, headers: { "retry-after": field } }));
    expect((await expectFault(get())).retryAfterSeconds).toBe(seconds);
  });

  test("the body of a response other than 200 is not read", async () => {
    const cancel = vi.fn<() => void>();
    for (const status of [404, 302, 503]) {
      play(() => new Response(new ReadableStream({ cancel }), { status }));
      await expectFault(get());
    }
    expect(cancel).toHaveBeenCalledTimes(3);
  });

  test.each([
    ["no body", () => new Response(null)],
    ["a body of no bytes", () => new Response(pieces([]))],
    ["a declared length of 0", () => new Response(pieces([]), { headers: { "content-length": "0" } })],
  ])("200 with %s is file_empty", async (_, answer) => {
    play(answer);
    expect(await expectFault(get())).toMatchObject({ code: "file_empty", httpStatus: 200, canRetry: false });
  });
});

describe("Size", () => {
  test("a declared length over the limit is rejected without reading", async () => {
    const cancel = vi.fn<() => void>();
    const headers = { "content-length": String(MAX_FILE_BYTES + 1) };
    play(() => new Response(new ReadableStream({ cancel }), { headers }));
    expect(await expectFault(get())).toMatchObject({ code: "file_too_large", canRetry: false });
    expect(cancel).toHaveBeenCalledOnce();
  });

  test("an endless body is cut off at the limit", async () => {
    let sent = 0;
    const cancel = vi.fn<() => void>();
    const endless = new ReadableStream({
      pull(controller) {
        sent += MiB;
        controller.enqueue(new Uint8Array(MiB));
      },
      cancel,
    });
    play(() => new Response(endless));
    expect(await expectFault(get())).toMatchObject({ code: "file_too_large", canRetry: false });
    expect(sent).toBeLessThanOrEqual(MAX_FILE_BYTES + 2 * MiB);
    expect(cancel).toHaveBeenCalledOnce();
  });
});

describe("Hosts that do not send the file", () => {
  test("no connection: callback_unreachable, retried", async () => {
    play(() => Promise.reject(new TypeError("connect to files.example.com refused")));
    expect(await expectFault(get())).toMatchObject({
      code: "callback_unreachable",
      httpStatus: null,
      canRetry: true,
    });
  });

  test("no response in time: callback_timeout, retried", async () => {
    play(
      (request) =>
        new Promise((_, reject) => request.signal.addEventListener("abort", () => reject(new Error()))),
    );
    expect(await expectFault(get(url, 5))).toMatchObject({
      code: "callback_timeout",
      httpStatus: null,
      canRetry: true,
    });
  });

  test("a body that stops: the time limit covers the whole body", async () => {
    const cancel = vi.fn<() => void>();
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(10)),
      cancel,
    });
    play(() => new Response(body));
    expect(await expectFault(get(url, 5))).toMatchObject({
      code: "callback_timeout",
      httpStatus: 200,
      canRetry: true,
    });
    expect(cancel).toHaveBeenCalledOnce();
  });

  test("a body that comes byte by byte: 30 s for the whole body", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    let dripping: ReturnType<typeof setInterval> | undefined;
    const body = new ReadableStream({
      start(controller) {
        dripping = setInterval(() => controller.enqueue(new Uint8Array(1)), 1_000);
      },
      cancel: () => clearInterval(dripping),
    });
    play(() => new Response(body));
    let ended = false;
    const result = expectFault(get()).finally(() => (ended = true));
    await vi.advanceTimersByTimeAsync(29_900);
    expect(ended).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(await result).toMatchObject({ code: "callback_timeout", httpStatus: 200, canRetry: true });
  });

  test("a connection that breaks in the middle: callback_unreachable, retried", async () => {
    play(() => new Response(pieces([10, 10], (controller) => controller.error(new Error("reset")))));
    expect(await expectFault(get())).toMatchObject({
      code: "callback_unreachable",
      httpStatus: 200,
      canRetry: true,
    });
  });

  test.each([
    ["fewer", 2 * MiB],
    ["more", 15],
  ])("%s bytes than declared: callback_unreachable, retried", async (_, declared) => {
    play(() => new Response(pieces([10, 10]), { headers: { "content-length": String(declared) } }));
    expect(await expectFault(get())).toMatchObject({
      code: "callback_unreachable",
      httpStatus: 200,
      canRetry: true,
    });
  });
});

describe("Redirects", () => {
  test.each([301, 302, 303, 307, 308])("%i is followed by a GET", async (status) => {
    const requests = play((request) =>
      request.url === url
        ? redirect("https://storage.example.com/o?sig=a%2Fb+c&e=", status)
        : new Response("bytes"),
    );
    await expectFile();
    expect(requests.map((request) => request.url)).toEqual([
      url,
      "https://storage.example.com/o?sig=a%2Fb+c&e=",
    ]);
    expect(requests[1]?.method).toBe("GET");
  });

  test("a relative Location is resolved against the address that sent it", async () => {
    const seen = play((request) => {
      if (request.url === url) return redirect("https://storage.example.com/x/y/z");
      return request.url.endsWith("/z") ? redirect("../w?b=%2F") : new Response("bytes");
    });
    await expectFile();
    expect(seen.at(-1)?.url).toBe("https://storage.example.com/x/w?b=%2F");
  });

  test("five are followed, a sixth is not", async () => {
    play(chain(5));
    await expectFile();
    const requests = play(chain(6));
    expect(await expectFault(get())).toMatchObject({
      code: "callback_unreachable",
      httpStatus: 302,
      canRetry: false,
    });
    expect(requests).toHaveLength(6);
  });

  test.each([null, "https://", "https://exa mple.com/"])(
    "without a target (%s): callback_unreachable",
    async (location) => {
      play(() => redirect(location));
      expect(await expectFault(get())).toMatchObject({
        code: "callback_unreachable",
        httpStatus: 302,
        canRetry: false,
      });
    },
  );

  test.each([
    "http://files.example.com/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "//0x7f.1/",
    "https://[::1]/",
    "https://user:pass@files.example.com/",
    "https://files.example.com:8443/",
    "https://metadata.google.internal/",
    "https:\\\\localhost\\",
    "ftp://files.example.com/",
    "file:///etc/passwd",
  ])("to a forbidden address (%s): callback_refused, without a request", async (location) => {
    const requests = play(() => redirect(location));
    expect(await expectFault(get())).toMatchObject({
      code: "callback_refused",
      httpStatus: 302,
      canRetry: false,
    });
    expect(requests).toHaveLength(1);
  });

  test("cannot leave the partner's list of hosts", async () => {
    play(() => redirect("https://storage.example.com/"));
    const listed: Permit = async () => ({
      ok: true,
      rules: { ...rules, allowedHosts: ["files.example.com"] },
      prefetchHeld: false,
    });
    expect(await expectFault(download(url, listed, bounds(), now))).toMatchObject({
      code: "callback_refused",
    });
  });
});

test("No request is sent when the partner is suspended while the download waits for memory", async () => {
  const requests = play(() => new Response("bytes"));
  const suspended = { ok: false, why: "suspended", detail: "The partner is suspended." } as const;
  const permissions = [await permitted(), suspended].values();
  const permit: Permit = async () => permissions.next().value ?? suspended;
  expect(await download(url, permit, bounds(), now)).toEqual({ ...suspended, code: "not_permitted" });
  expect(requests).toHaveLength(0);
});

test("No request is sent to a forbidden address", async () => {
  const requests = play(() => new Response("bytes"));
  for (const address of [
    "http://files.example.com/",
    "https://10.0.0.1/",
    "https://localhost/",
    "nonsense",
  ]) {
    expect(await expectFault(get(address))).toMatchObject({
      code: "callback_refused",
      httpStatus: null,
      canRetry: false,
    });
  }
  expect(requests).toHaveLength(0);
});
