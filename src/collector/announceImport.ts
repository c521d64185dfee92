import { importCompletedEvent, trainingPlanRequest } from "../deliveries/bodies.ts";
import { deliveryIdOfEvent, deliveryIdOfPlan } from "../deliveries/ids.ts";
import { insertDelivery } from "../deliveries/write.ts";
import type { Env } from "../env.ts";
import { boundOf, readErased } from "../erasure/read.ts";
import { projectImport } from "../imports/write.ts";
import type { LedgerRow } from "./ledger.ts";
import { importProjection, type Owner } from "./projection.ts";
import type { ImportRow } from "./storage.ts";

/** Failures that an event names; more are counted. */
const FAILURES_IN_EVENT = 100;

/**
 * Makes a completed import readable, and in the same transaction queues what follows from it: the request for
 * a training plan, and after its first attempt the partner's event. Repeating it changes nothing.
 * Answers the bound of the person's last erasure, or 0: what is from before it stays unsaid.
 */
export async function announceImport(
  env: Env,
  database: D1Database,
  owner: Owner,
  row: ImportRow,
  readFailures: (limit: number) => LedgerRow[],
): Promise<number> {
  const eventId = row.event_id === null ? null : deliveryIdOfEvent(row.import_id);
  const planId = row.plan_requested ? deliveryIdOfPlan(row.import_id) : null;
  const planner = env.TRAINING_PLAN_URL !== "";
  const shared = { partner_id: owner.partner_id, user_id: owner.user_id, import_id: row.import_id };
  const about = { ...importProjection(owner, row), partner_id: owner.partner_id };
  const now = row.completed_at ?? Date.now();
  const statements = [projectImport(database, owner.partner_id, importProjection(owner, row))];
  if (planId !== null) {
    statements.push(
      insertDelivery(database, {
        ...shared,
        delivery_id: planId,
        kind: "training_plan",
        type: "training_plan.requested",
        body: JSON.stringify(trainingPlanRequest(about, now)),
        status: planner ? "pending" : "recorded",
        then_deliver: planner ? eventId : null,
        next_attempt_at: planner ? now : null,
      }),
    );
  }
  const eventWaits = planId !== null && planner;
  if (eventId !== null) {
    const failures = readFailures(FAILURES_IN_EVENT + 1);
    statements.push(
      insertDelivery(database, {
        ...shared,
        delivery_id: eventId,
        kind: "event",
        type: "bulk_fit_import.completed",
        body: JSON.stringify(
          importCompletedEvent(about, failures.slice(0, FAILURES_IN_EVENT).map(failureOf), now),
        ),
        status: eventWaits ? "waiting" : "pending",
        then_deliver: null,
        next_attempt_at: eventWaits ? null : now,
      }),
    );
  }
  statements.push(readErased(database, owner.partner_id, owner.user_hash));
  const erasedBefore = boundOf((await database.batch(statements)).at(-1));
  const first = planId !== null && planner ? planId : eventId;
  if (first !== null && row.requested_at > erasedBefore) {
    await env.DELIVERIES.send({ partner_id: owner.partner_id, delivery_id: first });
  }
  return erasedBefore;
}

function failureOf(row: LedgerRow): { file_id: string; summary_id: string; code: string; detail: string } {
  const fault = row.current?.fault;
  return {
    file_id: row.file_id,
    summary_id: row.summary_id,
    code: fault?.code ?? "internal",
    detail: fault?.detail ?? "",
  };
}
