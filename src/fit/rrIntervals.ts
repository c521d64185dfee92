import { pausedSeconds, pausesOf, type Pause } from "./pauses.ts";
import { countArtefacts, LONGEST_SECONDS } from "./rrArtefacts.ts";
import { DISTRUSTED_BEAT, GAP, type RrEntries } from "./rrMessages.ts";
import { walkRr, type RrVisitor } from "./rrWalk.ts";
import type { SessionWindow, SessionWindows } from "./sessionWindows.ts";
import { ANSWER_CELL_BYTES, type BeforeAllocating } from "./streams.ts";
import { RR_SOURCES, type RrIntervals } from "./types.ts";
import { rounded } from "./values.ts";

/**
 * Intervals before the first record that take longer than this were not measured while waiting for the start: the writer
 * put all intervals first.
 */
const LONGEST_WAIT_SECONDS = 60;
/** Bytes of an interval while it is placed: its length, its time and a flag. */
const PLACED_BYTES = 17;
const TIME_DECIMALS = 3;
const SHARE_DECIMALS = 3;

/** Returns whether each session has intervals. */
export function sessionsWithRr(view: DataView, sessionWindows: SessionWindows): boolean[] {
  const { windows, chained } = sessionWindows;
  if (chained.rr.counts.every((count) => count === 0)) return windows.map(() => false);
  if (windows.length === 1) return [true];
  const counts = countsOf(view, sessionWindows);
  return windows.map((_, session) => counts.ofSession(session).some((count) => count > 0));
}

/**
 * Decodes the intervals of some sessions of a chained file, at most `most` together. Each session has those of one kind of
 * message: the kind with the most intervals.
 */
export function rrIntervalsOf(
  view: DataView,
  sessionWindows: SessionWindows,
  sessionIndexes: readonly number[],
  most: number,
  beforeAllocating: BeforeAllocating,
): RrIntervals[] {
  const { windows, chained, clock } = sessionWindows;
  const counts = chained.rr.counts.some((count) => count > 0) ? countsOf(view, sessionWindows) : null;
  let left = most;
  const wanted = sessionIndexes.map((session) => {
    const ofSession = counts?.ofSession(session) ?? [0];
    const count = Math.max(...ofSession);
    const capacity = Math.min(count, left);
    left -= capacity;
    return { session, source: count > 0 ? ofSession.indexOf(count) : null, count, capacity };
  });
  beforeAllocating((PLACED_BYTES + 2 * ANSWER_CELL_BYTES) * (most - left));
  const series = wanted.map(({ source, capacity }) =>
    source === null || counts === null
      ? null
      : new Series(source, capacity, counts.timestampsAreStarts(source)),
  );
  const seriesOf = windows.map((_, session) => series[sessionIndexes.indexOf(session)] ?? null);
  const placer = new Placer(windows, seriesOf, counts?.firstSession ?? 0);
  if (series.some((one) => one !== null)) walkRr(view, sessionWindows, placer);
  placer.finish();
  return wanted.map(({ session, source, count, capacity }, i) => {
    const window = windows[session];
    const placed = series[i] ?? null;
    const pauses = window === undefined ? [] : pausesOf(chained, clock, window);
    const duration =
      window === undefined
        ? { timer: NaN, until: NaN }
        : durationOf(window, pauses, placer.lastTimeOf(session));
    return {
      source: source === null ? null : (RR_SOURCES[source] ?? null),
      coverage: coverageOf(placed, pauses, duration),
      artefact_share:
        placed === null || placed.count === 0
          ? null
          : rounded(
              countArtefacts(placed.lengths.subarray(0, placed.count), placed.isDistrusted) / placed.count,
              SHARE_DECIMALS,
            ),
      truncated: count > capacity,
      time_in_seconds: listOf(placed?.times, placed?.count),
      intervals_in_seconds: listOf(placed?.lengths, placed?.count),
    };
  });
}

function listOf(numbers: Float64Array | undefined, count = 0): number[] {
  return Array.from(numbers?.subarray(0, count) ?? [], (number) => rounded(number, TIME_DECIMALS) ?? 0);
}

/** Numbers of intervals by session and source, and how the messages' timestamps are meant. */
class Counts implements RrVisitor {
  firstSession = -1;
  private readonly counts: readonly Float64Array[];
  /** Intervals before the first record with a time, by source. */
  private readonly early = new Float64Array(RR_SOURCES.length);
  /** By source: end of the last message with a timestamp when that is its start or its end, and the sums of the errors. */
  private readonly previous = RR_SOURCES.map(() => ({ time: NaN, seconds: 0, asStart: 0, asEnd: 0 }));

  constructor(sessions: number) {
    this.counts = Array.from({ length: sessions }, () => new Float64Array(RR_SOURCES.length));
  }

  ofSession(session: number): number[] {
    return Array.from(this.counts[session] ?? []);
  }

  /**
   * The profile does not say whether the timestamp of a message is the start of its first interval or the end of its last.
   * Messages mostly continue each other, which shows it. Without a difference it is the end.
   */
  timestampsAreStarts(source: number): boolean {
    const { asStart = 0, asEnd = 0 } = this.previous[source] ?? {};
    return asStart < asEnd;
  }

  onRecord(session: number): void {
    if (this.firstSession < 0) this.assignEarly(session);
  }

  onIntervals(source: number, session: number, ownTime: number, entries: RrEntries): void {
    const counts = session < 0 ? this.early : this.counts[session];
    let seconds = 0;
    for (let i = 0; i < entries.count; i++) {
      seconds += entries.seconds[i] ?? 0;
      if (entries.kinds[i] !== GAP && counts !== undefined) counts[source] = (counts[source] ?? 0) + 1;
    }
    const previous = this.previous[source];
    if (previous === undefined || Number.isNaN(ownTime)) return;
    const step = ownTime - previous.time;
    if (step > 0) {
      previous.asStart += Math.min(Math.abs(step - previous.seconds), LONGEST_WAIT_SECONDS);
      previous.asEnd += Math.min(Math.abs(step - seconds), LONGEST_WAIT_SECONDS);
    }
    previous.time = ownTime;
    previous.seconds = seconds;
  }

  /** Gives the intervals before the first record to its session. */
  assignEarly(session: number): void {
    this.firstSession = session;
    const counts = this.counts[session];
    this.early.forEach((count, source) => {
      if (counts !== undefined) counts[source] = (counts[source] ?? 0) + count;
    });
  }
}

function countsOf(view: DataView, sessionWindows: SessionWindows): Counts {
  const counts = new Counts(sessionWindows.windows.length);
  walkRr(view, sessionWindows, counts);
  if (counts.firstSession < 0) counts.assignEarly(0);
  return counts;
}

/** The intervals of a session, in file order. */
class Series {
  count = 0;
  readonly lengths: Float64Array;
  /** Time of the beat at the end of each interval, in seconds since the session's start. */
  readonly times: Float64Array;
  readonly isDistrusted: Uint8Array;
  readonly source: number;
  readonly timestampsAreStarts: boolean;
  /** Where the intervals end that are placed; NaN before the first. */
  end = NaN;
  /** The intervals from here on are not placed yet. Their times are sums from the first of them. */
  firstOpen = 0;
  openSeconds = 0;
  /** Seconds of the first message among them. */
  firstMessageSeconds = NaN;

  constructor(source: number, capacity: number, timestampsAreStarts: boolean) {
    this.source = source;
    this.timestampsAreStarts = timestampsAreStarts;
    this.lengths = new Float64Array(capacity);
    this.times = new Float64Array(capacity);
    this.isDistrusted = new Uint8Array(capacity);
  }

  add({ count, seconds, kinds }: RrEntries): void {
    let sum = this.openSeconds;
    for (let i = 0; i < count; i++) {
      const length = seconds[i] ?? 0;
      sum += length;
      if (kinds[i] === GAP || this.count === this.lengths.length) continue;
      this.lengths[this.count] = length;
      this.times[this.count] = sum;
      this.isDistrusted[this.count] = kinds[i] === DISTRUSTED_BEAT ? 1 : 0;
      this.count++;
    }
    if (Number.isNaN(this.firstMessageSeconds)) this.firstMessageSeconds = sum - this.openSeconds;
    this.openSeconds = sum;
  }

  /** Places the open intervals so that the last one ends at `end`. No beat is before the start or the beat before. */
  place(end: number): void {
    const base = end - this.openSeconds;
    let previous = this.firstOpen > 0 ? (this.times[this.firstOpen - 1] ?? 0) : 0;
    for (let i = this.firstOpen; i < this.count; i++) {
      previous = Math.max(previous, base + (this.times[i] ?? 0));
      this.times[i] = previous;
    }
    this.end = Math.max(end, previous);
    this.firstOpen = this.count;
    this.openSeconds = 0;
    this.firstMessageSeconds = NaN;
  }
}

/**
 * Places intervals by the records around them. The intervals between two records continue those before, but their last
 * beat lies between the times of the two. So a time without intervals shifts nothing, and errors of intervals do not add up.
 */
class Placer implements RrVisitor {
  private readonly windows: readonly SessionWindow[];
  private readonly seriesOf: readonly (Series | null)[];
  private readonly firstSession: number;
  /** Session and time of the record before; -1 and NaN for none. */
  private session = -1;
  private time = NaN;
  private readonly lastTimes: number[];

  constructor(windows: readonly SessionWindow[], seriesOf: readonly (Series | null)[], firstSession: number) {
    this.windows = windows;
    this.seriesOf = seriesOf;
    this.firstSession = firstSession;
    this.lastTimes = seriesOf.map(() => NaN);
  }

  /** Returns the time of a session's last record; NaN without records. */
  lastTimeOf(session: number): number {
    return this.lastTimes[session] ?? NaN;
  }

  onRecord(session: number, time: number): void {
    this.close(session === this.session || this.session < 0 ? time : NaN);
    this.session = session;
    this.time = time;
    this.lastTimes[session] = time;
  }

  onIntervals(source: number, session: number, ownTime: number, entries: RrEntries): void {
    const series = this.seriesOf[session < 0 ? Math.max(0, this.firstSession) : session] ?? null;
    if (series === null || series.source !== source) return;
    if (Number.isNaN(ownTime)) return series.add(entries);
    if (series.openSeconds > 0) this.placeOpen(series, ownTime);
    series.add(entries);
    series.place(series.timestampsAreStarts ? ownTime + series.openSeconds : ownTime);
  }

  finish(): void {
    this.close(NaN);
  }

  /** Places the open intervals before a record. */
  private close(next: number): void {
    const series = this.seriesOf[this.session < 0 ? Math.max(0, this.firstSession) : this.session] ?? null;
    if (series !== null && series.openSeconds > 0) this.placeOpen(series, next);
  }

  private placeOpen(series: Series, next: number): void {
    const { openSeconds, firstMessageSeconds, end } = series;
    if (this.session < 0) {
      const isWait = openSeconds <= LONGEST_WAIT_SECONDS && !Number.isNaN(next);
      return series.place(isWait ? next : openSeconds);
    }
    const latest = Math.max(this.time, Number.isNaN(next) ? this.latestAfterLast() : next);
    const continued = end + openSeconds;
    if (continued >= this.time) return series.place(Math.min(continued, latest));
    // After a time without intervals, and for the first ones: the first message ends at the record before it.
    const further = Number.isNaN(next) ? 0 : openSeconds - firstMessageSeconds;
    series.place(Math.min(this.time + further, latest));
  }

  /** Returns the latest time of a beat after a session's last record: a second later, but not after the session. */
  private latestAfterLast(): number {
    return Math.min(this.time + 1, this.windows[this.session]?.elapsed ?? Infinity);
  }
}

interface Duration {
  readonly timer: number;
  /** End of the session, in seconds since its start. */
  readonly until: number;
}

/** Returns the same timer time as the activity. */
function durationOf(window: SessionWindow, pauses: readonly Pause[], lastRecord: number): Duration {
  const { session, timer } = window;
  const recorded = window.elapsedWasTooShort ? window.elapsed : session.total_elapsed_time;
  const lastTime = Number.isNaN(lastRecord) ? (window.elapsed ?? NaN) : lastRecord;
  const until = recorded ?? Math.max(timer ?? 0, lastTime);
  return { timer: timer ?? Math.max(0, until - pausedSeconds(pauses, until)), until };
}

/**
 * Returns the share of the timer time that the intervals cover; null for an unknown timer time. Each interval covers the
 * time up to its beat, from the beat before at the earliest. Pauses and the time after the end do not count. An interval
 * of more than `LONGEST_SECONDS` contains missed beats and covers nothing.
 */
function coverageOf(
  series: Series | null,
  pauses: readonly Pause[],
  { timer, until }: Duration,
): number | null {
  if (!(timer > 0)) return null;
  let covered = 0;
  let previous = 0;
  let pause = 0;
  for (let i = 0; i < (series?.count ?? 0); i++) {
    const length = series?.lengths[i] ?? 0;
    const to = Math.min(series?.times[i] ?? 0, until);
    const from = Math.max(to - length, previous);
    previous = Math.max(previous, to);
    if (length > LONGEST_SECONDS || !(to > from)) continue;
    while (pause < pauses.length && (pauses[pause]?.to ?? 0) <= from) pause++;
    let seconds = to - from;
    for (let next = pause; next < pauses.length; next++) {
      const paused = pauses[next];
      if (paused === undefined || paused.from >= to) break;
      seconds -= Math.min(paused.to, to) - Math.max(paused.from, from);
    }
    covered += seconds;
  }
  return rounded(Math.min(1, covered / timer), SHARE_DECIMALS);
}
