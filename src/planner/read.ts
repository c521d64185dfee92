import { z } from "zod";
import { boundOf, readErased } from "../erasure/read.ts";
import { userHash } from "../identifiers.ts";

/** Returns the bound of the user's last erasure in Unix milliseconds, or 0. Null when the erasure covers the import. */
export async function readPlanBounds(
  db: D1Database,
  { partner_id, user_id, import_id }: { partner_id: string; user_id: string; import_id: string },
): Promise<{ erasedBefore: number } | null> {
  const [imported, erased] = await db.batch([
    db
      .prepare("SELECT requested_at FROM imports WHERE partner_id = ? AND import_id = ?")
      .bind(partner_id, import_id),
    readErased(db, partner_id, userHash(partner_id, user_id)),
  ]);
  const erasedBefore = boundOf(erased);
  const [row] = z.array(z.object({ requested_at: z.number() })).parse(imported?.results ?? []);
  return row === undefined || row.requested_at <= erasedBefore ? null : { erasedBefore };
}

/** State that decides whether a planner token still reads a user or a file. */
export interface GrantedAccess {
  /** Bound of the user's last erasure in Unix milliseconds, or 0. */
  erasedBefore: number;
  /** Whether the file is the user's. */
  ownsFile: boolean;
}

/** Returns the state of a grant's user, and whether the user has the file. Without a file, `ownsFile` is false. */
export async function readGrantedAccess(
  db: D1Database,
  { partner_id, user_id }: { partner_id: string; user_id: string },
  fileId: string | null,
): Promise<GrantedAccess> {
  const [files, erased] = await db.batch([
    db
      .prepare("SELECT 1 FROM files WHERE partner_id = ? AND file_id = ? AND user_id = ?")
      .bind(partner_id, fileId ?? "", user_id),
    readErased(db, partner_id, userHash(partner_id, user_id)),
  ]);
  return { erasedBefore: boundOf(erased), ownsFile: files !== undefined && files.results.length > 0 };
}

/** Returns the bound of the user's last erasure, or 0. Null for an unknown user. */
export async function readKnownUser(
  db: D1Database,
  partnerId: string,
  userId: string,
): Promise<{ erasedBefore: number } | null> {
  const [known, erased] = await db.batch([
    db.prepare("SELECT 1 FROM users WHERE partner_id = ? AND user_id = ?").bind(partnerId, userId),
    readErased(db, partnerId, userHash(partnerId, userId)),
  ]);
  return known === undefined || known.results.length === 0 ? null : { erasedBefore: boundOf(erased) };
}
