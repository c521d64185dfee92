import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { MAX_FILE_BYTES } from "../../src/contract/limits.ts";
import { unwrap } from "../../src/files/unwrap.ts";
import { rideFile } from "../support/rideFile.ts";
import { zipOf } from "../support/zip.ts";

const MiB = 1024 * 1024;
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Returns bytes that begin like a FIT file. Unpacking does not read the rest. */
function fitOf(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  if (seed > 0) for (let index = 0; index < size; index += 1) bytes[index] = index * seed;
  bytes.set([14, 0x20, 0, 0, 0, 0, 0, 0, 0x2e, 0x46, 0x49, 0x54]);
  return bytes;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function expectFit(bytes: Uint8Array, container: string, fit: Uint8Array) {
  const result = unwrap(bytes);
  if (!result.ok) throw new Error(result.detail);
  expect(result.container).toBe(container);
  expect(result.fit.byteLength).toBe(fit.byteLength);
  expect(Buffer.compare(result.fit, fit)).toBe(0);
}

function expectFault(bytes: Uint8Array, code: string, detail: RegExp) {
  const result = unwrap(bytes);
  if (result.ok) throw new Error(`unpacked a FIT file of ${result.fit.byteLength} bytes`);
  expect(result.code).toBe(code);
  expect(result.detail).toMatch(detail);
}

describe("A FIT file is found", () => {
  const fit = fitOf(5_000);

  test("without an archive", () => expectFit(fit, "fit", fit));
  test("when its header is 12 or 16 bytes long", () => {
    for (const headerBytes of [12, 16]) {
      const other = Uint8Array.from(fit);
      other[0] = headerBytes;
      expectFit(other, "fit", other);
    }
  });
  test("in a gzip", () => expectFit(gzipSync(fit), "gzip", fit));
  test("in a gzip of several members", () => {
    expectFit(joined(gzipSync(fit.subarray(0, 1_000)), gzipSync(fit.subarray(1_000))), "gzip", fit);
  });
  test("in a gzip padded with zeros", () =>
    expectFit(joined(gzipSync(fit), new Uint8Array(512)), "gzip", fit));
  test("in a zip, deflated or stored, whatever its name", () => {
    expectFit(zipOf([{ name: "a.fit", content: fit }]), "zip", fit);
    expectFit(zipOf([{ name: "ride", content: fit, method: 0 }]), "zip", fit);
    expectFit(zipOf([{ name: "größe.txt", content: fit }], "a comment"), "zip", fit);
  });
  test("in a zip beside other files", () => {
    const zip = zipOf([
      { name: "ride/", content: new Uint8Array(), method: 0 },
      { name: "__MACOSX/ride/._a.fit", content: fitOf(100) },
      { name: "readme.txt", content: bytesOf("hello") },
      { name: "ride/a.fit", content: fit },
      { name: "claims-to-be.fit", content: bytesOf("<gpx></gpx>") },
    ]);
    expectFit(zip, "zip", fit);
  });
  test("at the maximum size", () => {
    const largest = fitOf(MAX_FILE_BYTES, 0);
    expectFit(gzipSync(largest), "gzip", largest);
    expectFit(zipOf([{ name: "a.fit", content: largest }]), "zip", largest);
  });
});

describe("A file that is not FIT is described", () => {
  test.each([
    ['<?xml version="1.0"?>\n<gpx version="1.1">', "GPX"],
    ["\ufeff<?xml version='1.0'?><TrainingCenterDatabase xmlns='x'>", "TCX"],
    ["\n <!DOCTYPE html><html>Link expired", "HTML"],
    ['<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"],
    [' {"error":"expired"}', "JSON"],
    ["time,heart_rate\n0,120\n", "text"],
  ])("%j looks like %s, in a gzip too", (content, name) => {
    expectFault(
      bytesOf(content),
      "not_fit",
      new RegExp(`^The file is not a FIT file.* It looks like ${name}\\.$`),
    );
    expectFault(gzipSync(bytesOf(content)), "not_fit", new RegExp(`^Inside the gzip .* like ${name}\\.$`));
  });

  test("an empty file is file_empty", () => {
    expectFault(new Uint8Array(), "file_empty", /empty/);
    expectFault(gzipSync(new Uint8Array()), "file_empty", /empty/);
  });
});

describe("A damaged or nested gzip is archive_invalid", () => {
  const gzip = gzipSync(fitOf(50_000, 7));
  const flipped = Uint8Array.from(gzip);
  flipped[flipped.length - 6] = (flipped.at(-6) ?? 0) ^ 1;

  test.each([
    ["cut off", gzip.subarray(0, gzip.length - 100)],
    ["with only its first bytes", gzip.subarray(0, 2)],
    ["with a wrong checksum", flipped],
    ["with trailing bytes", joined(gzip, bytesOf("trailing bytes"))],
    ["with a damaged second member", joined(gzip, gzip.subarray(0, 50))],
  ])("%s", (_, bytes) => expectFault(bytes, "archive_invalid", /damaged or cut off/));

  test("an archive inside it", () => {
    expectFault(gzipSync(gzip), "archive_invalid", /another archive/);
    expectFault(gzipSync(zipOf([{ name: "a", content: fitOf(50) }])), "archive_invalid", /another archive/);
  });
});

describe("An unusable zip is archive_invalid", () => {
  const fit = fitOf(50_000, 7);
  const name = "a.fit";
  const zip = zipOf([{ name, content: fit }]);
  const broken = Uint8Array.from(zip);
  broken.fill(0xff, 500, 520);

  test.each([
    ["without a file", zipOf([]), /no file/],
    ["without a FIT file", zipOf([{ name, content: bytesOf("<gpx>") }]), /no FIT file/],
    [
      "with two FIT files",
      zipOf([
        { name, content: fit },
        { name: "b", content: fit },
      ]),
      /more than one/,
    ],
    ["cut off", zip.subarray(0, zip.length - 10), /damaged, cut off/],
    ["with only its first bytes", bytesOf("PK\u0003\u0004"), /damaged, cut off/],
    ["with a damaged body", broken, /FIT file is damaged/],
    ["with a wrong checksum", zipOf([{ name, content: fit, claims: { crc: 1 } }]), /FIT file is damaged/],
    ["with a wrong size", zipOf([{ name, content: fit, claims: { size: 1 } }]), /FIT file is damaged/],
    ["encrypted", zipOf([{ name, content: fit, flags: 1 }]), /encrypted/],
    ["with another compression method", zipOf([{ name, content: fit, method: 93 }]), /other than deflate/],
    [
      "with an entry outside the archive",
      zipOf([{ name, content: fit, claims: { offset: 0xffffffff } }]),
      /zip64/,
    ],
    [
      "with a size outside the archive",
      zipOf([{ name, content: fit, claims: { compressedSize: 0xffffffff } }]),
      /zip64/,
    ],
    ["with a gzip inside", zipOf([{ name, content: gzipSync(fit) }]), /another archive/],
    ["with a zip inside", zipOf([{ name, content: zip, method: 0 }]), /another archive/],
    [
      "with too many files",
      zipOf(Array.from({ length: 101 }, (_, i) => ({ name: `${i}`, content: fitOf(20) }))),
      /100 files/,
    ],
  ])("%s", (_, bytes, detail) => expectFault(bytes, "archive_invalid", detail));

  test("cut off or changed at any byte, unpacking never throws", () => {
    const small = zipOf([
      { name, content: fitOf(200, 7) },
      { name: "b.txt", content: bytesOf("hello") },
    ]);
    for (let at = 0; at < small.length; at += 1) {
      const changed = Uint8Array.from(small);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      expect(() => unwrap(changed)).not.toThrow();
      expect(() => unwrap(small.subarray(0, at))).not.toThrow();
    }
  });
});

describe("Unpacking stops at 32 MiB", () => {
  const bomb = fitOf(MAX_FILE_BYTES + 1, 0);

  test("in a gzip", () => expectFault(gzipSync(bomb), "file_too_large", /32 MiB/));
  test("in a gzip with very many members", () => {
    const member = gzipSync(fitOf(4 * MiB, 0));
    expectFault(joined(...Array.from({ length: 200 }, () => member)), "file_too_large", /32 MiB/);
  });
  test("in a zip, whatever size it states", () => {
    for (const size of [bomb.length, 100]) {
      expectFault(zipOf([{ name: "a", content: bomb, claims: { size } }]), "file_too_large", /32 MiB/);
    }
  });
  test("in a hundred entries that share their data", () => {
    const first = zipOf([{ name: "a", content: new Uint8Array(20 * MiB) }]);
    const shared = Array.from({ length: 99 }, () => ({
      name: "b",
      content: new Uint8Array(),
      claims: { offset: 0, compressedSize: 20_000 },
    }));
    const zip = joined(first.subarray(0, -22 - 47), zipOf(shared));
    expect(unwrap(zip).ok).toBe(false);
  });
});

describe("Before unpacking, the caller gets the size", () => {
  const fit = rideFile({ seconds: 2_000 });
  const asked = (bytes: Uint8Array) => {
    const sizes: number[] = [];
    const result = unwrap(bytes, (size) => sizes.push(size));
    return { sizes, ok: result.ok };
  };

  test("the size that the archive states, and none for a file without an archive", () => {
    expect(asked(gzipSync(fit))).toEqual({ sizes: [fit.byteLength], ok: true });
    expect(asked(fit)).toEqual({ sizes: [], ok: true });
  });

  test("then the maximum size, when the archive contains more than it states", () => {
    const understated = new Uint8Array(
      gzipSync(new Uint8Array(Buffer.concat([fit, new Uint8Array(50_000)]))),
    );
    const members = new Uint8Array(Buffer.concat([understated, gzipSync(new Uint8Array(10))]));
    expect(asked(members)).toEqual({ sizes: [10, MAX_FILE_BYTES], ok: true });
  });
});
