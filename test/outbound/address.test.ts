import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressFaults, checkAddress } from "../../src/outbound/address.ts";

const production = { local: false, allowedHosts: [], ownHosts: [] };
const local = { local: true, allowedHosts: [], ownHosts: [] };

/** Addresses that a deployed service must reject. */
const hostile = {
  "other schemes": [
    "",
    "files.example.com/a.fit",
    "//files.example.com/a.fit",
    "ftp://files.example.com/a.fit",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/plain,x",
    "gopher://files.example.com/",
    "ws://files.example.com/",
    "https:/files.example.com/a",
    "https:files.example.com/a",
    "https:///files.example.com/a",
    "HTTP://files.example.com/a.fit",
    "http://files.example.com/a.fit",
    "http://files.example.com:443/a.fit",
  ],
  "loopback and IPv4 in any notation": [
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://localhost.localdomain/",
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://127.1/",
    "https://127.255.255.254/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0177.0.0x1/",
    "https://127.0.0.0x1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://0x/",
    "https://a.b.0x/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://8.8.8.8/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://256.256.256.256/",
    "https://1.2.3.4.5/",
    "https://%31%32%37.0.0.1/",
    "https://127%2e0%2e0%2e1/",
  ],
  "IPv6 in all notations": [
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[0000::0001]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[fc00::1]/",
    "https://[ff02::1]/",
    "https://[2606:4700:4700::1111]/",
    "https://::1/",
    "https://[::1/",
    "https://[]/",
    "https://[v1.fe80]/",
  ],
  "private, metadata and special-use names": [
    "https://metadata/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://METADATA.GOOGLE.INTERNAL/",
    "https://metadata.goog/",
    "https://metadata.tencentyun.com/",
    "https://instance-data.ec2.internal/",
    "https://host.docker.internal/",
    "https://kubernetes.default.svc/",
    "https://kubernetes.default.svc.cluster.local/",
    "https://printer.local/",
    "https://router.lan/",
    "https://router.home.arpa/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://intranet.corp/",
    "https://files.test/",
    "https://abcdef.onion/",
    "https://intranet/",
    "https://files.example.com./",
    "https://files..example.com/",
    "https://.example.com/",
    "https://127.0.0.1.nip.io/",
    "https://a9fea9fe.sslip.io/",
    "https://localtest.me/",
    "https://files.lvh.me/",
  ],
  "user names, ports and other ways to hide the host": [
    "https://user@files.example.com/",
    "https://user:password@files.example.com/",
    "https://files.example.com@127.0.0.1/",
    "https://@files.example.com/",
    "https://files.example.com:80/",
    "https://files.example.com:8443/",
    "https://files.example.com:22/",
    "https://files.example.com:0/",
    "https://files.example.com:/",
    "https://files.example.com:0443/",
    "https://files.example.com:+443/",
    "https://files.example.com:65979/",
    "https://files.example.com:443:443/",
    "https://",
    "https:///",
    "https://:443/",
    "https://?x",
    "https://files.example.com\\@127.0.0.1/",
    "https://files.example.com\\a",
    "https:\\\\files.example.com/",
    "https://files.example.com/a\\b",
    " https://files.example.com/",
    "https://files.example.com/ ",
    "https://files.exa mple.com/",
    "https://files.exam\tple.com/",
    "https://files.exam\nple.com/",
    "https://files.example.com/a\r\nHost: other",
    "https://files.example.com/a\u0000b",
    "https://files.example.com/\u007f",
    "https://files.exa\u00admple.com/",
    "https://files.example%2ecom/",
    "https://files.example.com%00.evil.com/",
    "https://files_/example.com",
    "https://-files.example.com/",
    "https://files-.example.com/",
    "https://files.example.c0m/",
    "https://files.example.com,evil.com/",
    "https://files.*.com/",
    `https://${"a".repeat(64)}.example.com/`,
    `https://${"a.".repeat(130)}com/`,
  ],
  "look-alikes that a parser maps to something else": [
    "https://ⓛocalhost/",
    "https://ⓔxample.com/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://files．example．com/",
    "https://exаmple.com/",
    "https://münchen.de/",
    "https://faß.de/",
    "https://xn--.com/",
    "https://xn--localhost-.com/",
  ],
  "paths and queries that would not be sent as given": [
    "https://files.example.com/a/../b",
    "https://files.example.com/a/./b",
    "https://files.example.com/a/..",
    "https://files.example.com/a/%2e%2e/b",
    "https://files.example.com/.%2E/b",
    "https://files.example.com/a b",
    "https://files.example.com/ü",
    "https://files.example.com/a<b>",
    "https://files.example.com/{id}",
    "https://files.example.com/?q='x'",
    'https://files.example.com/?q="x"',
  ],
};

/** Addresses that a deployed service must accept. Their path and query are sent as written. */
const good = [
  "https://files.example.com/a.fit",
  "https://files.example.com",
  "https://files.example.com?token=a",
  "https://files.example.com/",
  "https://files.example.com:443/a.fit",
  "https://Files.Example.COM/A.fit",
  "HTTPS://files.example.com/a%2Fb?x=",
  "hTTps://files.example.com",
  "https://a.b.c.d.e.example.co.uk/a",
  "https://my_bucket.s3.eu-central-1.amazonaws.com/a%2Fb.fit?X-Amz-Signature=0a&X-Amz-Credential=k%2F20261124%2Feu",
  "https://acct.blob.core.windows.net/c/f.fit?sv=2024-08-04&sig=Ab%2Fc%2Bd%3D%3D&se=2026-11-25T00%3A00%3A00Z",
  "https://storage.googleapis.com/b/o?GoogleAccessId=a%40b.iam.gserviceaccount.com&Expires=1&Signature=a+b/c==",
  "https://files.example.com/a+b?c+d=e+f",
  "https://files.example.com/?a=&b&=c&&d==",
  "https://files.example.com/?",
  "https://files.example.com/a//b///c",
  "https://files.example.com/%41%7e%2D%zz",
  "https://files.example.com/a;v=1,2:3@4!$&'()*~",
  "https://files.example.com/...a/b..",
  "https://files.example.com/a?redirect=https://127.0.0.1/%2e%2e/..",
  "https://files.example.com/a?x[]=1&y={2}|3^4`",
  "https://files.example.com/a?b?c/d",
  "https://xn--mnchen-3ya.de/a",
  "https://files.xn--p1ai/a",
  "https://123.example.com/a",
  "https://partner.workers.dev/a",
  "https://internal.example.com/localhost",
  "https://files.example/a",
  `https://files.example.com/${"a".repeat(8_000)}`,
];

describe("Hostile addresses are rejected", () => {
  for (const [family, addresses] of Object.entries(hostile)) {
    test.each(addresses)(`${family}: %j`, (address) => {
      const check = checkAddress(address, production);
      expect(check).toEqual({ ok: false, detail: expect.stringMatching(/^The [^\n]+\.$/) });
    });
  }
  test("the list contains more than 60 of them", () => {
    expect(Object.values(hostile).flat().length).toBeGreaterThan(60);
  });
});

describe("Ordinary and signed URLs are accepted", () => {
  test.each(good)("and are sent as given: %j", (address) => {
    const check = checkAddress(address, production);
    if (!check.ok) throw new Error(check.detail);
    const rest = /^https:\/\/[^/?]*(.*)$/i.exec(address)?.[1] ?? "";
    const sent = new Request(check.url).url.replace(/^https:\/\/[^/]*/, "");
    expect(sent).toBe(rest.startsWith("/") ? rest : `/${rest}`);
    expect(check.url.origin).toBe(`https://${/^https:\/\/([^/?:]*)/i.exec(address)?.[1]?.toLowerCase()}`);
  });
});

describe("On a local service", () => {
  test.each([
    "http://127.0.0.1:9000/a%2Fb?x=",
    "http://127.8.9.10/",
    "https://localhost:8443/",
    "http://localhost/",
    "http://[::1]:1/",
    "HTTP://localhost:9000/",
    "http://files.example.com/",
    "https://files.example.com/",
  ])("http and loopback are accepted: %j", (address) => {
    expect(checkAddress(address, local).ok).toBe(true);
  });

  test.each([
    "http://127.1/",
    "http://0x7f.0.0.1:9000/",
    "http://2130706433/",
    "http://127.0.0.1.:9000/",
    "http://127.0.0.256/",
    "http://127.0.0.01/",
    "http://user@127.0.0.1:9000/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/",
    "http://a.localhost/",
    "http://[::ffff:127.0.0.1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://0.0.0.0:9000/",
    "http://10.0.0.1/",
    "http://192.168.0.1:9000/",
    "http://169.254.169.254/",
    "http://metadata.google.internal/",
    "http://files.example.com:8080/",
    "https://files.example.com:80/",
    "http://intranet:9000/",
  ])("other private addresses are rejected: %j", (address) => {
    expect(checkAddress(address, local).ok).toBe(false);
  });
});

describe("With a partner's list of hosts", () => {
  const listed = { ...production, allowedHosts: ["files.example.com", "CDN.example.com"] };
  test.each(["https://files.example.com/a", "https://FILES.example.com/a", "https://cdn.example.com/a"])(
    "a listed host is accepted: %j",
    (address) => expect(checkAddress(address, listed).ok).toBe(true),
  );
  test.each([
    "https://example.com/a",
    "https://a.files.example.com/a",
    "https://files.example.com.evil.com/a",
    "https://evil.com/files.example.com",
  ])("any other host is rejected: %j", (address) => expect(checkAddress(address, listed).ok).toBe(false));

  test("a listed private name is still rejected", () => {
    for (const host of ["127.0.0.1", "localhost", "db.internal"]) {
      expect(checkAddress(`https://${host}/`, { ...production, allowedHosts: [host] }).ok).toBe(false);
    }
  });
});

test("Addresses of this service are rejected", () => {
  const rules = { ...production, ownHosts: ["files.api.example.com", "API.example.com"] };
  expect(checkAddress("https://api.example.com/health/", rules).ok).toBe(false);
  expect(checkAddress("https://api.example.com:443/", rules).ok).toBe(false);
  expect(checkAddress("https://files.example.com/", rules).ok).toBe(true);
});

test("On a local service, every spelling of loopback with its port is this service; another port is another host", () => {
  for (const ownHost of ["127.0.0.1:8787", "localhost:8787", "[::1]:8787"]) {
    const rules = { ...local, ownHosts: [ownHost] };
    for (const host of ["127.0.0.1", "localhost", "LOCALHOST", "127.1.2.3", "[::1]"]) {
      expect(checkAddress(`http://${host}:8787/health/`, rules).ok).toBe(false);
      expect(checkAddress(`http://${host}:8788/health/`, rules).ok).toBe(true);
    }
  }
});

test("A fault detail never quotes the address", () => {
  for (const address of Object.values(hostile).flat()) {
    const check = checkAddress(address.replaceAll(/\/(a|latest).*$/g, "/secret-token"), production);
    if (!check.ok) expect(check.detail).not.toMatch(/secret|example|127/);
  }
});

describe("Many addresses of one request are checked like each alone", () => {
  const alone = (address: string, rules: Parameters<typeof checkAddress>[1]) => {
    const check = checkAddress(address, rules);
    return check.ok ? null : check.detail;
  };
  const origins = [
    "https://files.example.com",
    "https://files.example.co",
    "https://FILES.example.com",
    "HTTPS://files.example.com",
    "HTTP://files.example.com",
    "https://files.example.com:443",
    "https://user@files.example.com",
    "https://files.example.com.",
    "https://localhost",
    "http://files.example.com",
    "http://127.0.0.1:9000",
    "",
  ];
  const pieces = [
    "/",
    ".",
    "..",
    "%2e",
    "%2E",
    "%2f",
    "?",
    "#",
    "a",
    "Z9",
    "-_~!$&()*+,;=:@%",
    "\\",
    "'",
    '"',
    "<",
    " ",
    "ü",
  ];
  const addresses = fc.array(
    fc
      .tuple(fc.constantFrom(...origins), fc.array(fc.constantFrom(...pieces), { maxLength: 8 }))
      .map(([origin, rest]) => origin + rest.join("")),
    { minLength: 1, maxLength: 12 },
  );

  test.each([
    ["on a deployed service", production],
    ["on a local service", local],
    ["with a list of hosts", { ...production, allowedHosts: ["files.example.com"] }],
  ])("%s", (_where, rules) => {
    fc.assert(
      fc.property(addresses, (list) => {
        const faultOf = addressFaults(rules);
        for (const address of list) expect(faultOf(address)).toBe(alone(address, rules));
      }),
      { seed: 20261125, numRuns: 2_000 },
    );
  });

  test("even if one host's name begins with another's", () => {
    const faultOf = addressFaults({ ...production, allowedHosts: ["files.example.com"] });
    expect(faultOf("https://files.example.com")).toBeNull();
    expect(faultOf("https://files.example.co/a")).toBe(
      "The host is not among the partner's allowed hosts. Use one of them, or ask us to allow this host.",
    );
    expect(faultOf("https://files.example.com.evil.com/a")).not.toBeNull();
  });
});
