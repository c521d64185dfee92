/** An operation that partners should stop using. */
export interface Deprecation {
  /** Method and path, such as `GET /api/files/{file_id}/`. */
  operation: string;
  /** Day from which the operation is deprecated, such as `2026-12-01`. */
  since: string;
  /** Day from which the operation may be removed: at least `DEPRECATION_MONTHS` later. */
  sunset: string;
  /** What to use instead, as a sentence with `backticks` around code. */
  replacement: string;
}

/** All deprecated operations. Their responses announce the deprecation, and the documentation marks them. */
export const DEPRECATIONS: readonly Deprecation[] = [];

/** Returns why an entry breaks the promise about deprecations. Null for a good entry. */
export function deprecationFault({ operation, since, sunset }: Deprecation, months: number): string | null {
  const earliest = new Date(since);
  earliest.setUTCMonth(earliest.getUTCMonth() + months);
  return new Date(sunset) >= earliest
    ? null
    : `${operation} ends on ${sunset}. It may end on ${earliest.toISOString().slice(0, 10)} at the earliest.`;
}
