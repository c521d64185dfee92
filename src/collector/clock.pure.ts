export interface CollectorClock {
  /** Length of a claim: the maximum time between two reports of an importer. */
  claimMs: number;
  /** Lease of a sent message: an unclaimed dispatch is sent again after this time. */
  leaseMs: number;
  /** Time that changes are collected before the alarm writes them to the read model. */
  projectionDelayMs: number;
  /** Collectors that each scheduled sweep wakes. Local ones all open on one thread, and pings wait for it. */
  wakesPerRun: number;
  /** Bounds of the random delay before an exclusive attempt, so that such files do not run together. */
  exclusiveDelayMs: { least: number; most: number };
}

/** Returns the times of an environment. Local queues lose their messages at a restart, so the local lease is short. */
export function clockFor(environment: string): CollectorClock {
  const isLocal = environment === "local";
  return {
    claimMs: 60_000,
    leaseMs: isLocal ? 20_000 : 900_000,
    projectionDelayMs: isLocal ? 200 : 2_000,
    wakesPerRun: isLocal ? 10 : 200,
    exclusiveDelayMs: isLocal ? { least: 2_000, most: 10_000 } : { least: 120_000, most: 600_000 },
  };
}
