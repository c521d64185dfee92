const SIZES = [
  ["TB", 1e12],
  ["MiB", 1024 * 1024],
  ["KiB", 1024],
] as const;

const TIMES = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
] as const;

/** Returns a number as people write it, such as `5,000`. */
export function inDigits(amount: number): string {
  return amount.toLocaleString("en");
}

/** Returns a size in the largest unit that divides it, such as `16 MiB`. */
export function inBytes(bytes: number): string {
  const [unit, size] = SIZES.find(([, size]) => bytes >= size && bytes % size === 0) ?? ["bytes", 1];
  return `${inDigits(bytes / size)} ${unit}`;
}

/** Returns a time in words, such as `30 days` or `1 hour`, in the largest unit that divides it. 24 hours stay hours. */
export function inWords(milliseconds: number): string {
  const [unit, length] = TIMES.find(
    ([unit, length]) => milliseconds % length === 0 && (unit !== "day" || milliseconds > length),
  ) ?? ["millisecond", 1];
  const amount = milliseconds / length;
  return `${inDigits(amount)} ${unit}${amount === 1 ? "" : "s"}`;
}
