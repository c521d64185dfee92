import { activitiesOf, partsOf } from "./activities.ts";
import { FIT_EPOCH } from "./clock.ts";
import { hasMarker, viewOf } from "./frame.ts";
import { sessionWindowsOf, type SessionWindows } from "./sessionWindows.ts";
import { describeNotFit } from "./sniff.ts";
import { ANSWER_CELLS, cellsOf, streamsOf, type BeforeAllocating } from "./streams.ts";
import { rrIntervalsOf } from "./rrIntervals.ts";
import { MAX_SESSIONS, readFirstPass, type FirstPass } from "./firstPass.ts";
import { SPORT_NAMES, SUB_SPORT_NAMES } from "./names.ts";
import {
  FIT_WARNINGS,
  type ActivityParts,
  type DecodedActivity,
  type DecodeOptions,
  type DecodeResult,
  type RrIntervals,
  type RrOptions,
  type Streams,
  type StreamsOptions,
} from "./types.ts";
import { FILE_UNITS, UNITS_WITH_STREAMS, WorkBudget } from "./workBudget.ts";

export * from "./types.ts";
export type { Quantities } from "./quantities.ts";
export { localDateOf } from "./localTime.ts";
export { ANSWER_CELLS, describeNotFit, MAX_SESSIONS, SPORT_NAMES, SUB_SPORT_NAMES };

/** Raise it with every change that decodes other activities from the same bytes. `npm run redecode` then updates stored files. */
export const DECODER_VERSION = 6;

/** Returns whether bytes begin like a FIT file. The rest may still be damaged. */
export function looksLikeFit(bytes: Uint8Array): boolean {
  return hasMarker(bytes, 0);
}

type FirstPassResult =
  | { ok: true; view: DataView; firstPass: FirstPass; usedUnits: number }
  | { ok: false; problem: Extract<DecodeResult, { ok: false }>["problem"] };

function firstPassOf(bytes: Uint8Array): FirstPassResult {
  if (!looksLikeFit(bytes)) return { ok: false, problem: { code: "not_fit", detail: describeNotFit(bytes) } };
  const view = viewOf(bytes);
  const work = new WorkBudget();
  const found = readFirstPass(view, work);
  if (found.chainedFiles.length > 0) {
    return { ok: true, view, firstPass: found, usedUnits: FILE_UNITS - work.left };
  }
  const problem = found.hasOtherFileType
    ? {
        code: "not_an_activity" as const,
        detail:
          "The FIT file is of another type, such as a course, workout or settings, and contains no session.",
      }
    : {
        code: "no_activity_data" as const,
        detail: "The FIT file contains neither a session nor a record.",
      };
  return { ok: false, problem };
}

/**
 * Decodes the activities of a FIT file that is already unwrapped from gzip or zip: one per session, in file order.
 * Keeps everything outside damaged places and lists the damage in `warnings`. Never throws.
 */
export function decodeActivities(bytes: Uint8Array, options: DecodeOptions): DecodeResult {
  const found = firstPassOf(bytes);
  return found.ok ? activitiesIn(found, options) : found;
}

function activitiesIn(
  { view, firstPass: { chainedFiles, warnings } }: Extract<FirstPassResult, { ok: true }>,
  options: DecodeOptions,
): Extract<DecodeResult, { ok: true }> {
  const fallbackStartInSeconds = fallbackOf(options);
  const activities = chainedFiles.flatMap((chained) =>
    activitiesOf(view, sessionWindowsOf(chained, fallbackStartInSeconds), fallbackStartInSeconds, warnings),
  );
  activities.forEach((activity, index) => {
    activity.session_index = index;
    activity.session_count = activities.length;
  });
  if (isMismatched(activities, options)) warnings.add("start_time_mismatch");
  return { ok: true, warnings: FIT_WARNINGS.filter((warning) => warnings.has(warning)), activities };
}

/** Returns the ping's start. An earlier time than FIT's first second, such as 0, means that the partner does not know it. */
function fallbackOf({ fallbackStartInSeconds: start }: DecodeOptions): number | null {
  return start !== null && start > FIT_EPOCH ? start : null;
}

/** Difference between a start and the ping's, and between a start and the time of receipt, that clocks do not explain. */
const START_TOLERANCE_SECONDS = 86_400;
const CLOCK_TOLERANCE_SECONDS = 600;

function isMismatched(activities: readonly DecodedActivity[], options: DecodeOptions): boolean {
  const starts = activities.flatMap(({ start_time_in_seconds: start }) => (start === null ? [] : [start]));
  const [first] = starts;
  if (first === undefined) return false;
  const expected = fallbackOf(options) ?? first;
  const latest = (options.receivedAtInSeconds ?? Infinity) + CLOCK_TOLERANCE_SECONDS;
  return Math.abs(first - expected) > START_TOLERANCE_SECONDS || starts.some((start) => start > latest);
}

/** Streams and beat-to-beat intervals of one activity. */
export interface ActivityData {
  streams: Streams;
  rrIntervals: RrIntervals;
}

/** Activities with the data of each. `data` is null when the file is too large to decode both at once. */
export type DecodeResultWithData =
  | Extract<DecodeResult, { ok: false }>
  | (Extract<DecodeResult, { ok: true }> & { data: ActivityData[] | null });

/**
 * Decodes the activities, and all streams and intervals of each in the same order. The limit of numbers in the streams
 * of one activity holds for all streams together, beyond it all of them are downsampled. `most` is the maximum number of
 * intervals of all activities together.
 */
export function decodeWithData(
  bytes: Uint8Array,
  options: DecodeOptions & Pick<RrOptions, "most">,
  beforeAllocating: BeforeAllocating = () => undefined,
): DecodeResultWithData {
  const found = firstPassOf(bytes);
  if (!found.ok) return found;
  const decoded = activitiesIn(found, options);
  if (found.usedUnits > UNITS_WITH_STREAMS) return { ...decoded, data: null };
  const windowsOfFiles = found.firstPass.chainedFiles.map((chained) =>
    sessionWindowsOf(chained, fallbackOf(options)),
  );
  const cells = windowsOfFiles.reduce((sum, windows) => sum + cellsOf(windows), 0);
  let most = options.most;
  const data = windowsOfFiles.flatMap((windows) => {
    const share = cells > 0 ? cellsOf(windows) / cells : 1;
    const indexes = Array.from(windows.windows.keys());
    const all = { keys: null, resolution: null };
    const streams = streamsOf(found.view, windows, indexes, all, beforeAllocating, share);
    const intervals = rrIntervalsOf(found.view, windows, indexes, most, beforeAllocating);
    for (const { time_in_seconds } of intervals) most -= time_in_seconds.length;
    return streams.flatMap((ofSession, i) => {
      const rrIntervals = intervals[i];
      return rrIntervals === undefined ? [] : [{ streams: ofSession, rrIntervals }];
    });
  });
  return { ...decoded, data };
}

/** Returns the chained file of a session of the file, and the session's index in it. Null for an unknown session. */
function findSession(
  view: DataView,
  options: DecodeOptions & { sessionIndex: number },
): { sessionWindows: SessionWindows; index: number } | null {
  let first = 0;
  for (const chained of readFirstPass(view, new WorkBudget()).chainedFiles) {
    const sessionWindows = sessionWindowsOf(chained, fallbackOf(options));
    const index = options.sessionIndex - first;
    if (sessionWindows.windows[index] !== undefined) return { sessionWindows, index };
    first += sessionWindows.windows.length;
  }
  return null;
}

/**
 * Decodes the parts of one activity that need no records, such as laps. Returns null when the file has no such session.
 */
export function decodeParts(
  bytes: Uint8Array,
  options: DecodeOptions & { sessionIndex: number },
): ActivityParts | null {
  const found = looksLikeFit(bytes) ? findSession(viewOf(bytes), options) : null;
  return found === null ? null : partsOf(found.sessionWindows, found.index);
}

/**
 * Decodes the streams of one activity: columns of equal length, with null where a record has no reading.
 * Returns null when the file has no such session.
 */
export function decodeStreams(
  bytes: Uint8Array,
  options: StreamsOptions,
  beforeAllocating: BeforeAllocating = () => undefined,
): Streams | null {
  if (!looksLikeFit(bytes)) return null;
  const view = viewOf(bytes);
  const found = findSession(view, options);
  if (found === null) return null;
  return streamsOf(view, found.sessionWindows, [found.index], options, beforeAllocating)[0] ?? null;
}

/** Decodes the beat-to-beat intervals of one activity. Returns null when the file has no such session. */
export function decodeRrIntervals(
  bytes: Uint8Array,
  options: RrOptions,
  beforeAllocating: BeforeAllocating = () => undefined,
): RrIntervals | null {
  if (!looksLikeFit(bytes)) return null;
  const view = viewOf(bytes);
  const found = findSession(view, options);
  if (found === null) return null;
  const { sessionWindows, index } = found;
  return rrIntervalsOf(view, sessionWindows, [index], options.most, beforeAllocating)[0] ?? null;
}
