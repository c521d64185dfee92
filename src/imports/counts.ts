import { z } from "@hono/zod-openapi";

const count = z.number().int().min(0);
const settled = { imported: count, skipped: count, failed: count };

/** Counts of an import's files: all of them, and the settled ones by outcome. */
export const importCountsSchema = z.strictObject({ total: count, ...settled });
export type ImportCounts = z.infer<typeof importCountsSchema>;

/** The same with the files that are not settled yet. */
export const importFilesSchema = z.strictObject({ total: count, pending: count, ...settled });

/** The names of the counts. The read model has a column for each. */
export const IMPORT_COUNTS = importCountsSchema.keyof().options;

/** Returns the counts of a row without its other fields. */
export function countsOf({ total, imported, skipped, failed }: ImportCounts): ImportCounts {
  return { total, imported, skipped, failed };
}

/** Returns the counts as a partner reads them. */
export function importFilesOf(row: ImportCounts): z.infer<typeof importFilesSchema> {
  const { total, ...settled } = countsOf(row);
  const settledFiles = Object.values(settled).reduce((sum, files) => sum + files, 0);
  return { total, pending: Math.max(0, total - settledFiles), ...settled };
}
