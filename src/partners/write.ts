import { fieldsOf, numberOrNull, text } from "../database/parse.ts";
import { DATABASE_NOW } from "../database/sql.ts";
import { partnerSchema, type Partner } from "./partner.ts";

/** Runs one statement on the database of a partner and returns its rows. Parameters are numbered from `?1`. */
export type Run = (sql: string, ...values: readonly (string | number)[]) => Promise<unknown[]>;

/** Returns a function that runs statements on a database of the Worker. */
export function runOn(database: D1Database): Run {
  return async (sql, ...values) => {
    const { results } = await database
      .prepare(sql)
      .bind(...values)
      .all();
    return results;
  };
}

/** Time for which one publisher may write a partner's settings to KV. */
export const CLAIM_MS = 30_000;

/** Returns the newest settings of a partner. Null before the first change. */
export async function readStored(run: Run, partnerId: string): Promise<string | null> {
  const [row] = await run("SELECT settings FROM partner_settings WHERE partner_id = ?1", partnerId);
  return row === undefined ? null : text(fieldsOf(row)["settings"]);
}

/** Parses settings that any release may have stored. */
export function parsePartner(settings: string): Partner {
  return partnerSchema.parse(JSON.parse(settings));
}

/**
 * Stores settings if the row still has the revision `base`, or, for a base of null, if the partner has no row. Returns
 * false if another change came first.
 */
export async function storeSettings(
  run: Run,
  { partner_id, revision }: Partner,
  settings: string,
  base: number | null,
): Promise<boolean> {
  const rows = await run(
    `INSERT INTO partner_settings (partner_id, revision, settings)
     SELECT ?1, ?2, ?3 WHERE ?4 < 0 OR EXISTS (SELECT 1 FROM partner_settings WHERE partner_id = ?1)
     ON CONFLICT (partner_id) DO UPDATE SET revision = excluded.revision, settings = excluded.settings
       WHERE partner_settings.revision = ?4
     RETURNING revision`,
    partner_id,
    revision,
    settings,
    base ?? -1,
  );
  return rows.length > 0;
}

/** Settings that are not published, claimed by one publisher until `until` in D1's Unix milliseconds. */
export interface Claimed {
  revision: number;
  settings: string;
  until: number;
}

/** Claims the publication of a partner's newest settings. Null if they are published or another publisher has the claim. */
export async function claimPublication(run: Run, partnerId: string): Promise<Claimed | null> {
  const [row] = await run(
    `UPDATE partner_settings SET publishing_until = ${DATABASE_NOW} + ${CLAIM_MS}
     WHERE partner_id = ?1 AND published_revision <> revision
       AND (publishing_until IS NULL OR publishing_until <= ${DATABASE_NOW})
     RETURNING revision, settings, publishing_until`,
    partnerId,
  );
  if (row === undefined) return null;
  const { revision, settings, publishing_until } = fieldsOf(row);
  return {
    revision: numberOrNull(revision) ?? 0,
    settings: text(settings),
    until: numberOrNull(publishing_until) ?? 0,
  };
}

/**
 * Records a publication and ends the claim. Returns whether the newest settings are published. After an expired claim,
 * another publisher may have written newer settings before this one wrote, so the settings count as not published.
 */
export async function recordPublication(
  run: Run,
  partnerId: string,
  { revision, until }: Claimed,
): Promise<boolean> {
  const [row] = await run(
    `UPDATE partner_settings SET published_revision = CASE WHEN publishing_until = ?3 THEN ?2 ELSE -1 END,
       publishing_until = NULL
     WHERE partner_id = ?1 RETURNING published_revision = revision AS done`,
    partnerId,
    revision,
    until,
  );
  return row !== undefined && fieldsOf(row)["done"] === 1;
}

/** Stores published settings that are newer than the row. The row is older when D1 was restored to an earlier time. */
export async function adoptSettings(run: Run, partner: Partner): Promise<void> {
  await run(
    `UPDATE partner_settings SET revision = ?2, published_revision = ?2, settings = ?3, publishing_until = NULL
     WHERE partner_id = ?1 AND revision < ?2 RETURNING revision`,
    partner.partner_id,
    partner.revision,
    JSON.stringify(partner),
  );
}

/** Returns whether the newest settings of a partner are published. */
export async function isPublished(run: Run, partnerId: string): Promise<boolean> {
  const rows = await run(
    "SELECT 1 FROM partner_settings WHERE partner_id = ?1 AND published_revision = revision",
    partnerId,
  );
  return rows.length > 0;
}

/** Returns partners with settings that wait for a publisher. */
export async function readUnpublished(run: Run, limit: number): Promise<string[]> {
  const rows = await run(
    `SELECT partner_id FROM partner_settings INDEXED BY partner_settings_unpublished
     WHERE published_revision <> revision AND (publishing_until IS NULL OR publishing_until <= ${DATABASE_NOW})
     LIMIT ?1`,
    limit,
  );
  return rows.map((row) => text(fieldsOf(row)["partner_id"]));
}

/** Deletes a partner's row, unless a publisher has a claim. Returns whether the row is gone. */
export async function deleteSettings(run: Run, partnerId: string): Promise<boolean> {
  await run(
    `DELETE FROM partner_settings
     WHERE partner_id = ?1 AND (publishing_until IS NULL OR publishing_until <= ${DATABASE_NOW}) RETURNING partner_id`,
    partnerId,
  );
  return (await readStored(run, partnerId)) === null;
}
