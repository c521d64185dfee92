import { DurableObject } from "cloudflare:workers";
import { wait } from "../concurrency/wait.ts";
import { logLine } from "../log.ts";
import {
  WAITING_OF_PARTNER,
  WindowsOfPartner,
  type Admission,
  type Entry,
  type Lane,
} from "./partner.pure.ts";
import type { Results } from "./window.pure.ts";

const CHECK_EVERY_MS = 25;
/** Checks for a free slot at a responsive host before work is postponed: 300 ms, and 2 s for bulk work. */
const MAX_CHECKS = 12;
const MAX_BULK_CHECKS = 80;

/**
 * Limits of simultaneous requests to each host of one partner. Kept in memory only: the object is evicted after ten
 * seconds without a call, and then starts with empty windows. Pings and reads never call it.
 */
export class PartnerWindows extends DurableObject<unknown> {
  readonly #windows = new WindowsOfPartner();
  readonly #waiting = new Map<Lane, number>();

  /** Grants slots at a host, or postpones the work. A few callers wait shortly for a slot when the host is responsive. */
  async enter(entry: Entry): Promise<Admission> {
    const admission = this.#windows.enter(entry, Date.now());
    if ("slots" in admission || !admission.isResponsive) return admission;
    return (await this.#waitForSlots(entry)) ?? this.#postponeBusy(entry);
  }

  /** Returns null when no slot becomes free in time, or when enough other callers wait. */
  async #waitForSlots(entry: Entry): Promise<Admission | null> {
    const { lane } = entry;
    const waiting = this.#waiting.get(lane) ?? 0;
    if (waiting >= WAITING_OF_PARTNER[lane]) return null;
    this.#waiting.set(lane, waiting + 1);
    try {
      const maxChecks = lane === "BULK" ? MAX_BULK_CHECKS : MAX_CHECKS;
      for (let check = 0; check < maxChecks; check += 1) {
        await wait(CHECK_EVERY_MS);
        const admission = this.#windows.enter(entry, Date.now());
        if ("slots" in admission || !admission.isResponsive) return admission;
      }
      return null;
    } finally {
      this.#waiting.set(lane, (this.#waiting.get(lane) ?? 1) - 1);
    }
  }

  #postponeBusy(entry: Entry): Admission {
    return { postponed_for_ms: this.#windows.postponeBusy(entry, Date.now()), isResponsive: true };
  }

  /** Returns slots with the results of their requests. Repeating it counts the results twice. */
  async leave(
    partnerId: string,
    entry: Omit<Entry, "wanted" | "invocation">,
    results: Results,
  ): Promise<void> {
    const { lane, host } = entry;
    if (!this.#windows.leave(entry, results, Date.now())) return;
    logLine({ unit: "setback", outcome: "host_suspended", partner_id: partnerId, host, lane });
  }
}
