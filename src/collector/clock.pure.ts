export interface CollectorClock {
  /** How long an importer may work without reporting. */
  claimMs: number;
  /** When an unclaimed message is sent again. */
  leaseMs: number;
  /** How long changes gather before the alarm writes them to the read model. */
  projectionDelayMs: number;
  /** Collectors that each run of the clock wakes. Local ones open on one thread, which pings wait for. */
  wakesPerRun: number;
  /** How long a file waits for its exclusive attempt: a random time between the two, so that such files do not meet. */
  exclusiveDelayMs: { least: number; most: number };
}

/** Local queues keep messages in memory and lose them on a restart, so the local lease is much shorter. */
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
