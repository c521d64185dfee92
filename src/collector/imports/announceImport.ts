import { FAILURES_IN_EVENT } from "../../contract/limits.ts";
import {
  importCancelledEvent,
  importCompletedEvent,
  type ImportFailure,
} from "../../deliveries/bodies.pure.ts";
import { deliveryIdOfCancellation, deliveryIdOfEvent, deliveryIdOfPlan } from "../../deliveries/ids.ts";
import { insertDelivery, insertEvent, readPendingOfEvent } from "../../deliveries/write.ts";
import { IMPORT_CANCELLED, IMPORT_COMPLETED, NO_ENDPOINT } from "../../endpoints/endpoint.ts";
import { boundOf, readErased } from "../../erasure/read.ts";
import { projectImports } from "../../imports/write.ts";
import { storedPlanRequest } from "../../planner/storedRequest.pure.ts";
import type { CollectorEnv } from "../env.ts";
import type { FileVersions } from "../files/versions.pure.ts";
import type { CollectorIdentity } from "../identity.ts";
import { importProjection, type ImportState } from "./import.pure.ts";

/**
 * Writes a completed import to D1. The same transaction adds the training plan request and the partner's event, which
 * waits for the first attempt of that request. A cancelled import has a second event. Repeating it changes nothing. Returns the bound of the user's last
 * erasure, or 0. An import that the erasure covers is not announced.
 */
export async function announceImport(
  env: CollectorEnv,
  db: D1Database,
  identity: CollectorIdentity,
  row: ImportState,
  readFailures: (limit: number) => FileVersions[],
): Promise<number> {
  const eventId = row.event_id === null ? null : deliveryIdOfEvent(row.import_id);
  const planId = row.plan_requested ? deliveryIdOfPlan(row.import_id) : null;
  const planner = env.TRAINING_PLAN_URL !== "";
  const shared = { partner_id: identity.partner_id, user_id: identity.user_id, import_id: row.import_id };
  const announced = { ...importProjection(identity, row), partner_id: identity.partner_id };
  const now = row.completed_at ?? Date.now();
  const statements = projectImports(db, identity.partner_id, [importProjection(identity, row)]);
  if (planId !== null) {
    statements.push(
      insertDelivery(db, {
        ...shared,
        delivery_id: planId,
        kind: "training_plan",
        type: "training_plan.requested",
        body: JSON.stringify(storedPlanRequest(announced, now)),
        status: planner ? "pending" : "recorded",
        then_deliver: planner ? eventId : null,
        next_attempt_at: planner ? now : null,
        endpoint_id: NO_ENDPOINT,
      }),
    );
  }
  const eventWaits = planId !== null && planner;
  if (eventId !== null) {
    const failures = readFailures(FAILURES_IN_EVENT + 1);
    statements.push(
      insertEvent(db, {
        ...shared,
        delivery_id: eventId,
        type: IMPORT_COMPLETED,
        body: JSON.stringify(
          importCompletedEvent(announced, failures.slice(0, FAILURES_IN_EVENT).map(failureOf), now),
        ),
        status: eventWaits ? "waiting" : "pending",
        next_attempt_at: eventWaits ? null : now,
      }),
    );
  }
  if (row.status === "cancelled") {
    statements.push(
      insertEvent(db, {
        ...shared,
        delivery_id: deliveryIdOfCancellation(row.import_id),
        type: IMPORT_CANCELLED,
        body: JSON.stringify(importCancelledEvent(announced, now)),
        status: "pending",
        next_attempt_at: now,
      }),
    );
  }
  const { partner_id, database } = identity;
  const hasEvent = eventId !== null || row.status === "cancelled";
  statements.push(readErased(db, partner_id, identity.user_hash));
  if (hasEvent) statements.push(readPendingOfEvent(db, partner_id, deliveryIdOfEvent(row.import_id)));
  const results = await db.batch<{ delivery_id: string }>(statements);
  const erasedBefore = boundOf(results.at(hasEvent ? -2 : -1));
  const events = hasEvent ? (results.at(-1)?.results ?? []).map(({ delivery_id }) => delivery_id) : [];
  const first = planId !== null && planner ? [planId] : events;
  if (row.requested_at > erasedBefore) {
    for (const delivery_id of first) await env.DELIVERIES.send({ partner_id, delivery_id, database });
  }
  return erasedBefore;
}

function failureOf(file: FileVersions): ImportFailure {
  const fault = file.current?.state === "failed" ? file.current.fault : null;
  return {
    file_id: file.file_id,
    summary_id: file.summary_id,
    code: fault?.code ?? "internal",
    detail: fault?.detail ?? "",
  };
}
