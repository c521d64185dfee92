import { crc32, deflateRawSync } from "node:zlib";

interface Entry {
  name: string;
  content: Uint8Array;
  method?: number;
  flags?: number;
  /** Values in the archive's headers, if they differ from the real ones. */
  claims?: { crc?: number; size?: number; compressedSize?: number; offset?: number };
}

/** Returns a zip with sizes in the local headers, as most tools write it. */
export function zipOf(entries: Entry[], comment = ""): Uint8Array<ArrayBuffer> {
  const locals: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, content, method = 8, flags = 0, claims = {} } of entries) {
    const data = method === 8 ? deflateRawSync(content) : content;
    const label = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(label.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(claims.crc ?? crc32(content), 16);
    central.writeUInt32LE(claims.compressedSize ?? data.length, 20);
    central.writeUInt32LE(claims.size ?? content.length, 24);
    central.writeUInt16LE(label.length, 28);
    central.writeUInt32LE(claims.offset ?? offset, 42);
    locals.push(local, label, data);
    directory.push(central, label);
    offset += local.length + label.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return new Uint8Array(Buffer.concat([...locals, ...directory, end, Buffer.from(comment)]));
}
