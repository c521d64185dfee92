import { z } from "@hono/zod-openapi";

const count = z.number().int();

/** What the service keeps of a partner. */
export const usageSchema = z.strictObject({
  files: count,
  /** Bytes of the objects that files name: readable versions, and failed ones that were stored. */
  stored_bytes: count,
});
export type Usage = z.infer<typeof usageSchema>;

/** Most that a partner may have of each; null: no limit. */
export interface Quotas {
  files: number | null;
  stored_bytes: number | null;
}

export const NO_USAGE: Usage = { files: 0, stored_bytes: 0 };

/** Key in KV of the usage that the clock has published last. */
export function usageKey(partnerId: string): string {
  return `usage:${partnerId}`;
}

/** Returns a quota that is used up, or null. */
export function usedUp(usage: Usage, quotas: Quotas): { of: keyof Usage; quota: number } | null {
  for (const of of ["files", "stored_bytes"] as const) {
    const quota = quotas[of];
    if (quota !== null && usage[of] >= quota) return { of, quota };
  }
  return null;
}
