import { withTimeout } from "../concurrency/withTimeout.ts";
import type { Owner } from "../database/databases.ts";
import { inJurisdiction } from "../jurisdiction.ts";
import { faultName, logLine } from "../log.ts";
import type { PartnerOutcomes } from "./PartnerOutcomes.ts";

/** Maximum time of a call: the caller has other work to do, and the clock calls again. */
const DEADLINE_MS = 5_000;

/** Bindings of a caller. */
export interface GatherEnv {
  OUTCOMES: DurableObjectNamespace<PartnerOutcomes>;
  ENVIRONMENT: string;
  JURISDICTION: string;
}

/** Has the partner's outcomes gathered and reported. Never throws: the clock calls again for partners that wait. */
export async function gatherOutcomes(env: GatherEnv, { partner_id, database }: Owner): Promise<void> {
  try {
    const outcomes = inJurisdiction(env.OUTCOMES, env).getByName(partner_id);
    await withTimeout(DEADLINE_MS, outcomes.gather({ partner_id, database }));
  } catch (fault) {
    logLine({ unit: "setback", outcome: "reported_later", partner_id, fault: faultName(fault) });
  }
}
