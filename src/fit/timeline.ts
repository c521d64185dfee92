import { CLOCK_JUMP_SECONDS, isNewRun, LONGEST_PAUSE_SECONDS } from "./recordRuns.ts";
import { windowFinder, type SessionWindow, type SessionWindows } from "./sessionWindows.ts";

/**
 * Finds the session and the time of each record, in file order: seconds since that session's start, which never decrease
 * within it. The result of the last call is in the fields.
 */
export class Timeline {
  session = 0;
  /** NaN for a record without a time. */
  time = NaN;
  clockJumped: boolean;
  private readonly windows: readonly SessionWindow[];
  private readonly clock: SessionWindows["clock"];
  private readonly placements: SessionWindows["placements"];
  private readonly isRepaired: boolean;
  private readonly findWindow: (time: number) => number;
  /** For each session: the recorded time of its last record, and the time given to it. */
  private readonly recorded: number[];
  private readonly reported: number[];
  private run = 0;
  private previous = NaN;

  constructor({ windows, clock, placements }: SessionWindows) {
    this.windows = windows;
    this.clock = clock;
    this.placements = placements;
    this.isRepaired = placements.length > 0;
    this.findWindow = windowFinder(windows);
    this.recorded = windows.map(() => NaN);
    this.reported = windows.map(() => 0);
    this.clockJumped = placements.some(({ shift, isOutlier }) => shift !== 0 || isOutlier);
  }

  /** Places a record by its timestamp, -1 for none. */
  place(timestamp: number): void {
    let placed = timestamp < 0 ? NaN : this.clock.place(timestamp);
    let isOutlier = false;
    if (this.isRepaired && timestamp >= 0) {
      if (isNewRun(timestamp - this.previous)) this.run++;
      this.previous = timestamp;
      const placement = this.placements[this.run];
      if (placement !== undefined) {
        placed = Math.min(placed + placement.shift, placement.latest);
        ({ isOutlier } = placement);
      }
    }
    if (!isOutlier) this.session = this.findWindow(placed);
    const { session } = this;
    const window = this.windows[session];
    let time = window === undefined ? NaN : placed - window.start;
    if (window !== undefined && !Number.isNaN(time)) {
      if (!isOutlier) {
        const step = time - (this.recorded[session] ?? NaN);
        const isAhead =
          window.elapsed === undefined
            ? step > LONGEST_PAUSE_SECONDS
            : step > CLOCK_JUMP_SECONDS && time > window.elapsed + CLOCK_JUMP_SECONDS;
        this.clockJumped ||= isAhead || step < -CLOCK_JUMP_SECONDS;
        this.recorded[session] = time;
      }
      const last = this.reported[session] ?? 0;
      time = isOutlier || time < last ? last : time;
      this.reported[session] = time;
    }
    this.time = time;
  }
}
