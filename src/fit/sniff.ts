/** What bytes that are neither a FIT file nor an archive look like, for a partner who sent the wrong thing. */

const SNIFFED_BYTES = 1024;
const UTF8 = new TextDecoder("utf-8");

const MARKUP: readonly { readonly pattern: RegExp; readonly looksLike: string }[] = [
  { pattern: /<gpx[\s>]/i, looksLike: "GPX" },
  { pattern: /<TrainingCenterDatabase[\s>]/i, looksLike: "TCX" },
  { pattern: /<kml[\s>]/i, looksLike: "KML" },
  { pattern: /<!doctype html|<html[\s>]/i, looksLike: "HTML" },
  { pattern: /^<\?xml|^<[a-z]/i, looksLike: "XML" },
  { pattern: /^%PDF/, looksLike: "PDF" },
  { pattern: /^[{[]/, looksLike: "JSON" },
];

/** One sentence; it never repeats what the bytes say. */
export function describeNotFit(bytes: Uint8Array): string {
  const looksLike = lookOf(bytes);
  const missing = 'The file is not FIT: ".FIT" does not stand at byte 8.';
  return looksLike === null ? missing : `${missing} It looks like ${looksLike}.`;
}

function lookOf(bytes: Uint8Array): string | null {
  const text = UTF8.decode(bytes.subarray(0, SNIFFED_BYTES)).trim();
  const markup = MARKUP.find(({ pattern }) => pattern.test(text));
  if (markup !== undefined) return markup.looksLike;
  // oxlint-disable-next-line no-control-regex -- control characters are what text does not have
  return text !== "" && !/[\u0000-\u0008\u000e-\u001f\ufffd]/.test(text) ? "text" : null;
}
