import type { HR, Values } from "./profile.ts";

/** Maximum number of stored readings: 12 days at one per second. */
const MAX_SECONDS = 1 << 20;
const EVENT_UNITS_PER_SECOND = 1024;
const PACKED_MASK = 0xfff;
/** Widths of counters of event times, in bits. Straps exist that count in fewer bits than the field has. */
const COUNTER_BITS = [12, 16, 32] as const;

/** Heart rates that a strap stored and delivered later in `hr` messages: one reading per second. */
export class HeartRates {
  private readonly seconds: number[] = [];
  private readonly rates: number[] = [];
  /** FIT seconds at event time 0, known from the first message with a timestamp. */
  private eventZero = NaN;
  /** Last event time, in 1/1024 s. */
  private lastEvent = NaN;
  /** Added to event times: what the counter lost in roll-overs. */
  private rolledOver = 0;

  /** Adds a message. Its event times are complete, or only their low 12 bits, two in three bytes. */
  add(message: Values<typeof HR>): void {
    const rates = message.filtered_bpm ?? [];
    const full = message.event_timestamp;
    if (full !== undefined) {
      const first = full[0] ?? NaN;
      if (message.timestamp !== undefined && !Number.isNaN(first)) {
        this.rolledOver = 0;
        this.lastEvent = NaN;
        this.eventZero =
          message.timestamp + (message.fractional_timestamp ?? 0) - first / EVENT_UNITS_PER_SECOND;
      }
      full.forEach((event, i) => this.addReading(this.unrolled(event), rates[i]));
      return;
    }
    const packed = message.event_timestamp_12 ?? [];
    for (let i = 0; 3 * (i >> 1) + (i & 1) + 1 < packed.length; i++) {
      const at = 3 * (i >> 1);
      const low = packed[at + (i & 1)] ?? 0;
      const high = packed[at + (i & 1) + 1] ?? 0;
      const event12 = i & 1 ? (low >> 4) | (high << 4) : low | ((high & 0xf) << 8);
      this.addReading(this.lastEvent + ((event12 - (this.lastEvent & PACKED_MASK)) & PACKED_MASK), rates[i]);
    }
  }

  append(later: HeartRates): void {
    later.seconds.forEach((second, i) => this.store(second, later.rates[i] ?? 0));
  }

  /**
   * Returns the heart rate of a record. A reading of the strap in that second has priority over the record's own, which is
   * of the wrist. In a single second without a reading of the strap, its reading before holds instead of the wrist's.
   */
  at(second: number, recorded: number): number {
    const index = this.firstNotBefore(second);
    if (this.seconds[index] === second) return this.rates[index] ?? NaN;
    const previous = this.seconds[index - 1] ?? -Infinity;
    const next = this.seconds[index] ?? Infinity;
    const isCovered = previous === second - 1 && next === second + 1;
    return isCovered && !Number.isNaN(recorded) ? (this.rates[index - 1] ?? NaN) : recorded;
  }

  get isEmpty(): boolean {
    return this.seconds.length === 0;
  }

  private firstNotBefore(second: number): number {
    let low = 0;
    let high = this.seconds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.seconds[middle] ?? 0) < second) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Returns an event time that continues after a roll-over: a step back by more than half of a counter's range. */
  private unrolled(event: number): number {
    const step = event + this.rolledOver - this.lastEvent;
    const counter = this.lastEvent - this.rolledOver;
    const bits = COUNTER_BITS.find((width) => counter < 2 ** width);
    if (step < 0 && bits !== undefined && -step > 2 ** (bits - 1)) this.rolledOver += 2 ** bits;
    return event + this.rolledOver;
  }

  private addReading(event: number, rate: number | undefined): void {
    if (Number.isNaN(event)) return;
    this.lastEvent = event;
    const second = Math.floor(this.eventZero + event / EVENT_UNITS_PER_SECOND);
    if (rate !== undefined && rate > 0 && !Number.isNaN(second)) this.store(second, rate);
  }

  /** Keeps the first reading of a second. Readings must be in ascending order for the binary search. */
  private store(second: number, rate: number): void {
    if (this.seconds.length < MAX_SECONDS && second > (this.seconds[this.seconds.length - 1] ?? -1)) {
      this.seconds.push(second);
      this.rates.push(rate);
    }
  }
}
