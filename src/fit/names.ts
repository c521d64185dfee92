import {
  getFitGarminProductDisplayName,
  getFitManufacturerName,
  getFitSportName,
  getFitSubSportName,
} from "fit-file-parser/profile";

/** Names of the FIT profile for numbers in files. A number without a name becomes "unknown_99". */

/** Manufacturers that use Garmin's product numbers: garmin, dynastream, dynastream_oem. */
const GARMIN_NUMBERING: ReadonlySet<number> = new Set([1, 13, 15]);

export function sportName(sport: number): string {
  return getFitSportName(sport) ?? unknown(sport);
}

export function subSportName(subSport: number): string {
  return getFitSubSportName(subSport) ?? unknown(subSport);
}

export function manufacturerName(manufacturer: number): string {
  return getFitManufacturerName(manufacturer) ?? unknown(manufacturer);
}

export function productName(manufacturer: number | undefined, product: number): string {
  const isGarmin = manufacturer !== undefined && GARMIN_NUMBERING.has(manufacturer);
  return (isGarmin ? getFitGarminProductDisplayName(product) : null) ?? unknown(product);
}

/** Returns the name at an index of one of the profile's lists. */
export function listedName(names: readonly string[], number: number | undefined): string | null {
  return number === undefined ? null : (names[number] ?? unknown(number));
}

function unknown(number: number): string {
  return `unknown_${number}`;
}
