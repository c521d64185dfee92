/**
 * Returns the seconds from now that a `Retry-After` header asks to wait (RFC 9110: a number of seconds or a date). Returns
 * 0 for a date in the past, and null if the header is absent or invalid.
 */
export function retryAfterSeconds(field: string | null, nowMs: number): number | null {
  const text = field?.trim() ?? "";
  if (/^\d{1,10}$/.test(text)) return Number(text);
  // Date.parse accepts many other formats. Every HTTP date begins with a weekday.
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return null;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, Math.ceil((atMs - nowMs) / 1000));
}
