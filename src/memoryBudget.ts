/** An isolate has 128 MB for all its requests; this much of it may hold file bytes at one time. */
export const MEMORY_BUDGET_BYTES = 48 * 1024 * 1024;

/** No download and no request lasts this long: whoever held memory since then was cancelled, and cannot say so. */
const LAPSES_AFTER_MS = 5 * 60_000;

interface Reservation {
  bytes: number;
  since: number;
}

const reservations = new Set<Reservation>();
const waiting: { bytes: number; admit: () => void }[] = [];

/** Gives reserved memory back; calling it twice is harmless. */
export type Release = () => void;

function fits(bytes: number): boolean {
  let reserved = 0;
  for (const reservation of reservations) {
    if (Date.now() - reservation.since > LAPSES_AFTER_MS) reservations.delete(reservation);
    else reserved += reservation.bytes;
  }
  return reserved + bytes <= MEMORY_BUDGET_BYTES;
}

function admitWaiting(): void {
  while (waiting[0] !== undefined && fits(waiting[0].bytes)) waiting.shift()?.admit();
}

function take(bytes: number): Release {
  const reservation = { bytes, since: Date.now() };
  reservations.add(reservation);
  return () => {
    reservations.delete(reservation);
    admitWaiting();
  };
}

/** Reserves at once or not at all: for intake, which answers 503 when memory is short. */
export function tryReserve(bytes: number): Release | null {
  admitWaiting();
  return waiting.length === 0 && fits(bytes) ? take(bytes) : null;
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
