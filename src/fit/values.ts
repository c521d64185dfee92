/**
 * Rules on single readings, the same in records, laps and sessions. Everywhere inside the decoder NaN is
 * "no reading": it survives arithmetic, and typed arrays can hold it.
 */

const DEGREES_PER_SEMICIRCLE = 180 / 2 ** 31;
const POLE_IN_SEMICIRCLES = 2 ** 30;

/** A heart that beats 0 times a minute is a strap without contact. */
export function heartRate(reading: number): number {
  return reading === 0 ? NaN : reading;
}

/**
 * The enhanced field has the wider range and goes first. An enhanced 0 beside a plain reading was never
 * written; `wireZero` is what a 0 on the wire scales to.
 */
export function enhancedOrPlain(enhanced: number, plain: number, wireZero = 0): number {
  if (Number.isNaN(enhanced)) return plain;
  return plain > 0 && (enhanced === 0 || enhanced === wireZero) ? plain : enhanced;
}

/** Pedal turns, strides of one foot or arm cycles a minute, with the fraction if there is one. */
export function cadence(whole: number, fraction: number): number {
  return Number.isNaN(fraction) ? whole : whole + fraction;
}

/** Both or neither: 0/0 is what receivers write before a fix, while a single 0 is the equator or Greenwich. */
export function isPosition(latitudeInSemicircles: number, longitudeInSemicircles: number): boolean {
  return (
    Math.abs(latitudeInSemicircles) <= POLE_IN_SEMICIRCLES &&
    !Number.isNaN(longitudeInSemicircles) &&
    (latitudeInSemicircles !== 0 || longitudeInSemicircles !== 0)
  );
}

export function degrees(semicircles: number): number {
  return semicircles * DEGREES_PER_SEMICIRCLE;
}

/** A number for the partner: null when there is no reading, and no more decimals than the reading has. */
export function rounded(value: number | undefined, decimals: number): number | null {
  if (value === undefined || !Number.isFinite(value)) return null;
  const factor = 10 ** decimals;
  // "+ 0" turns -0 into 0.
  return Math.round(value * factor) / factor + 0;
}
