/** Returns how many elements of an ascending list are at most `limit`, by binary search. `keyOf` returns what is compared. */
export function countAtMost<T>(sorted: readonly T[], limit: number, keyOf: (element: T) => number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const element = sorted[middle];
    if (element !== undefined && keyOf(element) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
