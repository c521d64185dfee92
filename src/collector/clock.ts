export interface CollectorClock {
  /** How long an importer may work without reporting. */
  claimMs: number;
  /** When an unclaimed message is sent again. */
  leaseMs: number;
  /** How long progress of an import gathers before it is projected. */
  projectionDelayMs: number;
}

/** Local queues keep messages in memory and lose them on a restart, so the local lease is much shorter. */
export function clockFor(environment: string): CollectorClock {
  const leaseMs = environment === "local" ? 20_000 : 900_000;
  return { claimMs: 60_000, leaseMs, projectionDelayMs: 1_000 };
}
