import type { Context } from "hono";
import { databaseFor } from "../database/databases.ts";
import { instantOf } from "../database/rows.ts";
import type { SelfServiceChange } from "../log.ts";
import { changePartner, newerOf, type CHANGED_MEANWHILE, type Edit } from "../partners/change.ts";
import { unexpired, type Partner } from "../partners/partner.ts";
import { partnerStores } from "../partners/stores.ts";
import { readStored, runOn } from "../partners/write.ts";
import type { AppEnv, Middleware, RequestContext } from "./context.ts";
import { onlyReads, selfServiceLocked } from "./permission.ts";
import { partnerSuspended, problem } from "./problem.ts";

const ENDED_KEY = { ok: false, code: "ended_key" } as const;
const LOCKED = { ok: false, code: "locked" } as const;
const SUSPENDED = { ok: false, code: "suspended" } as const;

/** Adds a self-service change to the log line of the request, which names the key. */
export function logChange(c: RequestContext, change: SelfServiceChange, changedId?: string): void {
  c.var.logFields.change = change;
  if (changedId !== undefined) c.var.logFields.changed_id = changedId;
}

/** Returns why the newest settings forbid a self-service change with the key of a request. Null if they permit it. */
function refusalBy(newest: Partner, { key_id }: AppEnv["Variables"]["key"]) {
  const own = unexpired(newest.keys, Date.now()).find((key) => key.key_id === key_id);
  if (own?.scope !== "full") return ENDED_KEY;
  if (newest.status === "suspended") return SUSPENDED;
  return newest.self_service_locked ? LOCKED : null;
}

/**
 * Rejects writes that the partner's newest settings do not permit: a key that was just deleted must not add an endpoint. For
 * routes that write without `changeOwnPartner`.
 */
export const requireNewestPermission: Middleware = async (c, next) => {
  if (onlyReads(c.req.method, c.req.path)) return next();
  const { partner, key } = c.var;
  const stored = await readStored(runOn(databaseFor(c.env, partner)), partner.partner_id);
  const refusal = refusalBy(newerOf(partner, stored), key);
  return refusal === null ? next() : responseTo(c, refusal);
};

/**
 * Changes the partner of a request, if its newest settings permit it. They may be newer than those in KV: a key that was just
 * deleted must not create another one.
 */
export async function changeOwnPartner<Refused extends { ok: false; refused: string }>(
  c: Context<AppEnv>,
  edit: Edit<Refused>,
) {
  const { partner, key } = c.var;
  const changed = await changePartner(
    partnerStores(c.env, partner),
    partner,
    (newest) => refusalBy(newest, key) ?? edit(newest),
  );
  if (changed.ok) {
    return { ok: true as const, partner: changed.partner, in_force_at: instantOf(changed.inForceAt) };
  }
  if ("refused" in changed) return changed;
  return { ok: false as const, response: responseTo(c, changed) };
}

function responseTo(
  c: RequestContext,
  { code }: typeof ENDED_KEY | typeof LOCKED | typeof SUSPENDED | typeof CHANGED_MEANWHILE,
) {
  switch (code) {
    case "ended_key":
      return problem(
        c,
        "unauthorized",
        "The key of this request was deleted or has expired. Send the request with another key.",
        { headers: { "WWW-Authenticate": "Bearer" } },
      );
    case "locked":
      return selfServiceLocked(c);
    case "suspended":
      return partnerSuspended(c);
    case "changed_meanwhile":
      return problem(
        c,
        "changed_meanwhile",
        "Other requests changed the partner at the same time. Read the settings, then send the request again if it is still needed.",
      );
  }
}
