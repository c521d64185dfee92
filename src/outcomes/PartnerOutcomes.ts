import { DurableObject } from "cloudflare:workers";
import { OUTCOMES_GATHERED_FOR_MS } from "../contract/limits.ts";
import type { Owner } from "../database/databases.ts";
import { faultName, logLine } from "../log.ts";
import type { OutcomesEnv } from "./env.ts";
import { reportOutcomes } from "./report.ts";

/** Pause after a fault of D1 or of the queue. */
const PAUSE_MS = 10_000;
/** The platform drops an alarm after six crashes. An alarm this late was dropped. */
const OVERDUE_MS = 5 * 60_000;
const OWNER = "owner";

/**
 * Gathers the outcomes of one partner: after an outcome, an alarm reports all that have become readable since. Positions
 * and sequences are in D1. The object stores only the partner's id and its alarm. Pings and reads never call it.
 */
export class PartnerOutcomes extends DurableObject<OutcomesEnv> {
  /** Has outcomes reported within `OUTCOMES_GATHERED_FOR_MS`. */
  async gather(owner: Owner): Promise<void> {
    const alarmAt = await this.ctx.storage.getAlarm();
    if (alarmAt !== null && alarmAt > Date.now() - OVERDUE_MS) return;
    const known = await this.ctx.storage.get<Owner>(OWNER);
    if (known?.partner_id !== owner.partner_id || known.database !== owner.database) {
      await this.ctx.storage.put<Owner>(OWNER, { partner_id: owner.partner_id, database: owner.database });
    }
    await this.ctx.storage.setAlarm(Date.now() + OUTCOMES_GATHERED_FOR_MS);
  }

  /** Never throws: after six alarms that throw, the platform sets no more. */
  override async alarm(): Promise<void> {
    const startedAt = Date.now();
    const owner = await this.ctx.storage.get<Owner>(OWNER);
    if (owner === undefined) return;
    const line = { unit: "outcomes", partner_id: owner.partner_id } as const;
    try {
      const { events, moreWaits } = await reportOutcomes(this.env, owner, startedAt);
      if (moreWaits) await this.ctx.storage.setAlarm(Date.now());
      logLine({ ...line, outcome: "done", events, milliseconds: Date.now() - startedAt });
    } catch (fault) {
      await this.ctx.storage.setAlarm(Date.now() + PAUSE_MS);
      logLine({
        ...line,
        outcome: "fault",
        fault: faultName(fault),
        events: 0,
        milliseconds: Date.now() - startedAt,
      });
    }
  }
}
