import { wait } from "../concurrency/wait.ts";

const MIB = 1024 * 1024;

/** Memory for file bytes in one isolate, which has 128 MB for all its requests. */
export const MEMORY_BUDGET_BYTES = 48 * MIB;
/** Share of the budget for intake: one file of maximum size. */
export const INTAKE_BYTES = 32 * MIB;
/** Maximum size of all intake requests of one partner together, without its largest one. */
export const INTAKE_BYTES_OF_PARTNER = Math.floor(INTAKE_BYTES / 3);
/**
 * Limit of all reservations together for a request over `INTAKE_BYTES`, such as an inspection with streams. It is
 * granted only without other intake requests. The largest request is a file of 32 MiB and 2,000,000 numbers of 32 bytes.
 */
export const PEAK_BYTES = 96 * MIB;
/** Bytes that a download reserves before its GET. A larger body reserves the rest before it exceeds them. */
export const FIRST_BYTES = MIB;
/** Share of the budget for the first bytes of downloads. One of them can still grow to the maximum file size. */
export const ALL_FIRST_BYTES = 16 * MIB;
/** Maximum part of `ALL_FIRST_BYTES` for one partner, so that its slow hosts leave the rest to other partners. */
export const FIRST_BYTES_OF_PARTNER = 12 * MIB;
/** Maximum for everything except first bytes, so that small files can start while large ones are downloaded. */
const ALL_EXCEPT_FIRST_BYTES = MEMORY_BUDGET_BYTES - 8 * MIB;
/**
 * Maximum part of `ALL_EXCEPT_FIRST_BYTES` for the imports of one partner, unless it is a single file. Otherwise files of a partner
 * with a slow host could fill the memory, and requests of other partners would fail as long as more files wait.
 */
export const IMPORT_BYTES_OF_PARTNER = 24 * MIB;
/** A partner has at most one reservation above this size at a time. */
export const LARGE_BYTES = 16 * MIB;

/** Requests up to this size need no reservation. */
export const UNCOUNTED_BYTES = 64 * 1024;
/** Requests up to this size are `small`. */
export const SMALL_BYTES = MIB;
/** Memory for small requests, in addition to the budget, so that they pass while large files fill it. */
export const ALL_SMALL_BYTES = 16 * MIB;
/** Maximum part of `ALL_SMALL_BYTES` for one partner, without its largest request. */
export const SMALL_BYTES_OF_PARTNER = Math.floor(ALL_SMALL_BYTES / 3);

/** Interval at which a waiting invocation checks for room. */
export const CHECK_EVERY_MS = 25;
/** Time without a check after which a waiting invocation has ended. Decoding blocks all of them for up to 2 s. */
export const WAITING_LAPSES_AFTER_MS = 2_500;
const REFRESH_EVERY_MS = 1_000;
/** Time without a refresh after which an invocation has ended without releasing its reservation. */
export const HELD_LAPSES_AFTER_MS = 10_000;
/** Maximum lifetime of a reservation. No download and no request lasts this long. */
const LONGEST_HOLD_MS = 5 * 60_000;
/** Maximum wait of an exclusive reservation. No download starts in its isolate meanwhile. */
export const EXCLUSIVE_WAIT_MS = 15_000;

/**
 * `started`: first bytes of a download. `import`: bytes of a file to import. `intake`: bytes of a request or its
 * response. `small`: those of a small request, in addition to the budget. `exclusive`: the whole budget.
 */
type Kind = "started" | "import" | "intake" | "small" | "exclusive";

interface Reservation {
  partnerId: string;
  kind: Kind;
  bytes: number;
  since: number;
  refreshedAt: number;
}

/** A waiting invocation, which refreshes it. `grows` is its existing reservation, or null. */
interface Waiter {
  wanted: Pick<Reservation, "partnerId" | "kind" | "bytes">;
  grows: Reservation | null;
  ticket: number;
  refreshedAt: number;
}

/** Reserved memory of one invocation. */
export interface Hold {
  /** Reduces the reservation to these bytes. */
  keep: (bytes: number) => void;
  /** Releases the reservation. A second call does nothing. */
  release: () => void;
}

/** Returns the end of a wait, in Unix milliseconds. Called at every check, because the end may be extended. */
export type Until = () => number;

/** The first bytes of a download. */
export interface StartedHold extends Hold {
  /** Waits for room for `bytes` in total. Returns false without room in time; the first bytes stay reserved. */
  growTo: (bytes: number, until: Until) => Promise<boolean>;
}

/** Memory of a request. It never waits: the request gets a 503 when memory is short. */
export interface IntakeHold extends Hold {
  /**
   * Reserves `bytes` in total; up to `UNCOUNTED_BYTES` needs no reservation. Returns false when memory is short, or
   * when the partner's other requests use its share. Then the reservation does not change.
   */
  tryGrowTo: (bytes: number) => boolean;
  /** Reserves `bytes` in addition. Throws a `MemoryShortage` when memory is short. */
  add: (bytes: number) => void;
  isReserved: () => boolean;
}

/** Memory from which imports reserve. Waits return null at `until`. */
export interface Memory {
  /** Reserves the first bytes of a download. */
  start: (until: Until) => Promise<StartedHold | null>;
  /** Reserves a known number of bytes, at most `ALL_EXCEPT_FIRST_BYTES`. */
  reserve: (bytes: number, until: Until) => Promise<Hold | null>;
}

// Plain data that each invocation polls, because the runtime ends an invocation that waits for another one's promise.
const reservations = new Set<Reservation>();
const waiting = new Set<Waiter>();
let tickets = 0;
/** Ticket of each partner's latest growth. Partners take turns: after a growth, other waiting partners go first. */
const latestGrowth = new Map<string, number>();

function removeEnded(nowMs: number): void {
  for (const held of reservations) {
    const isSilent = nowMs - held.refreshedAt > HELD_LAPSES_AFTER_MS;
    if (isSilent || nowMs - held.since > LONGEST_HOLD_MS) reservations.delete(held);
  }
  for (const waiter of waiting) {
    if (nowMs - waiter.refreshedAt > WAITING_LAPSES_AFTER_MS) waiting.delete(waiter);
  }
  if (reservations.size + waiting.size === 0) latestGrowth.clear();
}

type ReservationRequest = Pick<Waiter, "wanted" | "grows">;

function bytesHeld({ grows }: ReservationRequest, isCounted: (held: Reservation) => boolean): number {
  let bytes = 0;
  for (const held of reservations) if (held !== grows && isCounted(held)) bytes += held.bytes;
  return bytes;
}

/** Whether the partner's own reservations leave no room for this one. Then other partners do not wait behind it. */
function exceedsOwnShare(request: ReservationRequest): boolean {
  const { partnerId, kind, bytes } = request.wanted;
  if (kind === "exclusive") return false;
  const own = (held: Reservation) => held.partnerId === partnerId;
  if (kind === "started") {
    // No GET starts while larger files of this partner wait for memory: its host would have to wait as well.
    for (const waiter of waiting)
      if (waiter.grows !== null && waiter.wanted.partnerId === partnerId) return true;
    const started = bytesHeld(request, (held) => own(held) && held.kind === "started");
    return started + bytes > FIRST_BYTES_OF_PARTNER;
  }
  if (kind === "small") return besideLargest(request, own) > SMALL_BYTES_OF_PARTNER;
  if (kind === "intake" && besideLargest(request, own) > INTAKE_BYTES_OF_PARTNER) return true;
  if (kind === "import") {
    const others = bytesHeld(request, (held) => own(held) && held.kind === "import");
    if (others > 0 && others + bytes > IMPORT_BYTES_OF_PARTNER) return true;
  }
  return bytes > LARGE_BYTES && bytesHeld(request, (held) => own(held) && held.bytes > LARGE_BYTES) > 0;
}

/** Returns the bytes of the counted reservations of the same kind, with the requested one, but without the largest. */
function besideLargest(request: ReservationRequest, isCounted: (held: Reservation) => boolean): number {
  const { kind, bytes } = request.wanted;
  let [sum, largest] = [bytes, bytes];
  for (const held of reservations) {
    if (held === request.grows || held.kind !== kind || !isCounted(held)) continue;
    sum += held.bytes;
    largest = Math.max(largest, held.bytes);
  }
  return sum - largest;
}

function fits(request: ReservationRequest): boolean {
  const { kind, bytes } = request.wanted;
  const withHeld = (isCounted: (held: Reservation) => boolean) => bytesHeld(request, isCounted) + bytes;
  if (exceedsOwnShare(request)) return false;
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
      return withHeld((held) => held.kind === "started") <= ALL_FIRST_BYTES;
    case "intake":
      if (withHeld((held) => held.kind === "intake") > INTAKE_BYTES) return false;
      break;
    case "import":
      break;
  }
  return withHeld((held) => held.kind !== "started" && held.kind !== "small") <= ALL_EXCEPT_FIRST_BYTES;
}

/**
 * Returns whether `waiter` waits behind `other`. A growing download goes first, because it holds memory and its URL may
 * be used up. Starting downloads have their own share, and wait only for each other and for an exclusive reservation.
 */
function isBehind(waiter: Waiter, other: Waiter): boolean {
  const isLater = other.ticket < waiter.ticket;
  if (waiter.grows !== null) {
    const [own, others] = [growthOf(waiter), growthOf(other)];
    return other.grows !== null && (own === others ? isLater : others < own);
  }
  if (other.grows !== null) return waiter.wanted.kind !== "started";
  const sameLine = (waiter.wanted.kind === "started") === (other.wanted.kind === "started");
  return isLater && (sameLine || other.wanted.kind === "exclusive");
}

function growthOf({ wanted }: Waiter): number {
  return latestGrowth.get(wanted.partnerId) ?? 0;
}

function isNext(waiter: Waiter): boolean {
  removeEnded(Date.now());
  if (!fits(waiter)) return false;
  for (const other of waiting) {
    if (other !== waiter && isBehind(waiter, other) && !exceedsOwnShare(other)) return false;
  }
  return true;
}

/** Waits for room and reserves it synchronously after the check. Null when the wait has ended. */
async function waitForTurn<T>(
  request: ReservationRequest,
  until: Until,
  reserve: () => T,
): Promise<T | null> {
  tickets += 1;
  const waiter: Waiter = { ...request, ticket: tickets, refreshedAt: Date.now() };
  try {
    while (!isNext(waiter)) {
      waiter.refreshedAt = Date.now();
      if (waiter.refreshedAt >= until()) return null;
      waiting.add(waiter);
      await wait(CHECK_EVERY_MS);
    }
    return reserve();
  } finally {
    waiting.delete(waiter);
  }
}

/** Adds a reservation and refreshes it by a timer. The timer ends with the invocation; then the reservation expires. */
function hold(wanted: ReservationRequest["wanted"]): { held: Reservation; holding: Hold } {
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
 * Frees the memory of large bytes immediately and makes all their views empty, because garbage collection may run many
 * requests later. Does nothing for small buffers, which may share their memory.
 */
export function freeBytes({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > UNCOUNTED_BYTES) buffer.transfer(0);
}

/** Thrown when memory is short during work that cannot wait. */
export class MemoryShortage extends Error {
  override name = "MemoryShortage";
}

/** Returns the memory of one request of this partner. Nothing is reserved yet. */
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

function fitsAtOnce(request: ReservationRequest): boolean {
  removeEnded(Date.now());
  if (request.wanted.kind === "small") return fits(request);
  // Starting downloads do not count: they have a share that requests cannot use.
  for (const waiter of waiting)
    if (waiter.wanted.kind !== "started" && !exceedsOwnShare(waiter)) return false;
  return fits(request);
}

/** Returns the budget that all imports of the isolate share, for one partner. */
export function sharedMemory(partnerId: string): Memory {
  return {
    async start(until) {
      const wanted = { partnerId, kind: "started" as const, bytes: FIRST_BYTES };
      return waitForTurn({ wanted, grows: null }, until, () => startedHold(hold(wanted)));
    },
    async reserve(bytes, until) {
      const wanted = { partnerId, kind: "import" as const, bytes: Math.min(bytes, ALL_EXCEPT_FIRST_BYTES) };
      return waitForTurn({ wanted, grows: null }, until, () => hold(wanted).holding);
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
      return (await waitForTurn({ wanted, grows: held }, until, grow)) !== null;
    },
  };
}

/** The whole budget, for files that may crash their importer. Their reservations within it always succeed. */
export type ExclusiveMemory = Memory & Pick<Hold, "release">;

/**
 * Reserves the whole budget after at most `EXCLUSIVE_WAIT_MS`, once nothing else is reserved. Only downloads that have
 * started already go first. Returns null without room in time.
 */
export async function reserveAll(partnerId: string, untilMs: number): Promise<ExclusiveMemory | null> {
  const wanted = { partnerId, kind: "exclusive" as const, bytes: MEMORY_BUDGET_BYTES };
  const waitsUntilMs = Math.min(untilMs, Date.now() + EXCLUSIVE_WAIT_MS);
  const part: StartedHold = { growTo: async () => true, keep: () => undefined, release: () => undefined };
  return waitForTurn(
    { wanted, grows: null },
    () => waitsUntilMs,
    () => ({
      start: async () => part,
      reserve: async () => part,
      release: hold(wanted).holding.release,
    }),
  );
}
