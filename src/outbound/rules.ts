import type { Env } from "../env.ts";
import type { AddressRules } from "./address.ts";

/** Rules for addresses that partners name. `allowedHosts` is the partner's own list; empty: any public host. */
export function addressRules(
  env: Pick<Env, "ENVIRONMENT" | "OWN_HOSTS">,
  allowedHosts: readonly string[],
): AddressRules {
  const ownHosts = env.OWN_HOSTS.split(",").flatMap((host) => host.trim() || []);
  return { local: env.ENVIRONMENT === "local", allowedHosts, ownHosts };
}
