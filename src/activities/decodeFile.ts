import { unwrap, type Unwrapped } from "../files/unwrap.ts";
import { decodeActivities, type DecodeResult } from "../fit/index.ts";
import { freeBytes } from "../memory/budget.ts";

type DecodedActivities = Extract<DecodeResult, { ok: true }>;
type DecodeProblem = Extract<DecodeResult, { ok: false }>["problem"];
type UnwrapProblem = Extract<Unwrapped, { ok: false }>;

/** Times of a file's ping. `received_at` is in Unix milliseconds. */
export interface PingTimes {
  start_time_in_seconds: string;
  received_at: number;
}

/**
 * Unpacks the bytes of a file and decodes its activities. Every import and every job that decodes again uses the same
 * times of the ping, so that the same bytes give the same start times and warnings. Frees the unpacked bytes.
 */
export function decodeFile(
  bytes: Uint8Array,
  times: PingTimes,
):
  | { ok: true; decoded: DecodedActivities }
  | { ok: false; code: UnwrapProblem["code"] | DecodeProblem["code"]; detail: string } {
  const unwrapped = unwrap(bytes);
  if (!unwrapped.ok) return unwrapped;
  const { fit } = unwrapped;
  const decoded = decodeActivities(fit, {
    fallbackStartInSeconds: Number(times.start_time_in_seconds),
    receivedAtInSeconds: times.received_at / 1000,
  });
  if (fit.buffer !== bytes.buffer) freeBytes(fit);
  return decoded.ok ? { ok: true, decoded } : { ok: false, ...decoded.problem };
}
