import { z } from "@hono/zod-openapi";

const count = z.number().int();

/** What the service stores for a partner. */
export const usageSchema = z
  .strictObject({
    files: count,
    /** Bytes of the stored originals: of readable versions, and of failed versions that were downloaded. */
    stored_bytes: count,
  })
  .openapi("Usage");
export type Usage = z.infer<typeof usageSchema>;

/** Maximum usage of a partner. Null means no quota. */
export interface Quotas {
  files: number | null;
  stored_bytes: number | null;
}

export const NO_USAGE: Usage = { files: 0, stored_bytes: 0 };

/** Returns the KV key of the partner's published usage. */
export function usageKey(partnerId: string): string {
  return `usage:${partnerId}`;
}

/** Returns a quota that is used up, or null. */
export function exceededQuota(usage: Usage, quotas: Quotas): { unit: keyof Usage; quota: number } | null {
  for (const unit of ["files", "stored_bytes"] as const) {
    const quota = quotas[unit];
    if (quota !== null && usage[unit] >= quota) return { unit, quota };
  }
  return null;
}
