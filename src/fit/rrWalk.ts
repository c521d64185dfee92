import { walk, type Definition, type MessageReader } from "./frame.ts";
import { RECORD } from "./profile.ts";
import { compileRr, millisecondsOf, readRr, RrEntries, type RrPlan } from "./rrMessages.ts";
import { windowFinder, type SessionWindows } from "./sessionWindows.ts";
import { Timeline } from "./timeline.ts";
import { WorkBudget } from "./workBudget.ts";

/** A message may be this much earlier or later than sessions and records. Otherwise its clock was wrong. */
const OWN_TIME_TOLERANCE_SECONDS = 60;

export interface RrVisitor {
  /** A record with a time, in seconds since the start of its session. */
  onRecord(session: number, time: number): void;
  /**
   * A message with intervals. `session` is -1 before the first record with a time. `ownTime` is the message's timestamp in
   * seconds since the session's start; NaN for none.
   */
  onIntervals(source: number, session: number, ownTime: number, entries: RrEntries): void;
}

/** Reads the messages with intervals and the times of the records around them, in file order. */
export function walkRr(view: DataView, sessionWindows: SessionWindows, visitor: RrVisitor): void {
  const reader = new RrReader(view, sessionWindows, visitor);
  const { messages, rr } = sessionWindows.chained;
  for (const { start, end } of [messages, ...rr.laterMessages]) {
    walk(view, start, end, reader, WorkBudget.paid());
  }
}

const A_RECORD = "record";

class RrReader implements MessageReader<RrPlan | typeof A_RECORD> {
  private readonly entries = new RrEntries();
  private readonly view: DataView;
  private readonly sessionWindows: SessionWindows;
  private readonly visitor: RrVisitor;
  private readonly timeline: Timeline;
  private readonly findWindow: (time: number) => number;
  private readonly earliest: number;
  private readonly latest: number;
  private lastTimestamp = -1;
  private session = -1;

  constructor(view: DataView, sessionWindows: SessionWindows, visitor: RrVisitor) {
    this.view = view;
    this.sessionWindows = sessionWindows;
    this.visitor = visitor;
    this.timeline = new Timeline(sessionWindows);
    this.findWindow = windowFinder(sessionWindows.windows);
    const { windows, clock, chained, placements } = sessionWindows;
    const ends = [
      ...windows.map(({ end }) => end),
      ...chained.runs.runs.map(({ last }) => clock.place(last)),
    ].filter(Number.isFinite);
    // Records whose clock was wrong say more than the timestamps of a message.
    const isTrusted = placements.length === 0;
    this.earliest = isTrusted
      ? Math.min(...windows.map(({ start }) => start)) - OWN_TIME_TOLERANCE_SECONDS
      : NaN;
    this.latest = ends.reduce((latest, end) => Math.max(latest, end), -Infinity) + OWN_TIME_TOLERANCE_SECONDS;
  }

  define(definition: Definition): RrPlan | typeof A_RECORD | null {
    return definition.globalNumber === RECORD.number ? A_RECORD : compileRr(this.view, definition);
  }

  read(plan: RrPlan | typeof A_RECORD, at: number, timestamp: number): void {
    if (plan === A_RECORD) {
      if (timestamp >= 0 && timestamp !== this.lastTimestamp) this.readRecord(timestamp);
      return;
    }
    readRr(this.view, plan, at, this.entries);
    if (this.entries.count === 0) return;
    const placed =
      plan.source === 0 || timestamp < 0
        ? NaN
        : this.sessionWindows.clock.place(timestamp) + millisecondsOf(this.view, plan, at);
    if (placed >= this.earliest && placed <= this.latest) {
      const session = this.findWindow(placed);
      const start = this.sessionWindows.windows[session]?.start ?? NaN;
      this.visitor.onIntervals(plan.source, session, placed - start, this.entries);
    } else this.visitor.onIntervals(plan.source, this.session, NaN, this.entries);
  }

  private readRecord(timestamp: number): void {
    const { timeline } = this;
    this.lastTimestamp = timestamp;
    timeline.place(timestamp);
    if (Number.isNaN(timeline.time)) return;
    this.session = timeline.session;
    this.visitor.onRecord(timeline.session, timeline.time);
  }
}
