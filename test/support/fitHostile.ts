import { T0 } from "./fitBuilder.ts";

/**
 * FIT files that are valid or nearly valid, and as expensive to decode as possible. Each kind gets its
 * maximum number of bytes. The bytes are written in place, so that 32 MiB take milliseconds.
 */

type FieldOf = readonly [number: number, size: number, baseType: number];
type DeveloperFieldOf = readonly [number: number, size: number, developerIndex: number];

const ENUM = 0x00;
const UINT8 = 0x02;
const STRING = 0x07;
const BYTE = 0x0d;
const UINT32 = 0x86;
const FLOAT32 = 0x88;
const UINT64 = 0x8f;
const SINT32 = 0x85;
const UINT16 = 0x84;

const TIMESTAMP: FieldOf = [253, 4, UINT32];
const RECORD = 20;
const SESSION = 18;
const HEADER_BYTES = 14;
const CRC_BYTES = 2;
const DEVELOPER_FIELDS = 64;
/** Smallest timestamp of a clock that was set. */
const CLOCK_IS_SET = 0x10000000;

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});

/** Writes one segment or a chain of segments up to a number of bytes. */
class Writer {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;
  private segmentAt = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.open();
  }

  /** Returns whether this many more bytes and the CRC fit. */
  fits(bytes: number): boolean {
    return this.at + bytes + CRC_BYTES <= this.bytes.length;
  }

  put(...values: readonly number[]): this {
    for (const value of values) this.bytes[this.at++] = value;
    return this;
  }

  uint16(value: number): this {
    this.view.setUint16(this.at, value, true);
    this.at += 2;
    return this;
  }

  uint32(value: number): this {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
    return this;
  }

  float32(value: number): this {
    this.view.setFloat32(this.at, value, true);
    this.at += 4;
    return this;
  }

  fill(value: number, count: number): this {
    this.bytes.fill(value, this.at, this.at + count);
    this.at += count;
    return this;
  }

  define(
    local: number,
    globalNumber: number,
    fields: readonly FieldOf[],
    developer: readonly DeveloperFieldOf[] = [],
    reserved = 0,
  ): this {
    const header = 0x40 | (developer.length > 0 ? 0x20 : 0) | local;
    this.put(header, reserved, 0, globalNumber & 0xff, globalNumber >> 8);
    this.put(fields.length, ...fields.flat());
    if (developer.length > 0) this.put(developer.length, ...developer.flat());
    return this;
  }

  /** Describes developer fields 0 to `count` - 1 as uint8. Each replaces `nativeField`, if one is given. */
  describe(count: number, nativeField = 0xff, name = "f"): this {
    const bytes = [...new TextEncoder().encode(name), 0];
    const fields: FieldOf[] = [
      [0, 1, UINT8],
      [1, 1, UINT8],
      [2, 1, UINT8],
      [15, 1, UINT8],
      [3, bytes.length, STRING],
    ];
    this.define(15, 206, fields);
    for (let number = 0; number < count; number++) this.put(15, 0, number, UINT8, nativeField, ...bytes);
    return this;
  }

  session(start: number, elapsedMilliseconds: number): this {
    this.define(14, SESSION, [TIMESTAMP, [2, 4, UINT32], [5, 1, ENUM], [7, 4, UINT32]]);
    return this.put(14).uint32(start).uint32(start).put(2).uint32(elapsedMilliseconds);
  }

  /** Ends the segment and begins another one. */
  next(): this {
    this.close();
    this.open();
    return this;
  }

  done(): Uint8Array {
    this.close();
    return this.bytes.subarray(0, this.at);
  }

  private open(): void {
    this.segmentAt = this.at;
    this.put(HEADER_BYTES, 0x20, 0, 0, 0, 0, 0, 0, 0x2e, 0x46, 0x49, 0x54, 0, 0);
  }

  private close(): void {
    this.view.setUint32(this.segmentAt + 4, this.at - this.segmentAt - HEADER_BYTES, true);
    let crc = 0;
    for (let at = this.segmentAt; at < this.at; at++) {
      crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (this.bytes[at] ?? 0)) & 0xff] ?? 0);
    }
    this.uint16(crc);
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const developerFields = (from: number, count: number): DeveloperFieldOf[] =>
  range(count).map((i) => [from + i, 1, 0]);
/** Returns a pseudo-random integer from 0 to `below` - 1 for each `i`. */
const scattered = (i: number, below: number): number =>
  Math.floor(((Math.imul(i, 0x9e3779b1) >>> 0) / 2 ** 32) * below);

/** Returns a file of as many equal messages of one definition as fit. */
function repeated(
  size: number,
  globalNumber: number,
  fields: readonly FieldOf[],
  data: readonly number[],
): Uint8Array {
  const writer = new Writer(size).session(T0, 1_000).define(0, globalNumber, fields);
  while (writer.fits(1 + data.length)) writer.put(0, ...data);
  return writer.done();
}

/**
 * Returns a file that repeats one definition as often as fits, each followed by a message if `data` is given. A new
 * segment begins after every 900,000 definitions.
 */
function redefined(
  size: number,
  globalNumber: number,
  fields: readonly FieldOf[],
  developer: readonly DeveloperFieldOf[],
  data: readonly number[] | null,
): Uint8Array {
  const writer = new Writer(size).session(T0, 1_000);
  const bytes = 7 + 3 * fields.length + 3 * developer.length + 1 + (data?.length ?? 0);
  for (let i = 0; writer.fits(bytes + HEADER_BYTES + CRC_BYTES); i++) {
    // Alternate the reserved byte, because the decoder recognizes a definition that equals the last.
    writer.define(0, globalNumber, fields, developer, i & 1);
    if (data !== null) writer.put(0, ...data);
    if (i % 900_000 === 899_999) writer.next();
  }
  return writer.done();
}

/**
 * Returns a file with few readings per row, spread over 64 developer fields. Rows use 14 definitions in turn. The
 * definitions change every 256 rows, so that all fields have readings.
 */
export function sparseRows(
  size: number,
  fieldsOfRow: number,
  { nativeField = 0xff, step = 1, rows = Infinity, random = false } = {},
): Uint8Array {
  const writer = new Writer(size).describe(DEVELOPER_FIELDS, nativeField).session(T0, 0xfffffff0);
  // A field becomes a column only if the definition of some record contains it.
  writer.define(13, RECORD, [TIMESTAMP], developerFields(0, DEVELOPER_FIELDS));
  for (let i = 0; i < rows && writer.fits(300 + 5 + fieldsOfRow); i++) {
    if (i % 256 < 14) {
      const from = scattered(i, DEVELOPER_FIELDS - fieldsOfRow + 1);
      writer.define((i % 256) % 14, RECORD, [TIMESTAMP], developerFields(from, fieldsOfRow));
    }
    writer.put((i % 256) % 14).uint32(T0 + i * step);
    for (let j = 0; j < fieldsOfRow; j++) writer.put(random ? scattered(i * 64 + j, 250) : (i * 7 + j) % 250);
  }
  return writer.done();
}

/**
 * Returns a file with rows of one byte: compressed timestamps without fields. Only the first and the last row have the
 * 64 columns.
 */
function bareRows(size: number, nativeField = 0xff): Uint8Array {
  const writer = new Writer(size).describe(DEVELOPER_FIELDS, nativeField);
  writer.define(1, RECORD, [TIMESTAMP], developerFields(0, DEVELOPER_FIELDS));
  writer.put(1).uint32(T0).fill(0xff, DEVELOPER_FIELDS);
  writer.define(0, RECORD, []);
  for (let i = 1; writer.fits(1 + 5 + DEVELOPER_FIELDS) && i < 2_999_990; i++) writer.put(0x80 | (i & 0x1f));
  writer
    .put(1)
    .uint32(T0 + 3_100_000)
    .fill(7, DEVELOPER_FIELDS);
  return writer.done();
}

/** Returns a file with this many sessions, and records that jump between them. */
export function leapingSessions(size: number, sessions = 100, records = Infinity): Uint8Array {
  const writer = new Writer(size);
  for (let i = 0; i < sessions; i++) writer.session(T0 + 1_000 * i, 500_000 + i);
  writer.define(0, RECORD, [TIMESTAMP, [3, 1, UINT8]]);
  for (let i = 0; i < records && writer.fits(6); i++) {
    writer
      .put(0)
      .uint32(T0 + scattered(i, 1_000 * sessions))
      .put(100 + (i % 50));
  }
  return writer.done();
}

/** Returns a file with 100 sessions that all contain every record. */
function sessionsOverAll(size: number): Uint8Array {
  const writer = new Writer(size);
  for (let i = 0; i < 100; i++) writer.session(T0, 0xfffffff0);
  writer.define(0, RECORD, [TIMESTAMP, [7, 2, UINT16], [3, 1, UINT8]]);
  for (let i = 0; writer.fits(8); i++)
    writer
      .put(0)
      .uint32(T0 + i)
      .uint16(i % 900)
      .put(100);
  return writer.done();
}

/** Returns a file with 1,000,000 seconds of stored heart rates, then records without heart rate in random order. */
function scatteredHeartRates(size: number): Uint8Array {
  const writer = new Writer(size).session(T0, 0xfffffff0);
  writer.define(0, 132, [TIMESTAMP, [0, 2, UINT16], [6, 32, UINT8], [9, 128, UINT32]]);
  for (let second = 0; second < 1_040_000 && writer.fits(167); second += 32) {
    writer.put(0).uint32(T0).uint16(0).fill(120, 32);
    for (let i = 0; i < 32; i++) writer.uint32(((second + i) * 1024) % 0xffffffff);
  }
  writer.define(0, RECORD, [TIMESTAMP]);
  for (let i = 0; writer.fits(5); i++) writer.put(0).uint32(T0 + scattered(i, 4_000_000));
  return writer.done();
}

/** Returns a file with records that jump between 100 sessions, each followed by a message with an interval. */
function leapingIntervals(size: number): Uint8Array {
  const writer = new Writer(size);
  for (let i = 0; i < 100; i++) writer.session(T0 + 1_000 * i, 500_000 + i);
  writer.define(0, RECORD, [TIMESTAMP]).define(1, 78, [[0, 2, UINT16]]);
  for (let i = 0; writer.fits(8); i++) {
    const time = T0 + scattered(i, 100_000);
    writer.put(0).uint32(time).put(1).uint16(800);
  }
  return writer.done();
}

/** Returns a file with intervals whose own timestamps jump between 100 sessions. */
function leapingBeats(size: number): Uint8Array {
  const writer = new Writer(size);
  for (let i = 0; i < 100; i++) writer.session(T0 + 1_000 * i, 500_000 + i);
  writer.define(0, 290, [TIMESTAMP, [1, 2, UINT16]]);
  for (let i = 0; writer.fits(7); i++) {
    writer
      .put(0)
      .uint32(T0 + scattered(i, 100_000))
      .uint16(800);
  }
  return writer.done();
}

/** Returns a file with random readings in all of 64 developer fields. */
function denseRows(size: number, nativeField = 0xff): Uint8Array {
  const writer = new Writer(size).describe(DEVELOPER_FIELDS, nativeField);
  writer.define(0, RECORD, [TIMESTAMP], developerFields(0, DEVELOPER_FIELDS));
  for (let i = 0; writer.fits(5 + DEVELOPER_FIELDS); i++) {
    writer.put(0).uint32(T0 + i * 10);
    for (let j = 0; j < DEVELOPER_FIELDS; j++) writer.put(scattered(i * 64 + j, 250));
  }
  return writer.done();
}

/** Returns a file with more rows than one table holds, between messages without bytes. */
function rowsAmongNothing(size: number): Uint8Array {
  const writer = new Writer(size);
  writer.define(0, RECORD, [TIMESTAMP, [3, 1, UINT8]]).define(1, 0xff00, []);
  const rows = Math.min(1_050_000, Math.floor(size / 30));
  const between = Math.floor(size / rows) - 7;
  for (let i = 0; i < rows && writer.fits(6 + between); i++) {
    writer
      .put(0)
      .uint32(T0 + i)
      .put(i % 200)
      .fill(1, between);
  }
  return writer.done();
}

/** Returns 1,000 segments with a correct or a too large size in each header. */
function chained(size: number, hasRightSize: boolean): Uint8Array {
  const bytes = new Uint8Array(size);
  const segments = 1_000;
  const each = Math.floor(size / segments);
  for (let i = 0; i < segments; i++) {
    const writer = new Writer(each).session(T0 + i, 1_000).define(0, RECORD, [TIMESTAMP, [3, 1, UINT8]]);
    for (let row = 0; writer.fits(6); row++)
      writer
        .put(0)
        .uint32(T0 + i + row)
        .put(99);
    const segment = writer.done();
    if (!hasRightSize) new DataView(segment.buffer).setUint32(4, 0x7fffffff, true);
    bytes.set(segment, i * each);
    if (each > segment.length && hasRightSize) return chainOf(segment, segments);
  }
  return bytes;
}

function chainOf(segment: Uint8Array, segments: number): Uint8Array {
  const bytes = new Uint8Array(segment.length * segments);
  for (let i = 0; i < segments; i++) bytes.set(segment, i * segment.length);
  return bytes;
}

/** Returns a file with positions, power, heart rate and cadence in records that jump between two times far apart. */
function leapingClock(size: number): Uint8Array {
  const writer = new Writer(size);
  writer.define(0, RECORD, [
    TIMESTAMP,
    [0, 4, SINT32],
    [1, 4, SINT32],
    [7, 2, UINT16],
    [3, 1, UINT8],
    [4, 1, UINT8],
  ]);
  for (let i = 0; writer.fits(17); i++) {
    writer.put(0).uint32(i % 2 === 0 ? CLOCK_IS_SET + i : 0xfffffff0 - i);
    writer
      .uint32(i)
      .uint32(i)
      .uint16(i % 900)
      .put(i % 200, i % 100);
  }
  return writer.done();
}

function manySmall(size: number): Uint8Array {
  const writer = new Writer(size);
  for (let i = 0; i < 100; i++) writer.session(T0 + i, 10_000_000);
  writer.define(0, 21, [TIMESTAMP, [0, 1, ENUM], [1, 1, ENUM]]);
  for (let i = 0; i < 10_000; i++)
    writer
      .put(0)
      .uint32(T0 + i)
      .put(0, i % 2 === 0 ? 4 : 0);
  writer.define(0, 19, [
    [2, 4, UINT32],
    [35, 2, UINT16],
    [32, 2, UINT16],
  ]);
  for (let i = 0; i < 1_000; i++)
    writer
      .put(0)
      .uint32(T0 + i)
      .uint16(i)
      .uint16(4_000);
  writer.define(0, 101, [[2, 4, UINT32]]);
  for (let i = 0; i < 4_000; i++) writer.put(0).uint32(T0 + scattered(i, 1_000));
  writer.define(0, 23, [
    [0, 1, UINT8],
    [27, 200, STRING],
  ]);
  for (let i = 0; i < 64; i++) writer.put(0, i).fill(0x41, 200);
  writer.define(0, RECORD, [TIMESTAMP]);
  while (writer.fits(5)) writer.put(0).uint32(T0 + 50);
  return writer.done();
}

/** Builders of all kinds of hostile files, by name. Each gets the maximum size in bytes. */
export const HOSTILE_FILES: Readonly<Record<string, (size: number) => Uint8Array>> = {
  "file_id messages without bytes": (size) => repeated(size, 0, [], []),
  "file_id messages of one field": (size) => repeated(size, 0, [[0, 1, ENUM]], [4]),
  "unknown messages without bytes": (size) => repeated(size, 0xff00, [], []),
  "session messages without bytes": (size) => repeated(size, SESSION, [], []),
  "lap messages of one byte": (size) => repeated(size, 19, [[15, 1, UINT8]], [99]),
  "device_info messages without bytes": (size) => repeated(size, 23, [], []),
  "device_info messages of one byte": (size) => repeated(size, 23, [[0, 1, UINT8]], [1]),
  "device names of one byte": (size) => repeated(size, 23, [[27, 1, STRING]], [0x41]),
  "device names of 255 bytes": (size) =>
    repeated(size, 23, [[27, 255, STRING]], Array<number>(255).fill(0xf0)),
  "timer events": (size) =>
    repeated(
      size,
      21,
      [
        [0, 1, ENUM],
        [1, 1, ENUM],
      ],
      [0, 0],
    ),
  "field descriptions of names of two bytes": (size) => repeated(size, 206, [[3, 2, STRING]], [0x41, 0x41]),
  "hr messages without bytes": (size) => repeated(size, 132, [], []),
  "hr messages of one byte": (size) => repeated(size, 132, [[6, 1, UINT8]], [99]),
  "hr messages of 255 rates": (size) => repeated(size, 132, [[6, 255, UINT8]], Array<number>(255).fill(99)),
  "hr messages of packed event times": (size) =>
    repeated(
      size,
      132,
      [[10, 255, BYTE]],
      Array.from({ length: 255 }, (_, i) => i & 0x7f),
    ),
  "hr messages of packed event times and rates": (size) =>
    repeated(
      size,
      132,
      [
        [10, 12, BYTE],
        [6, 8, UINT8],
      ],
      Array.from({ length: 20 }, (_, i) => 1 + i),
    ),
  "hrv messages of one interval": (size) => repeated(size, 78, [[0, 2, UINT16]], [0x20, 3]),
  "hrv messages without intervals": (size) => repeated(size, 78, [[0, 2, UINT16]], [0xff, 0xff]),
  "hrv messages of 255 intervals": (size) =>
    repeated(size, 78, [[0, 255, UINT8]], Array<number>(255).fill(99)),
  "raw_bbi messages of 127 intervals": (size) =>
    repeated(
      size,
      372,
      [[1, 254, UINT16]],
      range(254).map((i) => (i & 1 ? 0x43 : (i * 7) & 0xff)),
    ),
  "raw_bbi messages of times, qualities and gaps": (size) =>
    repeated(
      size,
      372,
      [
        [2, 85, UINT8],
        [3, 85, UINT8],
        [4, 85, UINT8],
      ],
      range(255).map((i) => i & 1),
    ),
  "beat_intervals messages that leap between 100 sessions": leapingBeats,
  "100 sessions, records that leap between them, and intervals": leapingIntervals,
  "records of 2 bytes": (size) => repeated(size, RECORD, [[3, 1, UINT8]], [99]),
  "records of denormal floats": (size) => {
    const writer = new Writer(size).describe(DEVELOPER_FIELDS);
    writer.define(0, RECORD, [TIMESTAMP, [2, 4, FLOAT32], [5, 4, FLOAT32], [6, 4, FLOAT32], [7, 4, FLOAT32]]);
    for (let i = 0; writer.fits(21); i++)
      writer
        .put(0)
        .uint32(T0 + i)
        .float32(1e-44)
        .float32(2e-44)
        .float32(3e-44)
        .float32(4e-44);
    return writer.done();
  },
  "records of 64-bit integers": (size) =>
    repeated(
      size,
      RECORD,
      [
        [5, 8, UINT64],
        [6, 8, UINT64],
        [7, 8, UINT64],
        [3, 8, UINT64],
      ],
      Array.from({ length: 32 }, (_, i) => i),
    ),
  "records without a time among 64 columns": (size) => {
    const writer = new Writer(size).describe(DEVELOPER_FIELDS);
    writer.define(1, RECORD, [], developerFields(0, DEVELOPER_FIELDS)).put(1).fill(1, DEVELOPER_FIELDS);
    writer.define(0, RECORD, [[3, 1, UINT8]]);
    while (writer.fits(2)) writer.put(0, 0xff);
    return writer.done();
  },
  "definitions of records without fields": (size) => redefined(size, RECORD, [], [], null),
  "a definition before every record": (size) => redefined(size, RECORD, [[3, 1, UINT8]], [], [99]),
  "definitions of sessions": (size) => redefined(size, SESSION, [], [], null),
  "a definition before every lap": (size) => redefined(size, 19, [[15, 1, UINT8]], [], [99]),
  "record definitions of 255 fields": (size) =>
    redefined(
      size,
      RECORD,
      range(255).map((number) => [number, 1, UINT8]),
      [],
      null,
    ),
  "record definitions of 255 arrays of 255 bytes": (size) =>
    redefined(
      size,
      RECORD,
      range(255).map((number) => [number, 255, UINT8]),
      [],
      null,
    ),
  "record definitions of 255 fields of one number": (size) =>
    redefined(
      size,
      RECORD,
      range(255).map(() => [3, 1, UINT8]),
      [],
      null,
    ),
  "record definitions of 255 developer fields": (size) => {
    const writer = new Writer(size).describe(DEVELOPER_FIELDS);
    writer.define(0, RECORD, [[3, 1, UINT8]], developerFields(0, DEVELOPER_FIELDS));
    const fields: DeveloperFieldOf[] = range(255).map((i) => [63 - (i % 2), 1, 0]);
    for (let i = 0; writer.fits(8 + 3 * 255); i++) writer.define(0, RECORD, [], fields, i & 1);
    return writer.done();
  },
  "lap definitions of 255 fields": (size) =>
    redefined(
      size,
      19,
      range(255).map((number) => [number, 1, UINT8]),
      [],
      null,
    ),
  "rows of one developer field in 64": (size) => sparseRows(size, 1),
  "rows of one developer field in 64, without a pattern": (size) => sparseRows(size, 1, { random: true }),
  "rows of 20 developer fields in 64": (size) => sparseRows(size, 20, { random: true }),
  "rows of 64 developer fields": (size) => denseRows(size),
  "rows of 64 powers, 10 s apart": (size) => denseRows(size, 7),
  "rows of one power in 64, 10 s apart": (size) => sparseRows(size, 1, { nativeField: 7, step: 10 }),
  "rows of a byte among 64 columns": (size) => bareRows(size),
  "rows of a byte among 64 heart rates": (size) => bareRows(size, 3),
  "rows among messages without bytes": rowsAmongNothing,
  "100 sessions, records that leap between them": (size) => leapingSessions(size),
  "100 sessions over all records": sessionsOverAll,
  "a strap's rates, asked for out of order": scatteredHeartRates,
  "a clock that leaps back and forth": leapingClock,
  "everything that is bounded, at its bound": manySmall,
  "1,000 segments": (size) => chained(size, true),
  "1,000 segments of wrong sizes": (size) => chained(size, false),
};
