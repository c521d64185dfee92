/** Code of the warning about a task that found no file. */
export const NOTHING_HELD = "nothing_held";

/**
 * Returns the warnings of an import: `sentences`, and for an import without files the code, with the user's other sources
 * that had held files. Null sources are unknown.
 */
export function importWarnings(
  { total, held_under_other_source = null }: { total: number; held_under_other_source?: string[] | null },
  sentences: string[] = [],
): { warnings: string[]; held_under_other_source?: string[] | null } {
  return total > 0
    ? { warnings: sentences }
    : { warnings: [NOTHING_HELD, ...sentences], held_under_other_source };
}
