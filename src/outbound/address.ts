/** Configurable rules for the addresses that the service may send requests to. */
export interface AddressRules {
  /** True only on a local service. Also allows http, and loopback hosts with any port. */
  local: boolean;
  /** If not empty, only these hosts are allowed. They match exactly, except for case. */
  allowedHosts: readonly string[];
  /** Hosts of this service, with a port unless it is the scheme's default. They are rejected: the service must not call itself. */
  ownHosts: readonly string[];
}

export type AddressCheck = { ok: true; url: URL } | { ok: false; detail: string };

/**
 * Top-level domains that private resolvers serve and public DNS does not: special-use domains and common private ones.
 * `.example` and `.invalid` do not resolve anywhere, so requests to them fail as unreachable.
 */
const PRIVATE_TOP_LEVELS = new Set(
  (
    "alt arpa bit consul corp domain exit gnu home host i2p internal intranet k8s lan local localdomain " +
    "localhost mail onion priv private svc test workgroup zkey"
  ).split(" "),
);

/** Public domains with names that resolve to loopback, to an address in a label, or to a metadata service. */
const PUBLIC_NAMES_OF_PRIVATE_HOSTS = [
  "nip.io",
  "sslip.io",
  "xip.io",
  "traefik.me",
  "localtest.me",
  "lvh.me",
  "vcap.me",
  "lacolhost.com",
  "metadata.goog",
  "metadata.tencentyun.com",
  "metadata.platformequinix.com",
  "metadata.packet.net",
];

/** An RFC 1123 label. Also allows underscores, which storage hosts use. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** A top-level domain. Only punycode ones contain digits, so no notation of an IPv4 address matches. */
const TOP_LEVEL = /^(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/;
const LOOPBACK_V4 = /^127(?:\.(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])){3}$/;
const PORT = /^[1-9]\d{0,4}$/;
/** Maximum length of a DNS name as text (RFC 1035). */
const MAX_HOST_LENGTH = 253;

function rejected(detail: string): AddressCheck {
  return { ok: false, detail };
}

/** Whether a host, in the form of `URL.hostname`, is loopback. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || LOOPBACK_V4.test(host);
}

/** Whether a URL points to `ownHost`: the same port, and the same host name or any spelling of loopback. */
function pointsTo(url: URL, ownHost: string): boolean {
  const own = URL.parse(`${url.protocol}//${ownHost}`);
  if (own === null || own.port !== url.port) return false;
  return own.hostname === url.hostname || (isLoopback(own.hostname) && isLoopback(url.hostname));
}

/** Returns why a host is not a public DNS name in plain ASCII; null if it is one. */
function publicHostFault(host: string): string | null {
  if (host.startsWith("[")) return "The host is an IP address. Use a public DNS name.";
  if (host.endsWith(".")) return "The host ends in a dot. Remove the dot.";
  const labels = host.split(".");
  const topLevel = labels.at(-1) ?? "";
  if (labels.every((label) => /^(?:0x[0-9a-f]*|\d+)$/.test(label))) {
    return "The host is an IP address. Use a public DNS name.";
  }
  if (labels.length < 2) return "The host has no dot, so it is not a public DNS name. Use a public DNS name.";
  if (host.length > MAX_HOST_LENGTH || !labels.every((label) => LABEL.test(label))) {
    return "The host is not a DNS name of ASCII letters, digits and hyphens. Use the host's ASCII (punycode) name.";
  }
  if (!TOP_LEVEL.test(topLevel)) return "The host does not end in a top-level domain. Use a public DNS name.";
  if (PRIVATE_TOP_LEVELS.has(topLevel))
    return "The host's name is reserved for private networks. Use a public DNS name.";
  if (PUBLIC_NAMES_OF_PRIVATE_HOSTS.some((name) => host === name || host.endsWith(`.${name}`))) {
    return "The host's name resolves to private addresses. Use another public DNS name.";
  }
  return null;
}

/** Whether a request would send path and query exactly as given. An empty path is sent as `/`. */
function isSentAsGiven(rest: string, url: URL): boolean {
  const given = rest.startsWith("/") ? rest : `/${rest}`;
  // Compares `href`, because `search` is empty both for a lone `?` and for no query.
  return url.href === `${url.origin}${given}`;
}

const ORIGIN = /^https?:\/\/[^/?#]*/i;
/** A path and query that the URL parser does not change, unless they contain dot segments. Excludes fragments. */
const PLAIN_REST = /^\/[\w~!$&()*+,;=:@/?%.-]*$/;
const DOT_SEGMENT = /\/(?:\.|%2e)/i;

/**
 * Returns a function for many addresses under the same rules. It returns the `detail` of `checkAddress`, or null for an
 * allowed address. It parses a plain path and query only if no earlier address with the same origin was allowed.
 */
export function addressFaults(rules: AddressRules): (address: string) => string | null {
  const passed = new Set<string>();
  return (address) => {
    const [origin = ""] = ORIGIN.exec(address) ?? [];
    const rest = address.slice(origin.length);
    if (passed.has(origin) && PLAIN_REST.test(rest) && !DOT_SEGMENT.test(rest)) return null;
    const check = checkAddress(address, rules);
    if (!check.ok) return check.detail;
    passed.add(origin);
    return null;
  };
}

/**
 * Decides by its text whether a request may be sent to an address. An allowed address is sent byte for byte, without its
 * fragment. An address that the URL parser would change is rejected. `detail` never quotes the address. Punycode hosts are
 * allowed: they name one host exactly, and look-alikes only deceive people.
 */
export function checkAddress(address: string, rules: AddressRules): AddressCheck {
  if (!/^[\x21-\x7e]*$/.test(address)) {
    return rejected(
      "The URL contains a space, a control character or a non-ASCII character. Percent-encode it.",
    );
  }
  if (address.includes("\\")) return rejected("The URL contains a backslash. Percent-encode it.");
  const parts = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(address);
  const [, written, authority, rest] = parts ?? [];
  const scheme = written?.toLowerCase();
  if (scheme === undefined || authority === undefined || rest === undefined) {
    return rejected("The URL does not begin with http:// or https://. Send an absolute URL.");
  }
  if (authority.includes("@"))
    return rejected("The URL contains a user name or password. Remove it; sign the URL instead.");

  const [, name, port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority) ?? [];
  if (name === undefined || name === "") return rejected("The URL contains no host. Send an absolute URL.");
  if (port !== undefined && (!PORT.test(port) || Number(port) > 65_535)) {
    return rejected(
      "The URL's port is not a number from 1 to 65535 in decimal digits. Correct or remove it.",
    );
  }
  const host = name.toLowerCase();

  if (!(rules.local && isLoopback(host))) {
    if (scheme === "http" && !rules.local) return rejected("The URL uses http. Use https.");
    const fault = publicHostFault(host);
    if (fault !== null) return rejected(fault);
    const standardPort = scheme === "https" ? "443" : "80";
    if (port !== undefined && port !== standardPort)
      return rejected(`The URL uses another port than ${standardPort}. Use port ${standardPort}.`);
  }
  if (
    rules.allowedHosts.length > 0 &&
    !rules.allowedHosts.some((allowed) => allowed.toLowerCase() === host)
  ) {
    return rejected(
      "The host is not among the partner's allowed hosts. Use one of them, or ask us to allow this host.",
    );
  }

  const url = URL.parse(address);
  if (url === null || url.hostname !== host)
    return rejected("The host is not a valid DNS name. Use a public DNS name.");
  if (!isSentAsGiven(rest, url)) {
    return rejected(
      "The URL's path or query contains dot segments or characters that must be percent-encoded (such as \" < > ' { }). Resolve the segments and encode the characters.",
    );
  }
  if (rules.ownHosts.some((ownHost) => pointsTo(url, ownHost))) {
    return rejected("The URL points to this service. Use the URL of another host.");
  }
  return { ok: true, url };
}
