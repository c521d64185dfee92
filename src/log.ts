/** The units of work: each writes exactly one line when it ends. The README says what their fields mean. */
export type UnitOfWork = "request" | "dispatch" | "alarm" | "delivery" | "scheduled" | "dead_letter";

/** What goes wrong within a unit and heals by itself; the unit's own line still comes. */
export type Setback =
  | "projected_later"
  | "erased_later"
  | "sent_later"
  | "claim_unheard"
  | "unreadable_message"
  | "abandon_unheard";

type Fields = Record<string, string | number | boolean | null>;

/**
 * One wide structured line per unit of work. Fields are ids, outcomes, counts and durations in milliseconds:
 * never a key, a URL's path or query, a body, a position or an activity's name.
 */
export function logUnit(unit: UnitOfWork, fields: Fields): void {
  console.log(JSON.stringify({ unit, ...fields }));
}

/** A line beside those of the units, under the same rules. */
export function logSetback(outcome: Setback, fields: Fields): void {
  console.log(JSON.stringify({ unit: "setback", outcome, ...fields }));
}

/** The kind of a fault for a log line; its message may quote a URL or SQL, so only known-safe parts are kept. */
export function faultName(fault: unknown): string {
  if (!(fault instanceof Error)) return typeof fault;
  const code =
    "code" in fault && (typeof fault.code === "string" || typeof fault.code === "number")
      ? `:${fault.code}`
      : "";
  return fault.name + code;
}
