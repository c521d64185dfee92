/** Guesses the format of bytes that are neither a FIT file nor an archive, for the error's detail. */

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

/** Returns an error detail for partners. It never quotes the bytes. */
export function describeNotFit(bytes: Uint8Array): string {
  const looksLike = lookOf(bytes);
  const missing = 'The file is not a FIT file: bytes 8 to 11 are not ".FIT".';
  return looksLike === null ? missing : `${missing} It looks like ${looksLike}.`;
}

function lookOf(bytes: Uint8Array): string | null {
  const text = UTF8.decode(bytes.subarray(0, SNIFFED_BYTES)).trim();
  const markup = MARKUP.find(({ pattern }) => pattern.test(text));
  if (markup !== undefined) return markup.looksLike;
  // oxlint-disable-next-line no-control-regex -- text contains no control characters
  return text !== "" && !/[\u0000-\u0008\u000e-\u001f\ufffd]/.test(text) ? "text" : null;
}
