import { activitiesOf } from "./activities.ts";
import { hasMarker, viewOf } from "./frame.ts";
import { legsOf } from "./legs.ts";
import { describeNotFit } from "./sniff.ts";
import { ANSWER_CELLS, cellsOf, streamsOf, type BeforeAllocating } from "./streams.ts";
import { survey } from "./survey.ts";
import {
  FIT_WARNINGS,
  type DecodeOptions,
  type DecodeResult,
  type Streams,
  type StreamsOptions,
} from "./types.ts";
import { Work } from "./work.ts";

export * from "./types.ts";
export type { Quantities } from "./quantities.ts";
export { ANSWER_CELLS, describeNotFit };

/** To be raised with every change that makes other activities of the same bytes: stored files can be decoded again. */
export const DECODER_VERSION = 1;

/** Whether bytes begin like a FIT file; the rest may still be damaged. */
export function looksLikeFit(bytes: Uint8Array): boolean {
  return hasMarker(bytes, 0);
}

/**
 * The activities of a FIT file, already unwrapped from gzip or zip: one a session, in file order. Damage
 * costs only what it hit and is told in `warnings`. Never throws, whatever the bytes.
 */
export function decodeActivities(bytes: Uint8Array, options: DecodeOptions): DecodeResult {
  if (!looksLikeFit(bytes)) return { ok: false, problem: { code: "not_fit", detail: describeNotFit(bytes) } };
  const view = viewOf(bytes);
  const { parts, hasOtherFileType, warnings } = survey(view, new Work());
  if (parts.length === 0) {
    return hasOtherFileType
      ? {
          ok: false,
          problem: {
            code: "not_an_activity",
            detail:
              "The FIT file is of another type, such as a course, workout or settings, and holds no session.",
          },
        }
      : {
          ok: false,
          problem: { code: "no_activity_data", detail: "The FIT file holds neither a session nor a record." },
        };
  }
  const { fallbackStartInSeconds } = options;
  const activities = parts.flatMap((part) =>
    activitiesOf(view, legsOf(part, fallbackStartInSeconds), fallbackStartInSeconds, warnings),
  );
  activities.forEach((activity, index) => {
    activity.session_index = index;
    activity.session_count = activities.length;
  });
  return { ok: true, warnings: FIT_WARNINGS.filter((warning) => warnings.has(warning)), activities };
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

/**
 * The streams of every activity of the same bytes, with all their keys, in the activities' order. Together they
 * hold no more numbers than the streams of one activity may; beyond that all are thinned.
 */
export function decodeAllStreams(
  bytes: Uint8Array,
  options: DecodeOptions,
  beforeAllocating: BeforeAllocating = () => undefined,
): Streams[] {
  if (!looksLikeFit(bytes)) return [];
  const view = viewOf(bytes);
  const parts = survey(view, new Work()).parts.map((part) => legsOf(part, options.fallbackStartInSeconds));
  const cells = parts.reduce((sum, part) => sum + cellsOf(part), 0);
  return parts.flatMap((part) => {
    const share = cells > 0 ? cellsOf(part) / cells : 1;
    const legs = Array.from(part.legs.keys());
    return streamsOf(view, part, legs, { keys: null, resolution: null }, beforeAllocating, share);
  });
}
