import { MAX_FILE_BYTES } from "../files/file.ts";
import { FIRST_BYTES, type Hold, type Memory, type StartedHold, type Until } from "../memory/budget.ts";
import { checkAddress, type AddressRules } from "../outbound/address.ts";
import { retryAfterSeconds } from "../outbound/retryAfter.ts";
import type { Permission, Permit } from "./permission.ts";

/** Enough for 32 MiB at 9 Mbit/s. Files of slower hosts are retried in a queue of their own. */
const DEADLINE_MS = 30_000;
/** Real hosts use one or two (a short link, then storage). More is a loop. */
const MAX_REDIRECTS = 5;
/** Time to read the rest of a body after a wait for memory. The host may have sent it meanwhile. */
const LEAST_READING_MS = 10_000;

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** The URL will not work again: used up, expired, or never valid. */
const GONE = new Set([400, 401, 403, 404, 410]);
/** The host asks for another try. */
const ASKED_TO_RETRY = new Set([408, 425, 429]);

export type DownloadFaultCode =
  | "callback_gone"
  | "callback_http_error"
  | "file_empty"
  | "callback_refused"
  | "callback_unreachable"
  | "callback_timeout"
  | "file_too_large";

export interface DownloadFault {
  ok: false;
  code: DownloadFaultCode;
  /** One sentence for the partner; never holds the URL. */
  detail: string;
  /** Status of the last answer; null when none came. */
  httpStatus: number | null;
  /** Whether another attempt may succeed. */
  again: boolean;
  /** The host's Retry-After, not bounded; null when it sent none. */
  retryAfterSeconds: number | null;
}

/** The download did not end in time because this service was short of memory. The host is not at fault. */
export interface MemoryShort {
  ok: false;
  code: "memory_short";
  detail: string;
}

/** No request was sent, because the partner's files may not be downloaded now. The host is not at fault. */
export type NotPermitted = Extract<Permission, { ok: false }> & { code: "not_permitted" };

/** `hold` is the reserved memory of `bytes`: release it when done with them. */
export type DownloadResult =
  { ok: true; bytes: Uint8Array; hold: Hold } | DownloadFault | MemoryShort | NotPermitted;

/** The memory that a download reserves from, and its latest end. */
export interface DownloadBounds {
  memory: Memory;
  until: Until;
}

const MEMORY_SHORT: MemoryShort = {
  ok: false,
  code: "memory_short",
  detail: "This service was short of memory.",
};

function fault(
  code: DownloadFaultCode,
  detail: string,
  about: { httpStatus?: number; again?: boolean; retryAfterSeconds?: number | null } = {},
): DownloadFault {
  return {
    ok: false,
    code,
    detail,
    httpStatus: about.httpStatus ?? null,
    again: about.again ?? false,
    retryAfterSeconds: about.retryAfterSeconds ?? null,
  };
}

/**
 * The host's time for a download, over several requests. It stops while the download waits for memory. `until` ends
 * the download in any case; then the host is not at fault.
 */
function startDeadline(limitMs: number, until: Until, now: () => number) {
  const controller = new AbortController();
  let leftMs = limitMs;
  let runningSince = 0;
  let isHostsFault = true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = () => {
    runningSince = now();
    const untilEndMs = until() - runningSince;
    isHostsFault = leftMs <= untilEndMs;
    timer = setTimeout(expire, Math.max(0, Math.min(leftMs, untilEndMs)));
  };
  const expire = () => {
    leftMs -= now() - runningSince;
    // The end may have been extended since.
    if (!isHostsFault && until() > now()) run();
    else controller.abort();
  };
  run();
  return {
    signal: controller.signal,
    stop: () => clearTimeout(timer),
    /** Stops the host's time while this service works. */
    pauseFor: async <T>(work: () => Promise<T>): Promise<T> => {
      clearTimeout(timer);
      leftMs -= now() - runningSince;
      try {
        return await work();
      } finally {
        run();
      }
    },
    fault: (httpStatus?: number) => (isHostsFault ? timedOut(httpStatus) : MEMORY_SHORT),
  };
}
type Deadline = ReturnType<typeof startDeadline>;

function timedOut(httpStatus?: number): DownloadFault {
  const about = httpStatus === undefined ? {} : { httpStatus };
  return fault("callback_timeout", "The host did not deliver the whole file in time.", {
    ...about,
    again: true,
  });
}

function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

/** Returns the fault for an answer other than 200 and redirects. */
function statusFault(response: Response, nowMs: number): DownloadFault {
  const { status } = response;
  const detail = `The host answered ${status}.`;
  if (GONE.has(status)) return fault("callback_gone", detail, { httpStatus: status });
  const again = status >= 500 || ASKED_TO_RETRY.has(status);
  return fault("callback_http_error", detail, {
    httpStatus: status,
    again,
    retryAfterSeconds: again ? retryAfterSeconds(response.headers.get("retry-after"), nowMs) : null,
  });
}

/** Returns the declared length of the body; null without one, or when it counts encoded bytes. */
function declaredLength(headers: Headers): number | null {
  const encoding = headers.get("content-encoding") ?? "identity";
  const length = headers.get("content-length");
  return encoding === "identity" && length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null;
}

function tooLarge(httpStatus: number): DownloadFault {
  return fault("file_too_large", "The file is larger than 32 MiB.", { httpStatus });
}

function cutOff(httpStatus: number): DownloadFault {
  const about = { httpStatus, again: true };
  return fault("callback_unreachable", "The connection ended before the whole file had come.", about);
}

function withoutBody(httpStatus: number): DownloadFault {
  return fault("file_empty", "The host answered 200 without a body.", { httpStatus });
}

/** Reads the body of a 200 under the size cap and the deadline. `hold` stays with the caller when that fails. */
async function readBody(
  response: Response,
  deadline: Deadline,
  hold: StartedHold,
  growUntil: Until,
): Promise<DownloadResult> {
  const httpStatus = response.status;
  const declared = declaredLength(response.headers);
  if (declared !== null && declared > MAX_FILE_BYTES) {
    discard(response);
    return tooLarge(httpStatus);
  }
  if (response.body === null) return withoutBody(httpStatus);

  const reader = response.body.getReader();
  const stopReading = () => void reader.cancel().catch(() => undefined);
  deadline.signal.addEventListener("abort", stopReading);
  const reserve = async (bytes: number) => deadline.pauseFor(async () => hold.growTo(bytes, growUntil));
  try {
    const collected = await collect(reader, declared, reserve);
    if (collected === "memory_short") return MEMORY_SHORT;
    if (collected === "too_large") return tooLarge(httpStatus);
    if (collected === "longer_than_declared") return cutOff(httpStatus);
    if (deadline.signal.aborted) return deadline.fault(httpStatus);
    if (declared !== null && collected.byteLength !== declared) return cutOff(httpStatus);
    if (collected.byteLength === 0) return withoutBody(httpStatus);
    hold.keep(collected.byteLength);
    return { ok: true, bytes: collected, hold };
  } catch {
    return deadline.signal.aborted ? deadline.fault(httpStatus) : cutOff(httpStatus);
  } finally {
    deadline.signal.removeEventListener("abort", stopReading);
    stopReading();
  }
}

/**
 * Reads a body to its end, into one buffer of its declared length. The buffer of an undeclared length grows once, from
 * the memory that every download has to the largest size. Throws when the connection breaks.
 */
async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  declared: number | null,
  reserve: (bytes: number) => Promise<boolean>,
): Promise<Uint8Array | "memory_short" | "too_large" | "longer_than_declared"> {
  if (declared !== null && declared > FIRST_BYTES && !(await reserve(declared))) return "memory_short";
  let buffer = new Uint8Array(declared ?? FIRST_BYTES);
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const needed = length + value.byteLength;
    if (needed > MAX_FILE_BYTES) return "too_large";
    if (needed > buffer.byteLength) {
      if (declared !== null) return "longer_than_declared";
      if (!(await reserve(MAX_FILE_BYTES))) return "memory_short";
      const grown = new Uint8Array(MAX_FILE_BYTES);
      grown.set(buffer.subarray(0, length));
      buffer = grown;
    }
    buffer.set(value, length);
    length = needed;
  }
  // A transfer frees the larger buffer at once, where a copy would leave both until the next collection.
  return length === buffer.byteLength ? buffer : new Uint8Array(buffer.buffer.transfer(length));
}

/**
 * Downloads one file by a GET without credentials. Checks the address of each redirect before it follows it. Waits for
 * memory before the GET, before the host's time starts, and again before a body passes 1 MiB. `permit` is asked last
 * before the GET. Never throws: everything that a host can do wrong is a `DownloadFault`. `now` is in milliseconds.
 */
export async function download(
  url: string,
  permit: Permit,
  bounds: DownloadBounds,
  now: () => number = Date.now,
  deadlineMs = DEADLINE_MS,
): Promise<DownloadResult> {
  const early = await startAt(url, permit);
  if (!early.ok) return early;
  const { memory, until } = bounds;
  const hold = await memory.start(() => until() - deadlineMs);
  if (hold === null) return MEMORY_SHORT;
  // The wait for memory may have lasted minutes.
  const start = await startAt(url, permit);
  const result = start.ok ? await follow(start.url, start.rules, until, hold, now, deadlineMs) : start;
  if (!result.ok) hold.release();
  return result;
}

/** Returns the address of the first request and the rules for redirects, or why no request may be sent. */
async function startAt(
  url: string,
  permit: Permit,
): Promise<{ ok: true; url: URL; rules: AddressRules } | DownloadFault | NotPermitted> {
  const permission = await permit();
  if (!permission.ok) return { ...permission, code: "not_permitted" };
  const { rules } = permission;
  const check = checkAddress(url, rules);
  return check.ok ? { ...check, rules } : fault("callback_refused", check.detail);
}

async function follow(
  first: URL,
  rules: AddressRules,
  until: Until,
  hold: StartedHold,
  now: () => number,
  deadlineMs: number,
): Promise<DownloadResult> {
  const deadline = startDeadline(deadlineMs, until, now);
  try {
    let address = first;
    for (let redirects = 0; ; redirects += 1) {
      const response = await get(address, deadline);
      if (!(response instanceof Response)) return response;
      const httpStatus = response.status;
      if (httpStatus === 200)
        return await readBody(response, deadline, hold, () => until() - LEAST_READING_MS);
      discard(response);
      if (!REDIRECTS.has(httpStatus)) return statusFault(response, now());
      const next = nextAddress(response, address, redirects, rules);
      if (!next.ok) return next;
      address = next.url;
    }
  } finally {
    deadline.stop();
  }
}

async function get(address: URL, deadline: Deadline): Promise<Response | DownloadFault | MemoryShort> {
  try {
    return await fetch(address.href, {
      redirect: "manual",
      cache: "no-store",
      // Uncompressed answers have a known length, and their bytes are the file's own.
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "endurance-partner-api" },
      signal: deadline.signal,
    });
  } catch {
    return deadline.signal.aborted
      ? deadline.fault()
      : fault("callback_unreachable", "The host could not be reached.", { again: true });
  }
}

/** Returns the target of a redirect, or why it is not followed. `redirects` is the number of earlier ones. */
function nextAddress(
  response: Response,
  address: URL,
  redirects: number,
  rules: AddressRules,
): { ok: true; url: URL } | DownloadFault {
  const httpStatus = response.status;
  const location = response.headers.get("location");
  const target = location === null ? null : URL.parse(location, address.href);
  if (target === null) {
    const detail = `The host answered ${httpStatus} without a usable Location.`;
    return fault("callback_unreachable", detail, { httpStatus });
  }
  if (redirects === MAX_REDIRECTS) {
    const detail = `The host redirected more than ${MAX_REDIRECTS} times.`;
    return fault("callback_unreachable", detail, { httpStatus });
  }
  const hop = checkAddress(target.href, rules);
  if (hop.ok) return hop;
  return fault("callback_refused", `A redirect leads to a forbidden address. ${hop.detail}`, { httpStatus });
}
