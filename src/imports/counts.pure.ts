import { z } from "@hono/zod-openapi";
import { count } from "../database/parse.ts";

const files = z.number().int().min(0);

/** Settled files of an import, by outcome. */
const settledCountsSchema = z.strictObject({ imported: files, skipped: files, failed: files });
export type SettledCounts = z.infer<typeof settledCountsSchema>;

/**
 * Counts of an import's files: all of them, and the settled ones by outcome. Statements and documents derive from this
 * list and from `countsOf`. A new count also needs a column of table `imports` and its words in `docs/fields.ts`.
 */
export const importCountsSchema = z
  .strictObject({ total: files, ...settledCountsSchema.shape })
  .openapi("ImportCounts");
export type ImportCounts = z.infer<typeof importCountsSchema>;

/** The same with the files that are not settled yet. */
export const importFilesSchema = z
  .strictObject({ total: files, pending: files, ...settledCountsSchema.shape })
  .openapi("ImportFiles");

export const IMPORT_COUNTS = importCountsSchema.keyof().options;
const OUTCOMES = settledCountsSchema.keyof().options;

/** Returns the counts of a row, or of stored JSON, without its other fields. A count that is missing is 0. */
export function countsOf(row: { readonly [Name in keyof ImportCounts]?: unknown }): ImportCounts {
  return {
    total: count(row.total),
    imported: count(row.imported),
    skipped: count(row.skipped),
    failed: count(row.failed),
  };
}

/** Returns the counts with these settled files added. */
export function addSettledFiles(counts: ImportCounts, settled: Partial<SettledCounts>): ImportCounts {
  const sum = countsOf(counts);
  for (const outcome of OUTCOMES) sum[outcome] += settled[outcome] ?? 0;
  return sum;
}

/** Returns the number of files that are not settled. */
export function pendingOf(counts: ImportCounts): number {
  return OUTCOMES.reduce((pending, outcome) => pending - counts[outcome], counts.total);
}

/** Returns the counts as a partner reads them. */
export function importFilesOf(row: ImportCounts): z.infer<typeof importFilesSchema> {
  const { total, ...settled } = countsOf(row);
  return { total, pending: Math.max(0, pendingOf(row)), ...settled };
}
