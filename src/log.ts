/** The units of work: each writes exactly one line when it ends. The README says what their fields mean. */
export type UnitOfWork = "request" | "dispatch" | "alarm" | "delivery" | "scheduled" | "dead_letter";

/** Faults within a unit, whose own line still comes. All heal without an operator, except `original_missing`. */
export type Setback =
  | "projected_later"
  | "erased_later"
  | "sent_later"
  | "claim_unheard"
  | "schema_refused"
  | "unreadable_message"
  | "abandon_unheard"
  | "original_missing";

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

/** How the platform begins what its stores throw; what follows may quote SQL, a key or a name. */
const STORES: readonly (readonly [store: string, beginning: RegExp])[] = [
  ["D1", /^D1_[A-Z]*ERROR: /],
  ["R2", /^(?:head|get|put|delete|list): /],
  ["KV", /^KV [A-Z_]+ failed: /],
  ["queue", /^Queue (?:send(?:Batch)? failed: |is overloaded)/],
  ["collector", /^Durable Object (?:is|reset|storage|exceeded)\b/],
];

/**
 * The kind of a fault for a log line, as `D1:Error`: the store where its message begins as that store's do, its
 * name, its code. The message itself may quote a URL or SQL, so nothing else of it is kept.
 */
export function faultName(fault: unknown): string {
  if (!(fault instanceof Error)) return typeof fault;
  const code =
    "code" in fault && (typeof fault.code === "string" || typeof fault.code === "number")
      ? `:${fault.code}`
      : "";
  const store = STORES.find(([, beginning]) => beginning.test(fault.message));
  return (store === undefined ? "" : `${store[0]}:`) + fault.name + code;
}
