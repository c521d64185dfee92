/** What decides, beyond the fixed rules, which addresses may be reached. */
export interface AddressRules {
  /** True only under the local start: http and loopback hosts, with any port, are reachable as well. */
  local: boolean;
  /** When not empty, only these hosts, compared whole and without regard to case. */
  allowedHosts: readonly string[];
  /** Hosts of this service, each with its port where it is not the scheme's own: we never call ourselves. */
  ownHosts: readonly string[];
}

export type AddressCheck = { ok: true; url: URL } | { ok: false; detail: string };

/**
 * Top-level names that public DNS does not serve but private resolvers do (special-use, or taken by habit).
 * `.example` and `.invalid` resolve nowhere, so they are left to fail as unreachable.
 */
const PRIVATE_TOP_LEVELS = new Set(
  (
    "alt arpa bit consul corp domain exit gnu home host i2p internal intranet k8s lan local localdomain " +
    "localhost mail onion priv private svc test workgroup zkey"
  ).split(" "),
);

/** Public names, and all below them, that stand for loopback, for an address in their label, or for a metadata service. */
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

/** RFC 1123 labels, and the underscore that real storage hosts use. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** No top-level name holds a digit unless it is punycode; every notation of an IPv4 address ends in one. */
const TOP_LEVEL = /^(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/;
const LOOPBACK_V4 = /^127(?:\.(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])){3}$/;
const PORT = /^[1-9]\d{0,4}$/;
/** RFC 1035: a name's text is at most 253 characters. */
const MAX_HOST_LENGTH = 253;

function refused(detail: string): AddressCheck {
  return { ok: false, detail };
}

/** Whether a host, as `URL.hostname` writes it, is this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || LOOPBACK_V4.test(host);
}

/** Whether a URL leads to `ownHost`: the same port, and the same name or another spelling of loopback. */
function isOwn(url: URL, ownHost: string): boolean {
  const own = URL.parse(`${url.protocol}//${ownHost}`);
  if (own === null || own.port !== url.port) return false;
  return own.hostname === url.hostname || (isLoopback(own.hostname) && isLoopback(url.hostname));
}

/** Null when the host is a public DNS name in plain form; otherwise why it is not. */
function publicHostFault(host: string): string | null {
  if (host.startsWith("[")) return "The host is an IP address; use a DNS name.";
  if (host.endsWith(".")) return "The host ends in a dot; leave it out.";
  const labels = host.split(".");
  const topLevel = labels.at(-1) ?? "";
  if (labels.every((label) => /^(?:0x[0-9a-f]*|\d+)$/.test(label))) {
    return "The host is an IP address; use a DNS name.";
  }
  if (labels.length < 2) return "The host is not a public DNS name: it has no dot.";
  if (host.length > MAX_HOST_LENGTH || !labels.every((label) => LABEL.test(label))) {
    return "The host is not a DNS name in plain ASCII letters, digits and hyphens.";
  }
  if (!TOP_LEVEL.test(topLevel)) return "The host does not end in a top-level domain.";
  if (PRIVATE_TOP_LEVELS.has(topLevel)) return "The host's name is reserved for private networks.";
  if (PUBLIC_NAMES_OF_PRIVATE_HOSTS.some((name) => host === name || host.endsWith(`.${name}`))) {
    return "The host's name stands for a private address.";
  }
  return null;
}

/** Whether our request would carry path and query exactly as given; an empty path is sent as `/`. */
function isSentAsGiven(rest: string, url: URL): boolean {
  const given = rest.startsWith("/") ? rest : `/${rest}`;
  // `href` and not its parts: these do not tell `?` alone from no query.
  return url.href === `${url.origin}${given}`;
}

const ORIGIN = /^https?:\/\/[^/?#]*/i;
/** A path and query that no parser rewrites: none of the characters it would encode, no dot segments, no fragment. */
const PLAIN_REST = /^\/[\w~!$&()*+,;=:@/?%.-]*$/;
const DOT_SEGMENT = /\/(?:\.|%2e)/i;

/**
 * `checkAddress` for many addresses under the same rules: what is wrong with one, or null. Where an address that
 * passed leads to the same host, a plain path and query need no parser.
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
 * Decides whether an address may be reached, by its text as it stands: what passes is sent byte for byte (but no
 * fragment), what a parser would rewrite is refused, with a `detail` that says how to write it and never quotes it.
 * A punycode host passes: it names one host exactly, and no person is there to mistake it for another.
 */
export function checkAddress(address: string, rules: AddressRules): AddressCheck {
  if (!/^[\x21-\x7e]*$/.test(address)) {
    return refused("The URL holds a space, a control character or a non-ASCII character; percent-encode it.");
  }
  if (address.includes("\\")) return refused("The URL holds a backslash; percent-encode it.");
  const parts = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(address);
  const [, written, authority, rest] = parts ?? [];
  const scheme = written?.toLowerCase();
  if (scheme === undefined || authority === undefined || rest === undefined) {
    return refused("The URL does not begin with http:// or https://.");
  }
  if (authority.includes("@")) return refused("The URL holds a user name or password.");

  const [, name, port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority) ?? [];
  if (name === undefined || name === "") return refused("The URL names no host.");
  if (port !== undefined && (!PORT.test(port) || Number(port) > 65_535)) {
    return refused("The URL's port is not a number from 1 to 65535 in plain digits.");
  }
  const host = name.toLowerCase();

  if (!(rules.local && isLoopback(host))) {
    if (scheme === "http" && !rules.local) return refused("The URL must use https.");
    const fault = publicHostFault(host);
    if (fault !== null) return refused(fault);
    const standardPort = scheme === "https" ? "443" : "80";
    if (port !== undefined && port !== standardPort) return refused(`The URL must use port ${standardPort}.`);
  }
  if (
    rules.allowedHosts.length > 0 &&
    !rules.allowedHosts.some((allowed) => allowed.toLowerCase() === host)
  ) {
    return refused("The host is not among the partner's allowed hosts.");
  }

  const url = URL.parse(address);
  if (url === null || url.hostname !== host) return refused("The host is not a valid DNS name.");
  if (!isSentAsGiven(rest, url)) {
    return refused(
      "The URL's path or query holds dot segments or characters that must be percent-encoded (such as \" < > ' { }).",
    );
  }
  if (rules.ownHosts.some((ownHost) => isOwn(url, ownHost))) {
    return refused("The URL leads back to this service.");
  }
  return { ok: true, url };
}
