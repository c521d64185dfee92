/** Converts a value of some unit to the unit of a stream: `factor` times the value plus `offset`. */
export interface Conversion {
  readonly factor: number;
  readonly offset: number;
}

/** Units by spelling, in lower case without spaces, dots and degree signs, with "/" for "per". */
export type Units = Readonly<Record<string, Conversion>>;

const times = (factor: number, offset = 0): Conversion => ({ factor, offset });
const spelled = (conversion: Conversion, ...spellings: readonly string[]): [string, Conversion][] =>
  spellings.map((spelling) => [spelling, conversion]);
const units = (...all: readonly [string, Conversion][][]): Units => Object.fromEntries(all.flat());

const METERS_PER_MILE = 1609.344;
const METERS_PER_FOOT = 0.3048;

export const METERS = units(
  spelled(times(1), "m", "meter", "meters", "metre", "metres", "mtr"),
  spelled(times(1000), "km", "kilometer", "kilometers", "kilometre", "kilometres"),
  spelled(times(0.01), "cm", "centimeter", "centimeters", "centimetre", "centimetres"),
  spelled(times(0.001), "mm", "millimeter", "millimeters", "millimetre", "millimetres"),
  spelled(times(METERS_PER_MILE), "mi", "mile", "miles"),
  spelled(times(METERS_PER_FOOT), "ft", "foot", "feet"),
  spelled(times(3 * METERS_PER_FOOT), "yd", "yard", "yards"),
);
export const MILLIMETERS: Units = Object.fromEntries(
  Object.entries(METERS).map(([spelling, { factor }]) => [spelling, times(factor * 1000)]),
);
export const METERS_PER_SECOND = units(
  spelled(times(1), "m/s", "mps", "meter/second", "meters/second", "metres/second", "m/sec", "meters/sec"),
  spelled(times(1 / 3.6), "km/h", "kmh", "kph", "km/hr", "kmph", "kilometers/hour", "kilometres/hour"),
  spelled(times(METERS_PER_MILE / 3600), "mph", "mi/h", "mi/hr", "miles/hour"),
  spelled(times(1 / 60), "m/min", "meters/minute", "metres/minute"),
  spelled(times(0.001), "mm/s"),
  spelled(times(0.01), "cm/s"),
  spelled(times(METERS_PER_FOOT), "ft/s", "fps"),
  spelled(times(1852 / 3600), "kn", "kt", "kts", "knot", "knots"),
);
export const WATTS = units(spelled(times(1), "w", "watt", "watts"), spelled(times(1000), "kw", "kilowatts"));
export const BEATS_PER_MINUTE = units(
  spelled(times(1), "bpm", "beats/min", "beats/minute", "beat/min", "b/min", "1/min", "/min"),
  spelled(times(60), "hz", "1/s"),
);
/** Steps are two strides. "spm" is strokes in rowing and steps in running, so it is not converted. */
export const CYCLES_PER_MINUTE = units(
  spelled(times(1), "rpm", "rev/min", "revs/min", "revolutions/minute", "1/min", "/min", "cycles/min"),
  spelled(times(1), "strides/min", "strides/minute", "strokes/min", "strokes/minute"),
  spelled(times(0.5), "steps/min", "steps/minute"),
);
export const CELSIUS = units(
  spelled(times(1), "c", "degc", "degreesc", "celsius", "degreescelsius", "degreecelsius"),
  spelled(times(5 / 9, -160 / 9), "f", "degf", "degreesf", "fahrenheit", "degreesfahrenheit"),
  spelled(times(1, -273.15), "k", "kelvin"),
);
export const BREATHS_PER_MINUTE = units(
  spelled(times(1), "breaths/min", "breaths/minute", "breath/min", "brpm", "bpm", "br/min", "1/min", "/min"),
);
export const PERCENT = units(spelled(times(1), "%", "percent", "pct"));
export const MILLISECONDS = units(
  spelled(times(1), "ms", "msec", "millisecond", "milliseconds"),
  spelled(times(1000), "s", "sec", "second", "seconds"),
);

const AS_IT_IS = times(1);
const STROKES = /stroke/i;

/** Returns the conversion of a field to a stream's unit. Null when its unit is unknown; a field without a unit has the stream's. */
export function conversionTo(units: Units, unit: string | undefined, name: string): Conversion | null {
  const spelling = (unit ?? "")
    .toLowerCase()
    .replaceAll(/[\s.°]/g, "")
    .replaceAll("per", "/");
  if (spelling === "") return AS_IT_IS;
  if (spelling === "spm" && units === CYCLES_PER_MINUTE) return STROKES.test(name) ? AS_IT_IS : null;
  return Object.hasOwn(units, spelling) ? (units[spelling] ?? null) : null;
}

/** Applies a conversion without the noise of the division: 12.6 km/h are 3.5 m/s. */
export function converted(value: number, { factor, offset }: Conversion): number {
  return factor === 1 && offset === 0 ? value : Math.round((value * factor + offset) * 1e6) / 1e6;
}
