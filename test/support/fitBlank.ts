const SESSION = 18;
/** Base types by their low five bits: bytes of a member, and the byte that an invalid value begins or consists of. */
const INVALID: Readonly<Record<number, { bytes: number; last: number; rest: number }>> = {
  0: { bytes: 1, last: 0xff, rest: 0xff },
  1: { bytes: 1, last: 0x7f, rest: 0xff },
  2: { bytes: 1, last: 0xff, rest: 0xff },
  3: { bytes: 2, last: 0x7f, rest: 0xff },
  4: { bytes: 2, last: 0xff, rest: 0xff },
  5: { bytes: 4, last: 0x7f, rest: 0xff },
  6: { bytes: 4, last: 0xff, rest: 0xff },
};

/** Returns a copy of a file in which the sessions lack some fields: they have their invalid value. CRCs become wrong. */
export function withoutSessionFields(file: Uint8Array, numbers: ReadonlySet<number>): Uint8Array {
  const bytes = file.slice();
  const view = new DataView(bytes.buffer);
  let at = 0;
  while (at + 12 < bytes.length && bytes[at + 8] === 0x2e) {
    const start = at + (bytes[at] ?? 0);
    const end = Math.min(bytes.length, start + view.getUint32(at + 4, true));
    blank(bytes, view, start, end, numbers);
    at = end + 2;
  }
  return bytes;
}

interface Layout {
  size: number;
  /** Fields to blank. */
  fields: { at: number; size: number; baseType: number }[];
  littleEndian: boolean;
}

function blank(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  numbers: ReadonlySet<number>,
): void {
  const layouts: (Layout | undefined)[] = [];
  let at = start;
  while (at < end) {
    const header = bytes[at] ?? 0;
    if ((header & 0xc0) === 0x40) {
      const littleEndian = bytes[at + 2] === 0;
      if (at + 6 > end) return;
      const isSession = view.getUint16(at + 3, littleEndian) === SESSION;
      const layout: Layout = { size: 0, fields: [], littleEndian };
      let next = at + 6 + 3 * (bytes[at + 5] ?? 0);
      for (let field = at + 6; field < next; field += 3) {
        const size = bytes[field + 1] ?? 0;
        if (isSession && numbers.has(bytes[field] ?? 0)) {
          layout.fields.push({ at: layout.size, size, baseType: (bytes[field + 2] ?? 0) & 0x1f });
        }
        layout.size += size;
      }
      if ((header & 0x20) !== 0) {
        const first = next + 1;
        next = first + 3 * (bytes[next] ?? 0);
        for (let field = first; field < next; field += 3) layout.size += bytes[field + 1] ?? 0;
      }
      layouts[header & 0x0f] = layout;
      at = next;
      continue;
    }
    const layout = layouts[header & 0x80 ? (header >> 5) & 3 : header & 0x0f];
    if (layout === undefined) return;
    for (const { at: offset, size, baseType } of layout.fields) {
      const invalid = INVALID[baseType];
      if (invalid === undefined) continue;
      for (let byte = 0; byte < size; byte++) {
        const isLast = byte % invalid.bytes === (layout.littleEndian ? invalid.bytes - 1 : 0);
        bytes[at + 1 + offset + byte] = isLast ? invalid.last : invalid.rest;
      }
    }
    at += 1 + layout.size;
  }
}
