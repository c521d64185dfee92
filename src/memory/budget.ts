import { wait } from "../concurrency/wait.ts";

const MIB = 1024 * 1024;

/** An isolate has 128 MB for all its requests. File bytes may take this much of it at one time. */
export const MEMORY_BUDGET_BYTES = 48 * MIB;
/** Share of the budget that intake may take: one largest file. */
export const INTAKE_BYTES = 32 * MIB;
/** Maximum size of all requests of one partner together, beside its largest one. */
export const INTAKE_BYTES_OF_PARTNER = Math.floor(INTAKE_BYTES / 3);
/**
 * A request over `INTAKE_BYTES`, such as an inspection with streams, is granted only without other requests, and while
 * everything reserved stays within this. The largest request: a file of 32 MiB and 2,000,000 numbers of 32 bytes.
 */
export const PEAK_BYTES = 96 * MIB;
/** Bytes that a download reserves before its GET. A larger body reserves the rest before it passes them. */
export const FIRST_BYTES = MIB;
/** Share that downloads may take by their first bytes: one of them can still grow to the largest file. */
export const STARTED_BYTES = 16 * MIB;
/** Share of one partner in it: its slow hosts leave the rest to other partners. */
export const STARTED_BYTES_OF_PARTNER = 12 * MIB;
/** Everything but first bytes takes at most this much: small files start while large ones are underway. */
const LARGER_BYTES = MEMORY_BUDGET_BYTES - 8 * MIB;
/** One partner holds one reservation over this size at a time. */
export const LARGE_BYTES = 16 * MIB;

/** Requests need no reservation for this much. */
export const UNCOUNTED_BYTES = 64 * 1024;
/** Requests up to this size are `small`. */
export const SMALL_BYTES = MIB;
/** Share of small requests, beside the budget: they pass while large files fill it. */
export const ALL_SMALL_BYTES = 16 * MIB;
/** Share of one partner in it, beside its largest one. */
export const SMALL_BYTES_OF_PARTNER = Math.floor(ALL_SMALL_BYTES / 3);

/** A waiting invocation looks for room this often. */
export const LOOK_EVERY_MS = 25;
/** A waiting invocation that has not looked for this long has ended. Decoding blocks all of them for up to 2 s. */
export const WAITING_LAPSES_AFTER_MS = 2_500;
const REFRESH_EVERY_MS = 1_000;
/** An invocation that has not refreshed its reservation for this long has ended without a release. */
export const HELD_LAPSES_AFTER_MS = 10_000;
/** No download and no request takes this long: what it holds does not count any more. */
const LONGEST_HOLD_MS = 5 * 60_000;
/** While an exclusive reservation waits, no download starts in its isolate. */
export const EXCLUSIVE_WAIT_MS = 15_000;

/**
 * `started`: first bytes of a download. `import`: bytes of a file to import. `intake`: bytes that a request sent or
 * asked for. `small`: the same of a small request, beside the budget. `exclusive`: the whole budget.
 */
type Kind = "started" | "import" | "intake" | "small" | "exclusive";

interface Reservation {
  partnerId: string;
  kind: Kind;
  bytes: number;
  since: number;
  refreshedAt: number;
}

/** A place in the line, refreshed by its own invocation. `grows` holds bytes already. */
interface Place {
  wanted: Pick<Reservation, "partnerId" | "kind" | "bytes">;
  grows: Reservation | null;
  ticket: number;
  refreshedAt: number;
}

/** Reserved memory of one invocation. */
export interface Hold {
  /** Gives back all but these bytes. */
  keep: (bytes: number) => void;
  /** Gives everything back. Calling it twice is harmless. */
  release: () => void;
}

/** Returns when a wait ends, in Unix milliseconds. Asked at every look; the end may have been put off meanwhile. */
export type Until = () => number;

/** The first bytes of a download. */
export interface StartedHold extends Hold {
  /** Waits for room for so many bytes in all. Returns false when there was none by then; it holds its first bytes still. */
  growTo: (bytes: number, until: Until) => Promise<boolean>;
}

/** Memory of a request: it reserves at once or not at all, and is answered with 503 when memory is short. */
export interface IntakeHold extends Hold {
  /**
   * Reserves so many bytes in all. Returns false when memory is short, or when the partner's other requests hold its
   * share; the request then holds what it held. Nothing is reserved up to 64 KiB.
   */
  tryGrowTo: (bytes: number) => boolean;
  /** Reserves so many bytes on top. Throws a `MemoryShortage`. */
  add: (bytes: number) => void;
  isReserved: () => boolean;
}

/** Where an import reserves its memory. Waits end at `until`, with null. */
export interface Memory {
  /** Reserves the first bytes of a download. */
  start: (until: Until) => Promise<StartedHold | null>;
  /** Reserves a number of bytes that is known. More than the larger reservations may take is cut to that. */
  reserve: (bytes: number, until: Until) => Promise<Hold | null>;
}

// Plain data that each invocation reads for itself: the runtime ends an invocation that waits for another one.
const reservations = new Set<Reservation>();
const line = new Set<Place>();
let tickets = 0;
/** The ticket of each partner's latest growth. Partners take turns: one that has grown goes behind those that wait. */
const latestGrowth = new Map<string, number>();

function dropEnded(nowMs: number): void {
  for (const held of reservations) {
    const isSilent = nowMs - held.refreshedAt > HELD_LAPSES_AFTER_MS;
    if (isSilent || nowMs - held.since > LONGEST_HOLD_MS) reservations.delete(held);
  }
  for (const place of line) {
    if (nowMs - place.refreshedAt > WAITING_LAPSES_AFTER_MS) line.delete(place);
  }
  if (reservations.size + line.size === 0) latestGrowth.clear();
}

type Asked = Pick<Place, "wanted" | "grows">;

function bytesHeld({ grows }: Asked, isCounted: (held: Reservation) => boolean): number {
  let bytes = 0;
  for (const held of reservations) if (held !== grows && isCounted(held)) bytes += held.bytes;
  return bytes;
}

/** Whether the partner's own reservations leave no room for this one: others do not wait behind it. */
function exceedsOwnShare(asked: Asked): boolean {
  const { partnerId, kind, bytes } = asked.wanted;
  if (kind === "exclusive") return false;
  const own = (held: Reservation) => held.partnerId === partnerId;
  if (kind === "started") {
    // A host may not wait while this partner's larger files take turns, so no further GET of it is sent meanwhile.
    for (const place of line) if (place.grows !== null && place.wanted.partnerId === partnerId) return true;
    const started = bytesHeld(asked, (held) => own(held) && held.kind === "started");
    return started + bytes > STARTED_BYTES_OF_PARTNER;
  }
  if (kind === "small") return besideLargest(asked, own) > SMALL_BYTES_OF_PARTNER;
  if (kind === "intake" && besideLargest(asked, own) > INTAKE_BYTES_OF_PARTNER) return true;
  return bytes > LARGE_BYTES && bytesHeld(asked, (held) => own(held) && held.bytes > LARGE_BYTES) > 0;
}

/** Returns the bytes of some reservations of the asked kind, with the asked one, but without the largest of all. */
function besideLargest(asked: Asked, isCounted: (held: Reservation) => boolean): number {
  const { kind, bytes } = asked.wanted;
  let [sum, largest] = [bytes, bytes];
  for (const held of reservations) {
    if (held === asked.grows || held.kind !== kind || !isCounted(held)) continue;
    sum += held.bytes;
    largest = Math.max(largest, held.bytes);
  }
  return sum - largest;
}

function fits(asked: Asked): boolean {
  const { kind, bytes } = asked.wanted;
  const withHeld = (isCounted: (held: Reservation) => boolean) => bytesHeld(asked, isCounted) + bytes;
  if (exceedsOwnShare(asked)) return false;
  if (kind === "small") return withHeld((held) => held.kind === "small") <= ALL_SMALL_BYTES;
  const all = withHeld((held) => held.kind !== "small");
  if (kind === "intake" && bytes > INTAKE_BYTES) {
    return all <= PEAK_BYTES && withHeld((held) => held.kind === "intake") === bytes;
  }
  if (all > MEMORY_BUDGET_BYTES) return false;
  switch (kind) {
    case "exclusive":
      return true;
    case "started":
      return withHeld((held) => held.kind === "started") <= STARTED_BYTES;
    case "intake":
      if (withHeld((held) => held.kind === "intake") > INTAKE_BYTES) return false;
      break;
    case "import":
      break;
  }
  return withHeld((held) => held.kind !== "started" && held.kind !== "small") <= LARGER_BYTES;
}

/**
 * Whether `place` waits behind `other`. A download that grows goes first: it holds memory, and its URL may be used
 * up. Starting downloads have a share of their own and wait only for one another and for an exclusive reservation.
 */
function isBehind(place: Place, other: Place): boolean {
  const isLater = other.ticket < place.ticket;
  if (place.grows !== null) {
    const [own, others] = [growthOf(place), growthOf(other)];
    return other.grows !== null && (own === others ? isLater : others < own);
  }
  if (other.grows !== null) return place.wanted.kind !== "started";
  const sameLine = (place.wanted.kind === "started") === (other.wanted.kind === "started");
  return isLater && (sameLine || other.wanted.kind === "exclusive");
}

function growthOf({ wanted }: Place): number {
  return latestGrowth.get(wanted.partnerId) ?? 0;
}

function isNext(place: Place): boolean {
  dropEnded(Date.now());
  if (!fits(place)) return false;
  for (const other of line) {
    if (other !== place && isBehind(place, other) && !exceedsOwnShare(other)) return false;
  }
  return true;
}

/** Waits in line until there is room and takes it in the same turn of the loop; null when the time is over. */
async function takeTurn<T>(asked: Asked, until: Until, take: () => T): Promise<T | null> {
  tickets += 1;
  const place: Place = { ...asked, ticket: tickets, refreshedAt: Date.now() };
  try {
    while (!isNext(place)) {
      place.refreshedAt = Date.now();
      if (place.refreshedAt >= until()) return null;
      line.add(place);
      await wait(LOOK_EVERY_MS);
    }
    return take();
  } finally {
    line.delete(place);
  }
}

/** Holds a reservation. Its timer ends with the invocation, and then the reservation lapses. */
function hold(wanted: Asked["wanted"]): { held: Reservation; holding: Hold } {
  const nowMs = Date.now();
  const held: Reservation = { ...wanted, since: nowMs, refreshedAt: nowMs };
  reservations.add(held);
  const timer = setInterval(() => {
    held.refreshedAt = Date.now();
    reservations.add(held);
  }, REFRESH_EVERY_MS);
  const holding: Hold = {
    keep: (bytes) => {
      held.bytes = Math.min(held.bytes, bytes);
      if (held.kind === "started") held.kind = "import";
    },
    release: () => {
      clearInterval(timer);
      reservations.delete(held);
    },
  };
  return { held, holding };
}

/**
 * Frees the memory of large bytes at once and makes every view of it empty: the garbage collector may take them many
 * requests later. Small buffers may share their memory with others, and are left to it.
 */
export function freeBytes({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > UNCOUNTED_BYTES) buffer.transfer(0);
}

/** Thrown where memory is short in the middle of work that cannot wait. */
export class MemoryShortage extends Error {
  override name = "MemoryShortage";
}

/** The memory of one request of this partner; nothing of it is reserved yet. */
export function requestMemory(partnerId: string): IntakeHold {
  let total = 0;
  let counted: ReturnType<typeof hold> | null = null;
  const tryGrowTo = (bytes: number): boolean => {
    if (bytes > (counted?.held.bytes ?? UNCOUNTED_BYTES)) {
      const kind = bytes > SMALL_BYTES ? ("intake" as const) : ("small" as const);
      const wanted = { partnerId, kind, bytes };
      if (!fitsAtOnce({ wanted, grows: counted?.held ?? null })) return false;
      counted ??= hold(wanted);
      Object.assign(counted.held, wanted);
    }
    total = bytes;
    return true;
  };
  return {
    tryGrowTo,
    add: (bytes) => {
      if (!tryGrowTo(total + bytes)) throw new MemoryShortage("memory is short");
    },
    keep: (bytes) => {
      total = Math.min(total, bytes);
      counted?.holding.keep(bytes);
    },
    isReserved: () => counted !== null,
    release: () => counted?.holding.release(),
  };
}

function fitsAtOnce(asked: Asked): boolean {
  dropEnded(Date.now());
  if (asked.wanted.kind === "small") return fits(asked);
  // Starting downloads have a share that requests cannot take.
  for (const place of line) if (place.wanted.kind !== "started" && !exceedsOwnShare(place)) return false;
  return fits(asked);
}

/** The budget that all imports of the isolate share, as one partner may use it. */
export function sharedMemory(partnerId: string): Memory {
  return {
    async start(until) {
      const wanted = { partnerId, kind: "started" as const, bytes: FIRST_BYTES };
      return takeTurn({ wanted, grows: null }, until, () => startedHold(hold(wanted)));
    },
    async reserve(bytes, until) {
      const wanted = { partnerId, kind: "import" as const, bytes: Math.min(bytes, LARGER_BYTES) };
      return takeTurn({ wanted, grows: null }, until, () => hold(wanted).holding);
    },
  };
}

function startedHold({ held, holding }: ReturnType<typeof hold>): StartedHold {
  return {
    ...holding,
    async growTo(bytes, until) {
      const wanted = { partnerId: held.partnerId, kind: "import" as const, bytes };
      const grow = () => {
        tickets += 1;
        latestGrowth.set(wanted.partnerId, tickets);
        return Object.assign(held, wanted);
      };
      return (await takeTurn({ wanted, grows: held }, until, grow)) !== null;
    },
  };
}

/** The whole budget, for files that may kill their importer: whatever they reserve of it is theirs. */
export type ExclusiveMemory = Memory & Pick<Hold, "release">;

/**
 * Waits until nothing else is reserved, for at most 15 s, and takes the whole budget. Nothing but downloads that have
 * started already goes ahead of it. Returns null when there was no room in time.
 */
export async function reserveAll(partnerId: string, untilMs: number): Promise<ExclusiveMemory | null> {
  const wanted = { partnerId, kind: "exclusive" as const, bytes: MEMORY_BUDGET_BYTES };
  const waitsUntilMs = Math.min(untilMs, Date.now() + EXCLUSIVE_WAIT_MS);
  const part: StartedHold = { growTo: async () => true, keep: () => undefined, release: () => undefined };
  return takeTurn(
    { wanted, grows: null },
    () => waitsUntilMs,
    () => ({
      start: async () => part,
      reserve: async () => part,
      release: hold(wanted).holding.release,
    }),
  );
}
