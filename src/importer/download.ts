import { MAX_FILE_BYTES } from "../files/file.ts";
import { reserve, type Release } from "../memoryBudget.ts";
import { checkAddress, type AddressRules } from "../outbound/address.ts";
import { retryAfterSeconds } from "../outbound/retryAfter.ts";

/** Enough for 32 MiB at 9 Mbit/s; a slower host is tried again, away from everybody else's files. */
const DEADLINE_MS = 30_000;
/** Real hosts use one or two (a short link, then storage); more is a circle. */
const MAX_REDIRECTS = 5;
/** Bodies up to this size are small beside what an isolate holds anyway, and need no turn. */
const UNRESERVED_BYTES = 1024 * 1024;

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
  /** Of the last answer; null when none came. */
  httpStatus: number | null;
  /** Whether another attempt may succeed. */
  again: boolean;
  /** What the host asked for, not bounded; null when it asked for nothing. */
  retryAfterSeconds: number | null;
}

/** `release` gives the memory of `bytes` back to the isolate's budget: call it when done with them. */
export type DownloadResult = { ok: true; bytes: Uint8Array; release: Release } | DownloadFault;

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

/** A time limit over several steps; it stands still while we, not the host, keep the download waiting. */
function startDeadline(limitMs: number, now: () => number) {
  const controller = new AbortController();
  const expire = () => controller.abort();
  let leftMs = limitMs;
  let runningSince = now();
  let timer = setTimeout(expire, leftMs);
  return {
    signal: controller.signal,
    stop: () => clearTimeout(timer),
    pause: () => {
      clearTimeout(timer);
      leftMs -= now() - runningSince;
    },
    resume: () => {
      runningSince = now();
      timer = setTimeout(expire, Math.max(0, leftMs));
    },
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

const nothingReserved: Release = () => undefined;

function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

/** What an answer other than 200 and redirects means. */
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

/** The body's length if the host declared one that counts the bytes we will read. */
function declaredLength(headers: Headers): number | null {
  const encoding = headers.get("content-encoding") ?? "identity";
  const length = headers.get("content-length");
  return encoding === "identity" && length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null;
}

/** Reads the body of a 200 under the size cap and the deadline. */
async function readBody(response: Response, deadline: Deadline): Promise<DownloadResult> {
  const httpStatus = response.status;
  const declared = declaredLength(response.headers);
  const tooLarge = () => fault("file_too_large", "The file is larger than 32 MiB.", { httpStatus });
  if (declared !== null && declared > MAX_FILE_BYTES) {
    discard(response);
    return tooLarge();
  }
  if (response.body === null)
    return fault("file_empty", "The host answered 200 without a body.", { httpStatus });

  const reader = response.body.getReader();
  const stopReading = () => void reader.cancel().catch(() => undefined);
  deadline.signal.addEventListener("abort", stopReading);
  let release = nothingReserved;
  const reserveOnce = async (bytes: number) => {
    deadline.pause();
    release = await reserve(bytes);
    deadline.resume();
  };
  const fail = (result: DownloadFault) => {
    stopReading();
    release();
    return result;
  };

  try {
    if (declared !== null && declared > UNRESERVED_BYTES) await reserveOnce(declared);
    let buffer = new Uint8Array(declared ?? UNRESERVED_BYTES);
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (length + value.byteLength > MAX_FILE_BYTES) return fail(tooLarge());
      if (length + value.byteLength > buffer.byteLength) {
        // Of unknown length: past the free part, one buffer of the largest size takes the rest.
        if (release === nothingReserved) await reserveOnce(MAX_FILE_BYTES);
        const grown = new Uint8Array(MAX_FILE_BYTES);
        grown.set(buffer.subarray(0, length));
        buffer = grown;
      }
      buffer.set(value, length);
      length += value.byteLength;
    }
    if (deadline.signal.aborted) return fail(timedOut(httpStatus));
    if (declared !== null && length !== declared) {
      return fail(
        fault("callback_unreachable", "The connection ended before the whole file had come.", {
          httpStatus,
          again: true,
        }),
      );
    }
    if (length === 0)
      return fail(fault("file_empty", "The host answered 200 without a body.", { httpStatus }));
    // A transfer frees the larger buffer at once, where a copy would leave both until the next collection.
    const bytes = length === buffer.byteLength ? buffer : new Uint8Array(buffer.buffer.transfer(length));
    return { ok: true, bytes, release };
  } catch {
    if (deadline.signal.aborted) return fail(timedOut(httpStatus));
    return fail(
      fault("callback_unreachable", "The connection ended before the whole file had come.", {
        httpStatus,
        again: true,
      }),
    );
  } finally {
    deadline.signal.removeEventListener("abort", stopReading);
  }
}

/**
 * Downloads one file: a GET without credentials, redirects followed by hand with each hop's address checked.
 * Never throws; everything a host can do is a `DownloadFault`. `now` is in milliseconds.
 */
export async function download(
  url: string,
  rules: AddressRules,
  now: () => number = Date.now,
  deadlineMs = DEADLINE_MS,
): Promise<DownloadResult> {
  const first = checkAddress(url, rules);
  if (!first.ok) return fault("callback_refused", first.detail);
  const deadline = startDeadline(deadlineMs, now);
  try {
    let address = first.url;
    for (let redirects = 0; ; redirects += 1) {
      let response: Response;
      try {
        response = await fetch(address.href, {
          redirect: "manual",
          cache: "no-store",
          // Uncompressed answers have a known length, and their bytes are the file's own.
          headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "endurance-partner-api" },
          signal: deadline.signal,
        });
      } catch {
        return deadline.signal.aborted
          ? timedOut()
          : fault("callback_unreachable", "The host could not be reached.", { again: true });
      }
      const httpStatus = response.status;
      if (httpStatus === 200) return await readBody(response, deadline);
      discard(response);
      if (!REDIRECTS.has(httpStatus)) return statusFault(response, now());

      const location = response.headers.get("location");
      const target = location === null ? null : URL.parse(location, address.href);
      if (target === null) {
        return fault("callback_unreachable", `The host answered ${httpStatus} without a usable Location.`, {
          httpStatus,
        });
      }
      if (redirects === MAX_REDIRECTS) {
        return fault("callback_unreachable", `The host redirected more than ${MAX_REDIRECTS} times.`, {
          httpStatus,
        });
      }
      const hop = checkAddress(target.href, rules);
      if (!hop.ok) {
        return fault("callback_refused", `A redirect leads to a forbidden address. ${hop.detail}`, {
          httpStatus,
        });
      }
      address = hop.url;
    }
  } finally {
    deadline.stop();
  }
}
