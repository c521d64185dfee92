import type { Env } from "../env.ts";
import type { AddressRules } from "../outbound/address.ts";
import { addressRules } from "../outbound/rules.ts";
import { readPartner } from "../partners/registry.ts";

/** Whether files of a partner may be downloaded now, held ones too, and the rules for their addresses. */
export type Permission =
  | { ok: true; rules: AddressRules; prefetchHeld: boolean }
  /** `suspended`: files wait until the operator resumes the partner. `unknown`: the settings could not be read. */
  | { ok: false; why: "suspended" | "unknown"; detail: string };

export type Permit = () => Promise<Permission>;

/** Maximum age of the settings in use, so that a suspension soon stops the GETs of running dispatches. */
const FRESH_MS = 5_000;

const UNKNOWN = { ok: false, why: "unknown" } as const;

/**
 * Returns a function for the current permission of a partner, from settings of at most `FRESH_MS`. Without settings
 * nothing is permitted, because an empty list of hosts would allow any host. The function never throws.
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
    if (partner === null) return { ...UNKNOWN, detail: "The partner registry has no entry for the partner." };
    if (partner.status === "suspended") {
      return { ok: false, why: "suspended", detail: "The partner is suspended." };
    }
    return {
      ok: true,
      rules: addressRules(env, partner.callback_hosts),
      prefetchHeld: partner.prefetch_held,
    };
  } catch {
    return { ...UNKNOWN, detail: "The partner registry did not respond." };
  }
}
