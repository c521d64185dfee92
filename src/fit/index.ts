import { activitiesOf } from "./activities.ts";
import { hasMarker, viewOf } from "./frame.ts";
import { legsOf } from "./legs.ts";
import { describeNotFit } from "./sniff.ts";
import { ANSWER_CELLS, cellsOf, streamsOf, type BeforeAllocating } from "./streams.ts";
import { survey, type Survey } from "./survey.ts";
import {
  FIT_WARNINGS,
  type DecodeOptions,
  type DecodeResult,
  type Streams,
  type StreamsOptions,
} from "./types.ts";
import { FILE_UNITS, UNITS_WITH_STREAMS, Work } from "./work.ts";

export * from "./types.ts";
export type { Quantities } from "./quantities.ts";
export { ANSWER_CELLS, describeNotFit };

/** To be raised with every change that makes other activities of the same bytes: stored files can be decoded again. */
export const DECODER_VERSION = 1;

/** Whether bytes begin like a FIT file; the rest may still be damaged. */
export function looksLikeFit(bytes: Uint8Array): boolean {
  return hasMarker(bytes, 0);
}

type Surveyed =
  | { ok: true; view: DataView; survey: Survey; usedUnits: number }
  | { ok: false; problem: Extract<DecodeResult, { ok: false }>["problem"] };

function surveyed(bytes: Uint8Array): Surveyed {
  if (!looksLikeFit(bytes)) return { ok: false, problem: { code: "not_fit", detail: describeNotFit(bytes) } };
  const view = viewOf(bytes);
  const work = new Work();
  const found = survey(view, work);
  if (found.parts.length > 0) {
    return { ok: true, view, survey: found, usedUnits: FILE_UNITS - work.left };
  }
  const problem = found.hasOtherFileType
    ? {
        code: "not_an_activity" as const,
        detail:
          "The FIT file is of another type, such as a course, workout or settings, and holds no session.",
      }
    : {
        code: "no_activity_data" as const,
        detail: "The FIT file holds neither a session nor a record.",
      };
  return { ok: false, problem };
}

/**
 * The activities of a FIT file, already unwrapped from gzip or zip: one a session, in file order. Damage
 * costs only what it hit and is told in `warnings`. Never throws, whatever the bytes.
 */
export function decodeActivities(bytes: Uint8Array, options: DecodeOptions): DecodeResult {
  const found = surveyed(bytes);
  return found.ok ? activitiesIn(found, options) : found;
}

function activitiesIn(
  { view, survey: { parts, warnings } }: Extract<Surveyed, { ok: true }>,
  { fallbackStartInSeconds }: DecodeOptions,
): Extract<DecodeResult, { ok: true }> {
  const activities = parts.flatMap((part) =>
    activitiesOf(view, legsOf(part, fallbackStartInSeconds), fallbackStartInSeconds, warnings),
  );
  activities.forEach((activity, index) => {
    activity.session_index = index;
    activity.session_count = activities.length;
  });
  return { ok: true, warnings: FIT_WARNINGS.filter((warning) => warnings.has(warning)), activities };
}

/** As `decodeActivities`, with the streams of each activity; null streams: the file is too large for both at once. */
export type DecodeResultWithStreams =
  | Extract<DecodeResult, { ok: false }>
  | (Extract<DecodeResult, { ok: true }> & { streams: Streams[] | null });

/**
 * The activities and the streams of each with all their keys, in one order. All streams together hold no more
 * numbers than the streams of one activity may; beyond that all are thinned.
 */
export function decodeWithStreams(
  bytes: Uint8Array,
  options: DecodeOptions,
  beforeAllocating: BeforeAllocating = () => undefined,
): DecodeResultWithStreams {
  const found = surveyed(bytes);
  if (!found.ok) return found;
  const decoded = activitiesIn(found, options);
  if (found.usedUnits > UNITS_WITH_STREAMS) return { ...decoded, streams: null };
  const parts = found.survey.parts.map((part) => legsOf(part, options.fallbackStartInSeconds));
  const cells = parts.reduce((sum, part) => sum + cellsOf(part), 0);
  const streams = parts.flatMap((part) => {
    const share = cells > 0 ? cellsOf(part) / cells : 1;
    const legs = Array.from(part.legs.keys());
    return streamsOf(found.view, part, legs, { keys: null, resolution: null }, beforeAllocating, share);
  });
  return { ...decoded, streams };
}

/**
 * The streams of one activity of the same bytes, decoded anew: columns of equal length, null where there
 * is no reading. null when the file has no such session.
 */
export function decodeStreams(
  bytes: Uint8Array,
  options: StreamsOptions,
  beforeAllocating: BeforeAllocating = () => undefined,
): Streams | null {
  if (!looksLikeFit(bytes)) return null;
  const view = viewOf(bytes);
  let first = 0;
  for (const part of survey(view, new Work()).parts) {
    const partLegs = legsOf(part, options.fallbackStartInSeconds);
    const leg = options.sessionIndex - first;
    if (partLegs.legs[leg] !== undefined) {
      return streamsOf(view, partLegs, [leg], options, beforeAllocating)[0] ?? null;
    }
    first += partLegs.legs.length;
  }
  return null;
}
