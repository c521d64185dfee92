import { persistently } from "../concurrency/persistently.ts";
import type { Env } from "../env.ts";
import { randomId } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import type { Admission, Lane } from "./partner.pure.ts";
import type { Results } from "./window.pure.ts";

/** Slots of one invocation at one host. */
export interface HostLease {
  admission: Admission;
  /** Keeps the slots for another 40 s. A renewal that fails costs at most the slots. */
  renew: () => Promise<void>;
  /** Gives the slots back, with what became of the requests. Never throws: slots end by themselves. */
  leave: (results: Results) => Promise<void>;
}

/** Asks for slots at a host of a partner. Throws when the partner's windows cannot be reached for 4 s. */
export async function enterHost(
  env: Pick<Env, "WINDOWS">,
  partnerId: string,
  lane: Lane,
  host: string,
  wanted: number,
): Promise<HostLease> {
  // A stub may stay broken after a call that threw: each call gets its own.
  const windows = () => env.WINDOWS.getByName(partnerId);
  const place = { lease: randomId(), lane, host };
  const admission = await persistently(async (): Promise<Admission> => windows().enter({ ...place, wanted }));
  return {
    admission,
    renew: async () => {
      await windows()
        .enter({ ...place, wanted })
        .catch(() => undefined);
    },
    leave: async (results) => {
      try {
        await windows().leave(partnerId, place, results);
      } catch (fault) {
        logLine({
          unit: "setback",
          outcome: "slots_kept",
          partner_id: partnerId,
          host,
          lane,
          fault: faultName(fault),
        });
      }
    },
  };
}
