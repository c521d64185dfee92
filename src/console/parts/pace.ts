import { useRef } from "preact/hooks";
import type { Import } from "../../imports/import.ts";

/** The pace is measured over this time. */
const WINDOW_MS = 60_000;
/** A shorter measurement says little. */
const SHORTEST_MS = 4_000;
/** Without a settled file for this time, no pace is shown. */
const STALLED_MS = 30_000;

export interface Pace {
  /** Null while it is unknown. */
  filesPerSecond: number | null;
  /** How long no file has been settled, in milliseconds, if that is long. Else null. */
  stalledForMs: number | null;
}

interface Sample {
  atMs: number;
  settled: number;
}

/** Returns how many files are settled. */
export function settledOf({ files: { total, pending } }: Import): number {
  return total - pending;
}

/** Measures the pace of a running import from the counts that this page reads. Before that, takes the pace since its task. */
export function usePace(row: Import): Pace {
  const samples = useRef<Sample[]>([]);
  const nowMs = Date.now();
  const settled = settledOf(row);
  const last = samples.current.at(-1);
  if (last === undefined || last.settled !== settled || nowMs - last.atMs > 1_000)
    samples.current = [
      ...samples.current.filter(({ atMs }) => nowMs - atMs <= WINDOW_MS),
      { atMs: nowMs, settled },
    ];
  return paceOf(samples.current, { settled, nowMs, requestedMs: Date.parse(row.requested_at) });
}

export function paceOf(
  samples: readonly Sample[],
  { settled, nowMs, requestedMs }: { settled: number; nowMs: number; requestedMs: number },
): Pace {
  const [first = { atMs: nowMs, settled }] = samples;
  const unchangedSince = samples.find((sample) => sample.settled === settled)?.atMs ?? nowMs;
  if (nowMs - unchangedSince >= STALLED_MS)
    return { filesPerSecond: null, stalledForMs: nowMs - unchangedSince };
  const watchedMs = nowMs - first.atMs;
  if (watchedMs >= SHORTEST_MS && settled > first.settled)
    return { filesPerSecond: ((settled - first.settled) * 1_000) / watchedMs, stalledForMs: null };
  const elapsedMs = nowMs - requestedMs;
  const isKnown = settled > 0 && elapsedMs >= SHORTEST_MS;
  return { filesPerSecond: isKnown ? (settled * 1_000) / elapsedMs : null, stalledForMs: null };
}
