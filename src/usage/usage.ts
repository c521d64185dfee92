import { z } from "@hono/zod-openapi";
import { REMOVAL_BYTES_OF_FILE } from "../contract/limits.ts";
import { count } from "../database/parse.ts";

const amount = z.number().int();

/** What the service stores for a partner. */
export const usageSchema = z
  .strictObject({
    files: amount,
    /** Bytes of the stored originals: of readable versions, and of failed versions that were downloaded. */
    stored_bytes: amount,
    /** Size of the records of deletions and erasures, which expire. */
    removal_bytes: amount,
  })
  .openapi("Usage");
export type Usage = z.infer<typeof usageSchema>;

/** Maximum usage of a partner. Null means no quota. */
export interface Quotas {
  files: number | null;
  stored_bytes: number | null;
}

/** Parses usage that any release may have stored. */
export function usageOf(stored: { files?: unknown; stored_bytes?: unknown; removal_bytes?: unknown }): Usage {
  const { files, stored_bytes, removal_bytes = 0 } = stored;
  return { files: count(files), stored_bytes: count(stored_bytes), removal_bytes: count(removal_bytes) };
}

export const NO_USAGE: Usage = { files: 0, stored_bytes: 0, removal_bytes: 0 };

/** Returns the KV key of the partner's published usage. */
export function usageKey(partnerId: string): string {
  return `usage:${partnerId}`;
}

/** Returns a quota that is used up, or null. Records of deletions may take `REMOVAL_BYTES_OF_FILE` for each file of the quota. */
export function exceededQuota(usage: Usage, quotas: Quotas): { unit: keyof Usage; quota: number } | null {
  const removal_bytes = quotas.files === null ? null : quotas.files * REMOVAL_BYTES_OF_FILE;
  for (const unit of ["files", "stored_bytes", "removal_bytes"] as const) {
    const quota = { ...quotas, removal_bytes }[unit];
    if (quota !== null && usage[unit] >= quota) return { unit, quota };
  }
  return null;
}
