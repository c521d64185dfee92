import { concat } from "./fitBuilder.ts";

/** Returns damaged copies of a file: bytes changed, removed, repeated or cut off. The same seed gives the same copies. */
export function* mutants(file: Uint8Array, count: number, seed: number): Generator<Uint8Array> {
  const random = randomFrom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  for (let i = 0; i < count; i++) {
    let bytes: Uint8Array = file.slice();
    for (let change = 0; change <= below(8); change++) {
      const at = below(bytes.length);
      const kind = below(10);
      if (kind < 5) bytes[at] = below(256);
      else if (kind < 7) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
      else if (kind === 7) bytes = without(bytes, at, below(16));
      else if (kind === 8) bytes = withAgain(bytes, at, below(64));
      else bytes.fill(below(2) * 255, at, at + below(12));
    }
    yield below(10) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes;
  }
}

function without(bytes: Uint8Array, at: number, length: number): Uint8Array {
  return concat(bytes.subarray(0, at), bytes.subarray(at + length));
}

function withAgain(bytes: Uint8Array, at: number, length: number): Uint8Array {
  return concat(bytes.subarray(0, at + length), bytes.subarray(at));
}

/** mulberry32: returns numbers in [0, 1) that depend only on the seed. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
