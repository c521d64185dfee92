import type { DecodedDevice } from "./types.ts";

const MAX_CHARACTERS = 64;
const UNKNOWN = "unknown_";
/** The manufacturer number of devices in development. */
const NO_MAKER = "development";

/** Spellings that differ from the words of the FIT profile's name with capital letters. */
const MAKERS: Readonly<Record<string, string>> = {
  "4iiiis": "4iiii",
  coros: "COROS",
  dynastream_oem: "Dynastream",
  hammerhead: "Hammerhead",
  igpsport: "iGPSPORT",
  mywhoosh: "MyWhoosh",
  o_synce: "o-synce",
  peaksware: "TrainingPeaks",
  polar_electro: "Polar",
  rouvy: "ROUVY",
  sigmasport: "SIGMA SPORT",
  srm: "SRM",
  trainer_road: "TrainerRoad",
  wahoo_fitness: "Wahoo",
  xoss: "XOSS",
};

/**
 * Returns maker and model of the device or app that recorded a file, such as "Garmin Edge 820" or "Zwift". `devices` has
 * the one that wrote the file first. Null when the file names neither.
 */
export function recordedWith(devices: readonly DecodedDevice[]): string | null {
  const [creator] = devices;
  if (creator?.device_index !== 0) return null;
  const maker = makerOf(creator.manufacturer);
  const model = isKnown(creator.product) ? clean(creator.product) : "";
  const whole = isDoubled(maker, model) ? model : `${maker} ${model}`.trim();
  const short = Array.from(whole).slice(0, MAX_CHARACTERS).join("").trim();
  return short === "" ? null : short;
}

const isKnown = (name: string | null): name is string => name !== null && !name.startsWith(UNKNOWN);

function makerOf(name: string | null): string {
  if (!isKnown(name) || name === NO_MAKER) return "";
  const words = name.split("_").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return MAKERS[name] ?? words.join(" ");
}

/** Returns a text without control, format and replacement characters, with single spaces. */
function clean(text: string): string {
  return text.replaceAll(/[\p{C}\p{Z}\uFFFD]+/gu, " ").trim();
}

/** Returns whether a model begins with its maker, or with its first word: "Garmin Edge 530", "Zwift", "Stages Dash". */
function isDoubled(maker: string, model: string): boolean {
  const firstWord = (name: string) => name.toLowerCase().split(" ")[0] ?? "";
  return maker !== "" && firstWord(model) === firstWord(maker);
}
