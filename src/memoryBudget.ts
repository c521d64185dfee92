/** An isolate has 128 MB for all its requests; this much of it may hold file bytes at one time. */
export const MEMORY_BUDGET_BYTES = 48 * 1024 * 1024;

let reservedBytes = 0;
const waiting: { bytes: number; admit: () => void }[] = [];

/** Gives reserved memory back; calling it twice is harmless. */
export type Release = () => void;

function take(bytes: number): Release {
  reservedBytes += bytes;
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    reservedBytes -= bytes;
    while (waiting[0] !== undefined && reservedBytes + waiting[0].bytes <= MEMORY_BUDGET_BYTES) {
      waiting.shift()?.admit();
    }
  };
}

/** Reserves at once or not at all: for intake, which answers 503 when memory is short. */
export function tryReserve(bytes: number): Release | null {
  return waiting.length === 0 && reservedBytes + bytes <= MEMORY_BUDGET_BYTES ? take(bytes) : null;
}

/** Waits its turn, first come first served: for imports. More than the whole budget is taken as the whole budget. */
export async function reserve(bytes: number): Promise<Release> {
  const wanted = Math.min(bytes, MEMORY_BUDGET_BYTES);
  const now = tryReserve(wanted);
  if (now !== null) return now;
  return new Promise((resolve) => {
    waiting.push({ bytes: wanted, admit: () => resolve(take(wanted)) });
  });
}
