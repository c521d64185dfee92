import {
  getFitGarminProductDisplayName,
  getFitManufacturerName,
  getFitSportName,
  getFitSubSportName,
} from "fit-file-parser/profile";

/** Names of the FIT profile for numbers in files. A number without a name becomes "unknown_99". */

/** Names that are newer than the profile of `fit-file-parser`. */
const NEWER_MANUFACTURERS: Readonly<Record<number, string>> = {
  351: "una_watch",
  352: "tymewear",
  353: "exposure_lights",
  354: "forto_cycling",
};
const NEWER_GARMIN_PRODUCTS: Readonly<Record<number, string>> = {
  4565: "Forerunner 970",
  4570: "Forerunner 570 Large",
  4574: "Forerunner 570 Small",
  4595: "Fenix 7 Pro Solar No Wifi",
  4952: "Fenix 9 Pro 43mm",
  4953: "Fenix 9 Pro 47mm",
  4954: "Fenix 9 Pro 51mm",
  4955: "Fenix 9 Pro Solar 47mm",
  4956: "Fenix 9 Pro Solar 51mm",
  5019: "Cirqa Smart Band",
  5133: "Fenix 9 43mm",
  5134: "Fenix 9",
  30059: "TrainingPeaks Virtual Ios",
  30060: "TrainingPeaks Virtual Android",
  30061: "TrainingPeaks Virtual Windows",
  30062: "TrainingPeaks Virtual Mac Os",
  30063: "TrainingPeaks Virtual Apple Tv",
};

/** Manufacturers that use Garmin's product numbers: garmin, dynastream, dynastream_oem, tacx. */
const GARMIN_NUMBERING: ReadonlySet<number> = new Set([1, 13, 15, 89]);

export function sportName(sport: number): string {
  return getFitSportName(sport) ?? unknown(sport);
}

export function subSportName(subSport: number): string {
  return getFitSubSportName(subSport) ?? unknown(subSport);
}

/** Returns the names of all numbers of the profile's list. The numbers take one byte. */
function namesOf(nameOf: (number: number) => string | null): readonly string[] {
  return [...new Set(Array.from({ length: 255 }, (_, number) => nameOf(number) ?? []).flat())];
}

export const SPORT_NAMES = namesOf(getFitSportName);
export const SUB_SPORT_NAMES = namesOf(getFitSubSportName);

export function manufacturerName(manufacturer: number): string {
  return getFitManufacturerName(manufacturer) ?? NEWER_MANUFACTURERS[manufacturer] ?? unknown(manufacturer);
}

export function productName(manufacturer: number | undefined, product: number): string {
  const isGarmin = manufacturer !== undefined && GARMIN_NUMBERING.has(manufacturer);
  const name = isGarmin ? (getFitGarminProductDisplayName(product) ?? NEWER_GARMIN_PRODUCTS[product]) : null;
  return name ?? unknown(product);
}

/** Returns the name at an index of one of the profile's lists. */
export function listedName(names: readonly string[], number: number | undefined): string | null {
  return number === undefined ? null : (names[number] ?? unknown(number));
}

function unknown(number: number): string {
  return `unknown_${number}`;
}
