/**
 * Rules on single readings, the same in records, laps and sessions. Inside the decoder NaN means "no reading": it
 * propagates through arithmetic and fits typed arrays.
 */

const DEGREES_PER_SEMICIRCLE = 180 / 2 ** 31;
const POLE_IN_SEMICIRCLES = 2 ** 30;

/** Returns a heart rate; NaN for 0, which straps without contact send. */
export function heartRate(reading: number): number {
  return reading === 0 ? NaN : reading;
}

/** Prefers the enhanced field, which has the wider range. An enhanced 0 beside a plain reading was never written. */
export function enhancedOrPlain(enhanced: number, plain: number): number {
  if (Number.isNaN(enhanced)) return plain;
  return plain > 0 && enhanced === 0 ? plain : enhanced;
}

/** Returns pedal turns, strides of one foot or arm cycles per minute, including a fraction. */
export function cadence(whole: number, fraction: number): number {
  return Number.isNaN(fraction) ? whole : whole + fraction;
}

/** Returns whether two semicircles are a position. Receivers write 0/0 before a fix; a single 0 is valid. */
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

/** Returns a number rounded for the API; null for no reading. */
export function rounded(value: number | undefined, decimals: number): number | null {
  if (value === undefined || !Number.isFinite(value)) return null;
  const factor = 10 ** decimals;
  // "+ 0" turns -0 into 0.
  return Math.round(value * factor) / factor + 0;
}
