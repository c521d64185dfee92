import { DurableObject } from "cloudflare:workers";
import { wait } from "../concurrency/wait.ts";
import { logLine } from "../log.ts";
import { WindowsOfPartner, type Admission, type Entry } from "./partner.pure.ts";
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

  /** Grants slots at a host, or postpones the work. Waits shortly for a slot when the host is responsive. */
  async enter(entry: Entry): Promise<Admission> {
    const maxChecks = entry.lane === "BULK" ? MAX_BULK_CHECKS : MAX_CHECKS;
    for (let check = 0; ; check += 1) {
      const admission = this.#windows.enter(entry, Date.now());
      if ("slots" in admission || !admission.isResponsive || check === maxChecks) return admission;
      await wait(CHECK_EVERY_MS);
    }
  }

  /** Returns slots with the results of their requests. Repeating it counts the results twice. */
  async leave(partnerId: string, entry: Omit<Entry, "wanted">, results: Results): Promise<void> {
    const { lane, host } = entry;
    if (!this.#windows.leave(entry, results, Date.now())) return;
    logLine({ unit: "setback", outcome: "host_suspended", partner_id: partnerId, host, lane });
  }
}
