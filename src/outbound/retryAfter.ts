/**
 * How long a `Retry-After` field asks us to wait, in whole seconds from now; both of its forms (RFC 9110).
 * Null when the field is absent or says neither; a date that has passed asks for nothing: 0.
 */
export function retryAfterSeconds(field: string | null, nowMs: number): number | null {
  const text = field?.trim() ?? "";
  if (/^\d{1,10}$/.test(text)) return Number(text);
  // Date.parse takes many forms that are no HTTP date, so the weekday is asked for.
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return null;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, Math.ceil((atMs - nowMs) / 1000));
}
