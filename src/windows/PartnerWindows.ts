import { DurableObject } from "cloudflare:workers";
import { wait } from "../concurrency/wait.ts";
import { logLine } from "../log.ts";
import { WindowsOfPartner, type Admission, type Entry } from "./partner.pure.ts";
import type { Results } from "./window.pure.ts";

const LOOK_EVERY_MS = 25;
/** Work waits for a slot at a host that is well, for so many looks: 300 ms, and a history, which is in no hurry, 2 s. */
const LOOKS = 12;
const LOOKS_OF_BULK = 80;

/**
 * How many requests each host of one partner may have at a time. In memory only: an object that is evicted, after ten
 * seconds without a call, begins anew. No ping and no read calls it.
 */
export class PartnerWindows extends DurableObject<unknown> {
  readonly #windows = new WindowsOfPartner();

  /** Grants slots at a host, or postpones the work. Waits a moment where the host answers quickly. */
  async enter(entry: Entry): Promise<Admission> {
    const looks = entry.lane === "BULK" ? LOOKS_OF_BULK : LOOKS;
    for (let look = 0; ; look += 1) {
      const admission = this.#windows.enter(entry, Date.now());
      if ("slots" in admission || !admission.isWell || look === looks) return admission;
      await wait(LOOK_EVERY_MS);
    }
  }

  /** Gives slots back, with what became of the requests. Repeating it counts the results twice. */
  async leave(partnerId: string, entry: Omit<Entry, "wanted">, results: Results): Promise<void> {
    const { lane, host } = entry;
    if (!this.#windows.leave(entry, results, Date.now())) return;
    logLine({ unit: "setback", outcome: "host_suspended", partner_id: partnerId, host, lane });
  }
}
