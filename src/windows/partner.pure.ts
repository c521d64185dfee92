import {
  afterResults,
  hasAnsweredWithin,
  newWindow,
  RECENT_MS,
  type Results,
  type Window,
} from "./window.pure.ts";

/** Work that sends requests to hosts, by its queue. The DELIVERIES queue has two lanes: events and plan requests. */
export type Lane = "PRIORITY" | "BULK" | "RETRY" | "EVENTS" | "PLANS";

/**
 * Requests that one partner may have under way over all its hosts, by queue. They occupy at most four fifths of the
 * queue's consumers (`max_concurrency` in wrangler.toml, six requests a consumer for BULK) when there are 20 or more.
 */
export const SLOTS_OF_PARTNER: Record<Lane, number> = {
  PRIORITY: 16,
  BULK: 288,
  RETRY: 16,
  EVENTS: 12,
  PLANS: 4,
};

/** A slot ends by itself this long after it was granted or renewed: the time of a GET, and a little more. */
export const SLOT_LASTS_MS = 40_000;
/** A probe needs up to the time of a GET. Meanwhile no other one begins. */
const PROBE_MS = 30_000;
/** Work that finds no room comes back after this, if its host is not suspended. */
const FULL_PAUSE_MS = 2_000;
/** Work that is postponed together comes back one after another, this far apart. */
const SPREAD_MS = 250;
const LONGEST_POSTPONED_MS = 30 * 60_000;
/** A host is well if it has answered within this, or was asked within it: a slot will be free in a moment. */
const WELL_MS = 1_000;
/** Hosts of one partner that are remembered; beyond that the one that was used longest ago is forgotten. */
export const HOSTS_REMEMBERED = 1_000;

/** Work that wants to send requests to a host. */
export interface Entry {
  /** Chosen by the caller. Entering again with the same one renews its slots: the first answer may be lost. */
  lease: string;
  lane: Lane;
  /** With its port, if it has one. */
  host: string;
  /** Requests that it would send side by side, at least 1. */
  wanted: number;
}

/** `slots`: requests that may be under way side by side. Or when to enter again, and whether a slot will be free soon. */
export type Admission = { slots: number } | { postponed_for_ms: number; isWell: boolean };

interface Lease {
  lane: Lane;
  windows: readonly Known[];
  slots: number;
  isProbe: boolean;
  since: number;
  until: number;
}

/** A window with the work that was postponed since it last changed. */
interface Known {
  window: Window;
  postponed: number;
}

/**
 * The windows of one partner. Each host has one, apart for downloads, for events and for plan requests. Hosts that have not answered
 * lately also share one, so that hundreds of hosts that hang occupy no more than a few. Pure: the time is an argument.
 */
export class WindowsOfPartner {
  readonly #hosts = new Map<string, Known>();
  readonly #newcomers = new Map<string, Known>();
  readonly #leases = new Map<string, Lease>();

  /** Grants slots at a host, from one up to those wanted, or postpones the work. */
  enter({ lease, lane, host, wanted }: Entry, nowMs: number): Admission {
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
      SLOTS_OF_PARTNER[lane] - this.#slotsHeld(lane),
      ...windows.map((known) => Math.floor(known.window.size) - this.#slotsHeld(lane, known)),
    );
    const slots = suspended === undefined ? Math.min(wanted, free) : Math.min(1, free);
    if (slots < 1) {
      const [own] = windows;
      const isWell = suspended === undefined && this.#isWell(lane, windows, nowMs);
      return postponed(suspended ?? own, FULL_PAUSE_MS, isWell);
    }
    if (suspended?.window.suspension != null) {
      const { suspension } = suspended.window;
      suspended.window = { ...suspended.window, suspension: { ...suspension, probeAt: nowMs + PROBE_MS } };
    }
    const isProbe = suspended !== undefined;
    this.#leases.set(lease, {
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
   * Gives the slots back and applies the results. Returns whether the host was suspended by them. A lease that is not
   * known any more still has results.
   */
  leave({ lease, lane, host }: Omit<Entry, "wanted">, results: Results, nowMs: number): boolean {
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

  /** The host's own window and, unless it has answered lately or is suspended itself, that of the newcomers. */
  #windowsFor(lane: Lane, host: string, nowMs: number): Known[] {
    const own = this.#hostOf(lane, host);
    if (own.window.suspension !== null || hasAnsweredWithin(own.window, RECENT_MS, nowMs)) return [own];
    const kind = kindOf(lane);
    const newcomers = this.#newcomers.get(kind) ?? { window: newWindow(), postponed: 0 };
    this.#newcomers.set(kind, newcomers);
    return [own, newcomers];
  }

  #hostOf(lane: Lane, host: string): Known {
    const key = `${kindOf(lane)} ${host}`;
    const known = this.#hosts.get(key) ?? { window: newWindow(), postponed: 0 };
    // The map is in the order of use.
    this.#hosts.delete(key);
    this.#hosts.set(key, known);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size > HOSTS_REMEMBERED && oldest !== undefined) this.#hosts.delete(oldest);
    return known;
  }

  #slotsHeld(lane: Lane, known: Known | null = null): number {
    let slots = 0;
    for (const lease of this.#leases.values()) {
      if (lease.lane === lane && (known === null || lease.windows.includes(known))) slots += lease.slots;
    }
    return slots;
  }

  /** Whether a slot may be free in a moment: no window and no lane is full of requests that are not answered. */
  #isWell(lane: Lane, windows: readonly Known[], nowMs: number): boolean {
    const leases = [...this.#leases.values()];
    const isYoung = ({ since }: Lease) => nowMs - since <= WELL_MS;
    const inLane = leases.filter((lease) => lease.lane === lane);
    return (
      (this.#slotsHeld(lane) < SLOTS_OF_PARTNER[lane] || inLane.some(isYoung)) &&
      windows.every(
        (known) =>
          hasAnsweredWithin(known.window, WELL_MS, nowMs) ||
          leases.every((lease) => !lease.windows.includes(known) || isYoung(lease)),
      )
    );
  }

  #endLeases(nowMs: number): void {
    for (const [id, { until }] of this.#leases) if (until <= nowMs) this.#leases.delete(id);
  }
}

/** Downloads, events and plan requests reach different programs, even under one name. */
function kindOf(lane: Lane): string {
  return lane === "EVENTS" || lane === "PLANS" ? lane : "files";
}

function postponed(known: Known | undefined, leastMs: number, isWell: boolean): Admission {
  const before = known?.postponed ?? 0;
  if (known !== undefined && !isWell) known.postponed += 1;
  const forMs = Math.max(leastMs, 0) + before * SPREAD_MS;
  return { postponed_for_ms: Math.min(forMs, LONGEST_POSTPONED_MS), isWell };
}
