import { z } from "@hono/zod-openapi";
import { count } from "../database/parse.ts";

const amount = z.number().int();

/** What the service stores for a partner. */
export const usageSchema = z
  .strictObject({
    files: amount,
    /** Bytes of the stored originals: of readable versions, and of failed versions that were downloaded. */
    stored_bytes: amount,
  })
  .openapi("Usage");
export type Usage = z.infer<typeof usageSchema>;

/** Maximum usage of a partner. Null means no quota. */
export interface Quotas {
  files: number | null;
  stored_bytes: number | null;
}

/** Parses usage that any release may have stored. */
export function usageOf(stored: { files?: unknown; stored_bytes?: unknown }): Usage {
  return { files: count(stored.files), stored_bytes: count(stored.stored_bytes) };
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
