import type { Env } from "../env.ts";
import type { AddressRules } from "../outbound/address.ts";
import { addressRules } from "../outbound/rules.ts";
import { readPartner } from "../partners/registry.ts";

/** Whether files of a partner may be downloaded now, and from which addresses. */
export type Permission =
  | { ok: true; rules: AddressRules }
  /** `suspended`: files wait until the operator resumes the partner. `unknown`: the settings could not be read. */
  | { ok: false; why: "suspended" | "unknown"; detail: string };

export type Permit = () => Promise<Permission>;

/** Settings of this age are read again. With KV's own delay of a minute, a suspension ends a running dispatch's GETs. */
const FRESH_MS = 5_000;

const UNKNOWN = { ok: false, why: "unknown" } as const;

/**
 * Returns the permission of a partner by its settings, at most 5 s old. Without settings there is none: an empty list of
 * hosts would mean any host. Never throws.
 */
export function permitOf(env: Env, partnerId: string, now: () => number = Date.now): Permit {
  let latest: { at: number; permission: Promise<Permission> } | null = null;
  return async () => {
    if (latest === null || now() - latest.at >= FRESH_MS) {
      latest = { at: now(), permission: readPermission(env, partnerId) };
    }
    return latest.permission;
  };
}

async function readPermission(env: Env, partnerId: string): Promise<Permission> {
  try {
    const partner = await readPartner(env.PARTNERS, partnerId);
    if (partner === null) return { ...UNKNOWN, detail: "The partner registry did not know the partner." };
    if (partner.status === "suspended") {
      return { ok: false, why: "suspended", detail: "The partner is suspended." };
    }
    return { ok: true, rules: addressRules(env, partner.callback_hosts) };
  } catch {
    return { ...UNKNOWN, detail: "The partner registry did not answer." };
  }
}
