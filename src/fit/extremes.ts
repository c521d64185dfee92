/** Maximum number of readings to examine while reducing the number of buckets in proportion to the excess rows. */
const SHRINKING_READINGS = 16_000_000;
/** Rounds of the search between a number of buckets that fits and one that does not. */
const NARROWING_ROUNDS = 4;

/**
 * Selects at most `limit` of `rows`, in ascending order. The rows are divided into as many equal buckets as fit, and
 * each bucket keeps the rows with the minimum and maximum of every column. If one bucket exceeds the limit, earlier
 * columns win. The first and last row are kept if there is room. The number of rounds is bounded, so the result can
 * have fewer buckets than would fit.
 */
export function extremes(columns: readonly Float64Array[], rows: number, limit: number): number[] {
  let buckets = Math.max(1, Math.floor((limit - 2) / 2));
  const rounds = SHRINKING_READINGS / Math.max(1, columns.length * rows);
  for (let round = 0; round < rounds; round++) {
    const kept = extremesOfBuckets(columns, rows, buckets, buckets === 1 ? limit : Infinity);
    if (kept.length <= limit) return kept;
    buckets = Math.max(1, Math.min(buckets - 1, Math.floor((buckets * limit) / kept.length)));
  }
  let fitting = surelyFitting(columns, limit);
  let best = extremesOfBuckets(columns, rows, fitting, limit);
  for (let round = 0; round < NARROWING_ROUNDS && buckets - fitting > 1; round++) {
    const middle = (fitting + buckets) >> 1;
    const kept = extremesOfBuckets(columns, rows, middle, Infinity);
    if (kept.length <= limit) {
      fitting = middle;
      best = kept;
    } else buckets = middle;
  }
  return best;
}

/** Like `extremes`, but in one round: the number of buckets is so small that the result cannot exceed the limit. */
export function fewerExtremes(columns: readonly Float64Array[], rows: number, limit: number): number[] {
  return extremesOfBuckets(columns, rows, surelyFitting(columns, limit), limit);
}

function surelyFitting(columns: readonly Float64Array[], limit: number): number {
  return Math.max(1, Math.floor((limit - 2) / (2 * Math.max(1, columns.length))));
}

function extremesOfBuckets(
  columns: readonly Float64Array[],
  rows: number,
  buckets: number,
  limit: number,
): number[] {
  const isKept = new Uint8Array(rows);
  let kept = 0;
  const keep = (row: number) => {
    if (row < 0 || isKept[row] === 1 || kept >= limit) return;
    isKept[row] = 1;
    kept++;
  };
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = Math.floor((bucket * rows) / buckets);
    const to = Math.floor(((bucket + 1) * rows) / buckets);
    for (const column of columns) {
      let lowest = -1;
      let highest = -1;
      let low = Infinity;
      let high = -Infinity;
      for (let row = from; row < to; row++) {
        const reading = column[row] ?? NaN;
        if (reading < low) {
          low = reading;
          lowest = row;
        }
        if (reading > high) {
          high = reading;
          highest = row;
        }
      }
      keep(lowest);
      keep(highest);
    }
  }
  keep(0);
  keep(rows - 1);
  const result: number[] = [];
  for (let row = 0; row < rows; row++) if (isKept[row] === 1) result.push(row);
  return result;
}
