import { API_VERSION } from "../contract/version.ts";
import type { AddressRules } from "./address.ts";

/** Product name in the `User-Agent` of downloads and events. Partners write rules for it, so it never changes. */
export const USER_AGENT_NAME = "endurance-partner-api";

/**
 * Returns the `User-Agent` of downloads and events: a product with the version of the API, and the address of the
 * documentation (RFC 9110, section 10.1.5). The address is missing while the service does not know its own host.
 */
export function userAgent({ local, ownHosts }: Pick<AddressRules, "local" | "ownHosts">): string {
  const product = `${USER_AGENT_NAME}/${API_VERSION}`;
  const [host] = ownHosts;
  return host === undefined ? product : `${product} (+${local ? "http" : "https"}://${host}/docs/)`;
}
