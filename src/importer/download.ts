import { inBytes } from "../contract/amounts.ts";
import { DOWNLOAD_DEADLINE_MS, MAX_FILE_BYTES, MAX_REDIRECTS } from "../contract/limits.ts";
import { FIRST_BYTES, type Hold, type Memory, type StartedHold, type Until } from "../memory/budget.ts";
import { checkAddress, type AddressRules } from "../outbound/address.ts";
import { retryAfterSeconds } from "../outbound/retryAfter.ts";
import { userAgent } from "../outbound/userAgent.ts";
import type { Permission, Permit } from "./permission.ts";

/** Minimum time that remains to read the rest of a body after a wait for memory. */
const LEAST_READING_MS = 10_000;

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Statuses of URLs that do not work any more: used, expired or never valid. */
const GONE = new Set([400, 401, 403, 404, 410]);
/** Statuses by which a host asks for a retry. */
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
  /** Description for the partner. Never contains the URL. */
  detail: string;
  /** Status of the last response. Null without a response. */
  httpStatus: number | null;
  /** Whether another attempt may succeed. */
  canRetry: boolean;
  /** Retry-After of the host in seconds, without a limit. Null when the host sent none. */
  retryAfterSeconds: number | null;
}

/** The download did not end in time, because this service did not have enough memory. The host is not at fault. */
export interface MemoryShort {
  ok: false;
  code: "memory_short";
  detail: string;
}

/** No request was sent, because files of the partner may not be downloaded now. The host is not at fault. */
export type NotPermitted = Extract<Permission, { ok: false }> & { code: "not_permitted" };

/** `hold` is the reserved memory of `bytes`. The caller releases it when it no longer needs the bytes. */
export type DownloadResult =
  { ok: true; bytes: Uint8Array; hold: Hold } | DownloadFault | MemoryShort | NotPermitted;

/** The memory that a download reserves from, and its latest end. */
export interface DownloadBounds {
  memory: Memory;
  until: Until;
}

export const MEMORY_SHORT: MemoryShort = {
  ok: false,
  code: "memory_short",
  detail: "This service did not have enough free memory.",
};

function fault(
  code: DownloadFaultCode,
  detail: string,
  context: { httpStatus?: number; canRetry?: boolean; retryAfterSeconds?: number | null } = {},
): DownloadFault {
  return {
    ok: false,
    code,
    detail,
    httpStatus: context.httpStatus ?? null,
    canRetry: context.canRetry ?? false,
    retryAfterSeconds: context.retryAfterSeconds ?? null,
  };
}

/**
 * Starts the deadline of a download, over all its requests. The host's time stops while the download waits for memory.
 * The download also ends at `until`; then the host is not at fault.
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
    // `until` may have been extended since.
    if (!isHostsFault && until() > now()) run();
    else controller.abort();
  };
  run();
  return {
    signal: controller.signal,
    stop: () => clearTimeout(timer),
    /** Stops the host's time while `work` runs. */
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
  const context = httpStatus === undefined ? {} : { httpStatus };
  return fault(
    "callback_timeout",
    `The host did not send the whole file within ${DOWNLOAD_DEADLINE_MS / 1_000} seconds.`,
    {
      ...context,
      canRetry: true,
    },
  );
}

function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

/** Returns the fault for a status other than 200 and redirects. */
function statusFault(response: Response, nowMs: number): DownloadFault {
  const { status } = response;
  const detail = `The host responded with status ${status}.`;
  if (GONE.has(status)) return fault("callback_gone", detail, { httpStatus: status });
  const canRetry = status >= 500 || ASKED_TO_RETRY.has(status);
  return fault("callback_http_error", detail, {
    httpStatus: status,
    canRetry,
    retryAfterSeconds: canRetry ? retryAfterSeconds(response.headers.get("retry-after"), nowMs) : null,
  });
}

/** Returns the Content-Length of the body. Null without one, or when it is the length of an encoded body. */
function declaredLength(headers: Headers): number | null {
  const encoding = headers.get("content-encoding") ?? "identity";
  const length = headers.get("content-length");
  return encoding === "identity" && length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null;
}

/** Error detail of a file above the size limit. */
export const TOO_LARGE = `The file is larger than ${inBytes(MAX_FILE_BYTES)}.`;

function tooLarge(httpStatus: number): DownloadFault {
  return fault("file_too_large", TOO_LARGE, { httpStatus });
}

function cutOff(httpStatus: number): DownloadFault {
  const context = { httpStatus, canRetry: true };
  return fault("callback_unreachable", "The connection closed before the whole file was received.", context);
}

function longerThanDeclared(httpStatus: number): DownloadFault {
  const detail = "The body is longer than its Content-Length.";
  return fault("callback_unreachable", detail, { httpStatus, canRetry: true });
}

function withoutBody(httpStatus: number): DownloadFault {
  return fault("file_empty", "The host responded with status 200 and no body.", { httpStatus });
}

/** Reads the body of a 200 within the size limit and the deadline. When it fails, the caller releases `hold`. */
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
    if (collected === "longer_than_declared") return longerThanDeclared(httpStatus);
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
 * Reads a body to its end, into one buffer of its declared length. Without a declared length the buffer starts with
 * `FIRST_BYTES` and grows once, to `MAX_FILE_BYTES`. Throws when the connection breaks.
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
  // A transfer frees the larger buffer immediately. A copy would keep both until the next garbage collection.
  return length === buffer.byteLength ? buffer : new Uint8Array(buffer.buffer.transfer(length));
}

/**
 * Downloads one file by a GET without credentials. Checks the address of each redirect before it follows it. Waits for
 * memory before the GET and again before a body exceeds `FIRST_BYTES`; the host's time does not include these waits.
 * Calls `permit` right before the GET. Never throws: every error of a host is a `DownloadFault`.
 */
export async function download(
  url: string,
  permit: Permit,
  bounds: DownloadBounds,
  now: () => number = Date.now,
  deadlineMs = DOWNLOAD_DEADLINE_MS,
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

/** Returns the address of the first request and the rules for redirects, or the reason why no request may be sent. */
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
      const response = await get(address, rules, deadline);
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

async function get(
  address: URL,
  rules: AddressRules,
  deadline: Deadline,
): Promise<Response | DownloadFault | MemoryShort> {
  try {
    return await fetch(address.href, {
      redirect: "manual",
      cache: "no-store",
      // Uncompressed responses have a known length, and their bytes are those of the file.
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": userAgent(rules) },
      signal: deadline.signal,
    });
  } catch {
    return deadline.signal.aborted
      ? deadline.fault()
      : fault("callback_unreachable", "The host could not be reached.", { canRetry: true });
  }
}

/** Returns the target of a redirect, or the fault that ends the download. `redirects`: number of earlier redirects. */
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
    const detail = `The host responded with status ${httpStatus} and no valid Location header.`;
    return fault("callback_unreachable", detail, { httpStatus });
  }
  if (redirects === MAX_REDIRECTS) {
    const detail = `The host redirected more than ${MAX_REDIRECTS} times.`;
    return fault("callback_unreachable", detail, { httpStatus });
  }
  const hop = checkAddress(target.href, rules);
  if (hop.ok) return hop;
  return fault("callback_refused", `A redirect leads to an address that is not allowed. ${hop.detail}`, {
    httpStatus,
  });
}
