import { withRetries } from "../concurrency/withRetries.ts";
import type { Env } from "../env.ts";
import { randomId } from "../identifiers.ts";
import { inJurisdiction } from "../jurisdiction.ts";
import { faultName, logLine } from "../log.ts";
import type { Admission, Lane } from "./partner.pure.ts";
import type { Results } from "./window.pure.ts";

/** Slots of one invocation at one host. */
export interface HostLease {
  admission: Admission;
  /** Keeps the slots for another `SLOT_LASTS_MS`. Never throws: a failed renewal can only lose the slots. */
  renew: () => Promise<void>;
  /** Returns the slots with the results of their requests. Never throws: slots expire. */
  leave: (results: Results) => Promise<void>;
}

/** Requests slots at a host of a partner, for an invocation that may request slots at other hosts as well. Throws when the partner's windows cannot be reached for 4 s. */
export async function enterHost(
  env: Pick<Env, "WINDOWS" | "ENVIRONMENT" | "JURISDICTION">,
  partnerId: string,
  lane: Lane,
  host: string,
  wanted: number,
  invocation = randomId(),
): Promise<HostLease> {
  // A stub may stay broken after a call that threw, so each call gets a new stub.
  const windows = () => inJurisdiction(env.WINDOWS, env).getByName(partnerId);
  const place = { lease: randomId(), lane, host };
  const admission = await withRetries(async (): Promise<Admission> =>
    windows().enter({ ...place, invocation, wanted }),
  );
  return {
    admission,
    renew: async () => {
      await windows()
        .enter({ ...place, invocation, wanted })
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
