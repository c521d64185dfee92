/** A longer time between two records is a gap. Smart recording mostly stays below it. */
export const GAP_SECONDS = 10;
/** A larger step of the clock, forward or back, starts a new run. */
export const CLOCK_JUMP_SECONDS = 60;
/** Maximum number of runs. A file with more is not repaired. */
const MAX_RUNS = 2_000;
/** A clock that is wrong for fewer records than this was wrong by accident: those records are no restart. */
const SHORT_RUN = 10;
/** Longest plausible pause between records, and between the end of the last session and a record. */
export const LONGEST_PAUSE_SECONDS = 86_400;

/** Timestamps of two records that follow each other. */
export interface RecordGap {
  readonly from: number;
  readonly to: number;
}

/** Records whose timestamps never step by more than `CLOCK_JUMP_SECONDS`. */
export interface RecordRun {
  readonly first: number;
  last: number;
  count: number;
}

/** Where the records of a run belong on the timeline. */
export interface RunPlacement {
  /** Seconds to add to their times. */
  readonly shift: number;
  /** Latest time that they may have: where the original timeline goes on. */
  readonly latest: number;
  /** Whether their time is unknown. They get the time of the row before them. */
  readonly isOutlier: boolean;
}

/** Runs of a chained file's records, in file order. The first pass adds timestamps. */
export class RecordRuns {
  readonly runs: RecordRun[] = [];
  private current: RecordRun | null = null;
  private previous = NaN;

  add(timestamp: number): void {
    const { current } = this;
    const step = timestamp - this.previous;
    this.previous = timestamp;
    if (current === null || isNewRun(step)) {
      this.current = { first: timestamp, last: timestamp, count: 1 };
      if (this.runs.length <= MAX_RUNS) this.runs.push(this.current);
      return;
    }
    if (timestamp > current.last) current.last = timestamp;
    current.count++;
  }

  get areTooMany(): boolean {
    return this.runs.length > MAX_RUNS;
  }
}

export function isNewRun(step: number): boolean {
  return step > CLOCK_JUMP_SECONDS || step < -CLOCK_JUMP_SECONDS;
}

const IN_PLACE: RunPlacement = { shift: 0, latest: Infinity, isOutlier: false };

/**
 * Places runs on the timeline. `end` is the end of the last session, or Infinity when a duration is unknown. Runs stay where
 * they are unless the clock was wrong. A few records far from their neighbours are outliers. A longer run that steps back,
 * or that leaps far over the end, has a clock of its own and continues after the run before it.
 */
export function placeRuns(
  { runs, areTooMany }: RecordRuns,
  place: (timestamp: number) => number,
  end: number,
): RunPlacement[] {
  const placed = runs.map(({ first, last, count }) => ({ first: place(first), last: place(last), count }));
  if (areTooMany || placed.every((run, i) => isUsual(run, placed[i - 1], end))) return [];
  const placements: RunPlacement[] = [];
  /** End of the timeline so far, and the shift and end of the run before on its own clock. */
  let reached = NaN;
  let shift = 0;
  let previousLast = NaN;
  placed.forEach((run, i) => {
    const placement = placementOf(run, i);
    placements.push(placement);
    if (placement.isOutlier) return;
    ({ shift } = placement);
    previousLast = run.last;
    const last = Math.min(run.last + shift, placement.latest);
    reached = Number.isNaN(reached) ? last : Math.max(reached, last);
  });
  return placements;

  function placementOf(run: RecordRun, i: number): RunPlacement {
    const isShort = run.count < SHORT_RUN;
    const resumes = (from: number) =>
      placed.some((later, j) => j > i && later.first >= from && later.first < run.first - CLOCK_JUMP_SECONDS);
    if (Number.isNaN(reached)) {
      const isOutlier =
        isShort && placed.some((later, j) => j > i && later.first < run.first - CLOCK_JUMP_SECONDS);
      return { ...IN_PLACE, isOutlier };
    }
    if (run.first >= reached - CLOCK_JUMP_SECONDS) {
      const isFar = Number.isFinite(end)
        ? run.first > end + LONGEST_PAUSE_SECONDS
        : run.first - reached > LONGEST_PAUSE_SECONDS;
      if (isShort && (isFar || resumes(reached))) return { ...IN_PLACE, isOutlier: true };
      return isFar && Number.isFinite(end) ? continued(run, i) : IN_PLACE;
    }
    const ownClock = run.first + shift;
    if (shift !== 0 && run.first >= previousLast && ownClock >= reached - CLOCK_JUMP_SECONDS) {
      return { ...IN_PLACE, shift, latest: resumption(i) };
    }
    // Rows of a short step back get the time that was reached before.
    const behind = Math.min(
      run.count,
      ((reached - run.first) / Math.max(1, run.last - run.first)) * run.count,
    );
    return isShort || behind < SHORT_RUN ? IN_PLACE : continued(run, i);
  }

  function continued(run: RecordRun, i: number): RunPlacement {
    return { shift: reached - run.first, latest: resumption(i), isOutlier: false };
  }

  /** Returns where a later run continues the timeline before run `i`, Infinity when none does. */
  function resumption(i: number): number {
    const next = placed.find(
      ({ first, count }, j) => j > i && count >= SHORT_RUN && first >= reached && first <= end,
    );
    return next?.first ?? Infinity;
  }
}

function isUsual(run: RecordRun, before: RecordRun | undefined, end: number): boolean {
  if (run.first > end + LONGEST_PAUSE_SECONDS) return false;
  return (
    before === undefined ||
    (run.first >= before.last - CLOCK_JUMP_SECONDS &&
      (Number.isFinite(end) || run.first - before.last <= LONGEST_PAUSE_SECONDS))
  );
}
