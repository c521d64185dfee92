/** The units of work: each writes exactly one line when it ends. */
export type UnitOfWork = "request" | "dispatch" | "alarm" | "delivery" | "scheduled" | "dead_letter";

/**
 * One wide structured line per unit of work. Fields are ids, outcomes, counts and durations in milliseconds:
 * never a key, a URL's path or query, a body, a position or an activity's name.
 */
export function logUnit(unit: UnitOfWork, fields: Record<string, string | number | boolean | null>): void {
  console.log(JSON.stringify({ unit, ...fields }));
}

/** The kind of a fault for a log line; its message may quote a URL or SQL, so only known-safe parts are kept. */
export function faultName(fault: unknown): string {
  if (!(fault instanceof Error)) return typeof fault;
  const code = "code" in fault && (typeof fault.code === "string" || typeof fault.code === "number") ? `:${fault.code}` : "";
  return fault.name + code;
}
