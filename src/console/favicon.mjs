// Draws the console's icon: a track with a gap and a runner, as in parts/brand.tsx.
const COLOR = "#0b57b8";

/** The icon for browsers that show SVG. */
export const ICON_SVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M22.5 5.7a12 12 0 1 0 5 7.4" fill="none" stroke="${COLOR}" stroke-width="5" stroke-linecap="round"/><circle cx="25.5" cy="8" r="3.2" fill="${COLOR}"/></svg>\n`;

const SIZE = 32;
const HEADER_BYTES = 22;
const BITMAP_HEADER_BYTES = 40;
/** Samples of a pixel in each direction, for smooth edges. */
const SAMPLES = 4;

/** Returns whether the icon covers a point. */
function isInk(x, y) {
  if (Math.hypot(x - 25.5, y - 8) <= 3.2) return true;
  const [dx, dy] = [x - 16, y - 16];
  if (Math.abs(Math.hypot(dx, dy) - 12) > 2.5) return false;
  const degrees = (Math.atan2(-dy, dx) * 180) / Math.PI;
  return degrees < 14 || degrees > 57;
}

/** Returns the part of a pixel that the icon covers, from 0 to 255. */
function coverage(x, y) {
  let inside = 0;
  for (let sample = 0; sample < SAMPLES ** 2; sample += 1) {
    const offset = (index) => (index + 0.5) / SAMPLES;
    if (isInk(x + offset(sample % SAMPLES), y + offset(Math.floor(sample / SAMPLES)))) inside += 1;
  }
  return Math.round((inside / SAMPLES ** 2) * 255);
}

/** Returns the same icon as an ICO file with one bitmap. Some clients request only /favicon.ico. */
export function favicon() {
  const maskBytes = (SIZE * SIZE) / 8;
  const bitmapBytes = BITMAP_HEADER_BYTES + SIZE * SIZE * 4 + maskBytes;
  const file = Buffer.alloc(HEADER_BYTES + bitmapBytes);
  file.writeUInt16LE(1, 2); // An icon,
  file.writeUInt16LE(1, 4); // with one image
  file.writeUInt8(SIZE, 6);
  file.writeUInt8(SIZE, 7);
  file.writeUInt16LE(1, 10);
  file.writeUInt16LE(32, 12); // of 32 bits per pixel.
  file.writeUInt32LE(bitmapBytes, 14);
  file.writeUInt32LE(HEADER_BYTES, 18);
  file.writeUInt32LE(BITMAP_HEADER_BYTES, HEADER_BYTES);
  file.writeInt32LE(SIZE, HEADER_BYTES + 4);
  file.writeInt32LE(2 * SIZE, HEADER_BYTES + 8); // The height includes the mask.
  file.writeUInt16LE(1, HEADER_BYTES + 12);
  file.writeUInt16LE(32, HEADER_BYTES + 14);
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(COLOR.slice(at, at + 2), 16));
  for (let row = 0; row < SIZE; row += 1) {
    for (let x = 0; x < SIZE; x += 1) {
      // Rows are stored from the bottom up, pixels as blue, green, red and opacity.
      const at = HEADER_BYTES + BITMAP_HEADER_BYTES + ((SIZE - 1 - row) * SIZE + x) * 4;
      file.set([blue, green, red, coverage(x, row)], at);
    }
  }
  return file;
}
