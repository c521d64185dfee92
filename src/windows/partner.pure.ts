import {
  afterResults,
  hasRespondedWithin,
  newWindow,
  RECENT_MS,
  type Results,
  type Window,
} from "./window.pure.ts";

/**
 * Kinds of work that send requests to hosts, by queue. DELIVERIES has two lanes: events and plan requests. BULK has two:
 * imports, and PREFETCH for held files.
 */
export type Lane = "PRIORITY" | "BULK" | "PREFETCH" | "RETRY" | "EVENTS" | "PLANS";

/**
 * Maximum number of simultaneous requests of one partner to all its hosts, by lane. They occupy at most four fifths of
 * a queue's consumers (`max_concurrency` in wrangler.toml, six requests per consumer for BULK) when it has 20 or more.
 */
export const SLOTS_OF_PARTNER: Record<Lane, number> = {
  PRIORITY: 16,
  BULK: 288,
  PREFETCH: 18,
  RETRY: 16,
  EVENTS: 12,
  PLANS: 4,
};

/**
 * Maximum number of simultaneous invocations of one partner that hold slots of BULK or PREFETCH: four fifths of the consumers. The
 * slots alone would allow 288 dispatches of one file each. In the other lanes each invocation has at least one slot.
 */
export const BULK_INVOCATIONS_OF_PARTNER = 48;
/** Maximum number of those invocations that hold slots of PREFETCH. */
export const PREFETCH_INVOCATIONS_OF_PARTNER = 3;
/**
 * Maximum number of simultaneous invocations of one partner that wait for a slot, by lane. Each occupies a consumer
 * meanwhile: with those that hold slots, at most 19 of 20.
 */
export const WAITING_OF_PARTNER: Record<Lane, number> = {
  PRIORITY: 8,
  BULK: 6,
  PREFETCH: 0,
  RETRY: 2,
  EVENTS: 2,
  PLANS: 1,
};

/** Lifetime of a slot after it was granted or renewed: a little more than the maximum time of a GET. */
export const SLOT_LASTS_MS = 40_000;
/** Minimum time between two probes of a host: the maximum time of a GET. */
const PROBE_MS = 30_000;
/** Minimum time that work without a free slot is postponed, when its host is not suspended. */
const FULL_PAUSE_MS = 2_000;
/** Distance in time between postponed work of the same host, so that it does not return all together. */
const SPREAD_MS = 250;
const LONGEST_POSTPONED_MS = 30 * 60_000;
/** A host is responsive if it responded, or got its oldest open request, within this time. A slot is free soon then. */
const RESPONSIVE_MS = 1_000;
/** Maximum number of hosts of one partner in memory. Beyond it the least recently used host is evicted. */
export const HOSTS_REMEMBERED = 1_000;

/** Request for slots at a host. */
export interface Entry {
  /** Id chosen by the caller. A repeated call renews its slots, because the first result may be lost. */
  lease: string;
  /** Id of the caller's invocation, which may request slots at several hosts. */
  invocation: string;
  lane: Lane;
  /** Host name with the port, if it has one. */
  host: string;
  /** Number of simultaneous requests that it would send, at least 1. */
  wanted: number;
}

/** Granted slots (simultaneous requests), or the time until the next try and whether the host is responsive. */
export type Admission = { slots: number } | { postponed_for_ms: number; isResponsive: boolean };

interface Lease {
  invocation: string;
  lane: Lane;
  windows: readonly HostWindow[];
  slots: number;
  isProbe: boolean;
  since: number;
  until: number;
}

/** A window with the postponed work of its host. */
interface HostWindow {
  window: Window;
  /** Number of postponements since the window last changed, while the host is not responsive. */
  postponed: number;
  /** When the last work returns that was postponed while the host was responsive, in Unix milliseconds, by lane. */
  busyUntil: Map<Lane, number>;
}

function newHostWindow(): HostWindow {
  return { window: newWindow(), postponed: 0, busyUntil: new Map() };
}

/**
 * Windows of one partner. Each host has a window for downloads, one for events and one for plan requests. Hosts without
 * a recent response also share a window, so that hundreds of hanging hosts occupy few slots. Pure: the time is an
 * argument.
 */
export class WindowsOfPartner {
  readonly #hosts = new Map<string, HostWindow>();
  readonly #shared = new Map<string, HostWindow>();
  readonly #leases = new Map<string, Lease>();

  /** Grants slots at a host, from one to `wanted`, or postpones the work. */
  enter({ lease, invocation, lane, host, wanted }: Entry, nowMs: number): Admission {
    this.#endLeases(nowMs);
    const held = this.#leases.get(lease);
    if (held !== undefined) {
      held.until = nowMs + SLOT_LASTS_MS;
      return { slots: held.slots };
    }
    const windows = this.#windowsFor(lane, host, nowMs);
    const suspended = windows.find(({ window }) => window.suspension !== null);
    if (suspended?.window.suspension != null) {
      const { suspension } = suspended.window;
      const mayProbe = lane !== "PRIORITY" && lane !== "BULK" && suspension.probeAt <= nowMs;
      if (!mayProbe) return postponed(suspended, suspension.probeAt - nowMs, false);
    }
    const free = Math.min(
      this.#mayHold(lane, invocation) ? Infinity : 0,
      SLOTS_OF_PARTNER[lane] - this.#slotsHeld(lane),
      ...windows.map((known) => Math.floor(known.window.size) - this.#slotsHeld(lane, known)),
    );
    const slots = suspended === undefined ? Math.min(wanted, free) : Math.min(1, free);
    if (slots < 1) {
      const [own] = windows;
      const isResponsive = suspended === undefined && this.#isResponsive(lane, windows, nowMs);
      return postponed(suspended ?? own, FULL_PAUSE_MS, isResponsive);
    }
    if (suspended?.window.suspension != null) {
      const { suspension } = suspended.window;
      suspended.window = { ...suspended.window, suspension: { ...suspension, probeAt: nowMs + PROBE_MS } };
    }
    const isProbe = suspended !== undefined;
    this.#leases.set(lease, {
      invocation,
      lane,
      windows,
      slots,
      isProbe,
      since: nowMs,
      until: nowMs + SLOT_LASTS_MS,
    });
    return { slots };
  }

  /**
   * Returns how long to postpone work that found no slot at a responsive host. Work returns at the rate at which slots
   * become free: returning together, it would occupy the consumers of all partners again and again.
   */
  postponeBusy({ lane, host }: Pick<Entry, "lane" | "host">, nowMs: number): number {
    const known = this.#hostOf(lane, host);
    const slots = Math.max(1, Math.min(SLOTS_OF_PARTNER[lane], Math.floor(known.window.size)));
    const next = (known.busyUntil.get(lane) ?? 0) + RESPONSIVE_MS / slots;
    const at = Math.min(Math.max(nowMs + FULL_PAUSE_MS, next), nowMs + LONGEST_POSTPONED_MS);
    known.busyUntil.set(lane, at);
    return Math.ceil(at - nowMs);
  }

  /**
   * Returns the slots and applies the results, also those of an expired lease. Returns whether these results suspended
   * the host.
   */
  leave(
    { lease, lane, host }: Omit<Entry, "wanted" | "invocation">,
    results: Results,
    nowMs: number,
  ): boolean {
    const held = this.#leases.get(lease);
    this.#leases.delete(lease);
    const windows = held?.windows ?? this.#windowsFor(lane, host, nowMs);
    const own = this.#hostOf(lane, host);
    const wasSuspended = own.window.suspension !== null;
    for (const known of new Set([own, ...windows])) {
      const before = known.window;
      known.window = afterResults(before, results, held?.isProbe ?? false, nowMs);
      if (known.window !== before) known.postponed = 0;
    }
    return !wasSuspended && own.window.suspension !== null;
  }

  /** Returns the host's own window, and the shared window unless the host has responded recently or is suspended. */
  #windowsFor(lane: Lane, host: string, nowMs: number): HostWindow[] {
    const own = this.#hostOf(lane, host);
    if (own.window.suspension !== null || hasRespondedWithin(own.window, RECENT_MS, nowMs)) return [own];
    // Downloads of held files are not urgent, so hosts at which they hang do not delay rides from other hosts.
    const kind = lane === "PREFETCH" ? lane : kindOf(lane);
    const shared = this.#shared.get(kind) ?? newHostWindow();
    this.#shared.set(kind, shared);
    return [own, shared];
  }

  #hostOf(lane: Lane, host: string): HostWindow {
    const key = `${kindOf(lane)} ${host}`;
    const known = this.#hosts.get(key) ?? newHostWindow();
    // Keeps the map in the order of use.
    this.#hosts.delete(key);
    this.#hosts.set(key, known);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size > HOSTS_REMEMBERED && oldest !== undefined) this.#hosts.delete(oldest);
    return known;
  }

  /** Whether the invocation may hold slots of the lane, as one of a limited number. */
  #mayHold(lane: Lane, invocation: string): boolean {
    if (lane !== "BULK" && lane !== "PREFETCH") return true;
    const prefetching = this.#invocationsOf("PREFETCH");
    const all = new Set([...prefetching, ...this.#invocationsOf("BULK")]);
    if (all.has(invocation)) return true;
    const mayPrefetch = prefetching.size < PREFETCH_INVOCATIONS_OF_PARTNER;
    return all.size < BULK_INVOCATIONS_OF_PARTNER && (lane === "BULK" || mayPrefetch);
  }

  #invocationsOf(lane: Lane): Set<string> {
    const holding = new Set<string>();
    for (const lease of this.#leases.values()) if (lease.lane === lane) holding.add(lease.invocation);
    return holding;
  }

  #slotsHeld(lane: Lane, known: HostWindow | null = null): number {
    let slots = 0;
    for (const lease of this.#leases.values()) {
      if (lease.lane === lane && (known === null || lease.windows.includes(known))) slots += lease.slots;
    }
    return slots;
  }

  /** Whether a slot is probably free soon: neither the lane nor a window is full of requests without a response. */
  #isResponsive(lane: Lane, windows: readonly HostWindow[], nowMs: number): boolean {
    const leases = [...this.#leases.values()];
    const isYoung = ({ since }: Lease) => nowMs - since <= RESPONSIVE_MS;
    const inLane = leases.filter((lease) => lease.lane === lane);
    return (
      (this.#slotsHeld(lane) < SLOTS_OF_PARTNER[lane] || inLane.some(isYoung)) &&
      windows.every(
        (known) =>
          hasRespondedWithin(known.window, RESPONSIVE_MS, nowMs) ||
          leases.every((lease) => !lease.windows.includes(known) || isYoung(lease)),
      )
    );
  }

  #endLeases(nowMs: number): void {
    for (const [id, { until }] of this.#leases) if (until <= nowMs) this.#leases.delete(id);
  }
}

/** Returns the kind of a window. Downloads, events and plan requests reach different programs, even at one host. */
function kindOf(lane: Lane): string {
  return lane === "EVENTS" || lane === "PLANS" ? lane : "files";
}

function postponed(known: HostWindow | undefined, leastMs: number, isResponsive: boolean): Admission {
  const before = known?.postponed ?? 0;
  if (known !== undefined && !isResponsive) known.postponed += 1;
  const forMs = Math.max(leastMs, 0) + before * SPREAD_MS;
  return { postponed_for_ms: Math.min(forMs, LONGEST_POSTPONED_MS), isResponsive };
}
