import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { z } from "zod";
import { deliverDue } from "../../src/deliveries/deliver.ts";
import { ownerOf } from "./databases.ts";
import type { Answer } from "./outside.ts";
import type { TestPartner } from "./partner.ts";

/**
 * Records the messages to the queue of deliveries, so that a test decides when they are delivered. Returns the ids of the
 * queued deliveries. Call `vi.restoreAllMocks()` after the test.
 */
export function recordDeliveries(): string[] {
  const queued: string[] = [];
  const result = { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  vi.spyOn(env.DELIVERIES, "send").mockImplementation(async ({ delivery_id }) => {
    queued.push(delivery_id);
    return result;
  });
  vi.spyOn(env.DELIVERIES, "sendBatch").mockImplementation(async (messages) => {
    for (const { body } of messages) queued.push(body.delivery_id);
    return result;
  });
  return queued;
}

/** Delivers all queued deliveries once, at this time or now. */
export async function deliverAll(queued: string[], who: TestPartner, atMs?: number): Promise<void> {
  for (const delivery_id of queued.splice(0)) {
    const now = atMs === undefined ? Date.now : () => atMs;
    await deliverDue(
      env,
      { ...ownerOf(who.partnerId), delivery_id },
      { now, random: () => 0, deadlineMs: 2_000 },
    );
  }
}

/** Returns the challenge of a test event. */
function challengeOf(body: string): string | undefined {
  const { data } = z
    .object({ data: z.looseObject({ challenge: z.string().optional() }) })
    .parse(JSON.parse(body));
  return data.challenge;
}

/** A receiver that verifies nothing and returns the challenge of a test event. */
export const obedient: Answer = ({ body }) => Response.json({ challenge: challengeOf(body) });
