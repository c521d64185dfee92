import type { Env } from "../env.ts";
import type { AddressRules } from "./address.ts";

/** Returns the rules for addresses from partners. `allowedHosts` is the partner's list; if empty, any public host is allowed. */
export function addressRules(
  env: Pick<Env, "ENVIRONMENT" | "OWN_HOSTS">,
  allowedHosts: readonly string[],
): AddressRules {
  const ownHosts = env.OWN_HOSTS.split(",").flatMap((host) => host.trim() || []);
  return { local: env.ENVIRONMENT === "local", allowedHosts, ownHosts };
}
