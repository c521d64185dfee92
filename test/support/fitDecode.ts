import {
  decodeActivities,
  decodeRrIntervals,
  decodeStreams,
  type DecodedActivity,
  type FitProblemCode,
  type FitWarning,
  type RrIntervals,
  type Streams,
} from "../../src/fit/index.ts";

export interface Decoded {
  warnings: FitWarning[];
  activities: DecodedActivity[];
}

/** Returns the activities of a file. Throws if it has none. */
export function decode(bytes: Uint8Array, fallbackStartInSeconds: number | null = null): Decoded {
  const result = decodeActivities(bytes, { fallbackStartInSeconds });
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.detail}`);
  return result;
}

/** Returns the one activity of a file. Throws if it has several. */
export function decodeOne(bytes: Uint8Array, fallbackStartInSeconds: number | null = null): DecodedActivity {
  const { activities } = decode(bytes, fallbackStartInSeconds);
  const [activity] = activities;
  if (activity === undefined || activities.length > 1) throw new Error(`${activities.length} activities`);
  return activity;
}

export function problemOf(bytes: Uint8Array): FitProblemCode | null {
  const result = decodeActivities(bytes, { fallbackStartInSeconds: null });
  return result.ok ? null : result.problem.code;
}

export interface StreamsRequest {
  sessionIndex?: number;
  keys?: readonly string[];
  resolution?: number;
  fallbackStartInSeconds?: number;
}

export function columnsOf(bytes: Uint8Array, request: StreamsRequest = {}): Streams["columns"] {
  return streamsOf(bytes, request).columns;
}

export function streamsOf(bytes: Uint8Array, request: StreamsRequest = {}): Streams {
  const streams = decodeStreams(bytes, {
    sessionIndex: request.sessionIndex ?? 0,
    keys: request.keys ?? null,
    resolution: request.resolution ?? null,
    fallbackStartInSeconds: request.fallbackStartInSeconds ?? null,
  });
  if (streams === null) throw new Error("no such session");
  return streams;
}

/** Returns the beat-to-beat intervals of a session. Throws without that session. */
export function rrOf(bytes: Uint8Array, sessionIndex = 0, most = 1_000_000): RrIntervals {
  const intervals = decodeRrIntervals(bytes, { sessionIndex, most, fallbackStartInSeconds: null });
  if (intervals === null) throw new Error("no such session");
  return intervals;
}
