import { z } from "zod";
import { FIRST_DATABASE } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { faultName, logLine } from "../log.ts";
import { deliverDue } from "./deliver.ts";

const messageSchema = z.object({
  partner_id: z.string(),
  delivery_id: z.string(),
  database: z.string().default(FIRST_DATABASE),
});

async function consumeOne(message: Message, queue: string, env: Env): Promise<void> {
  const parsed = messageSchema.safeParse(message.body);
  if (!parsed.success) {
    logLine({ unit: "setback", outcome: "unreadable_message", queue, message_id: message.id });
    return;
  }
  const startedAt = Date.now();
  try {
    await deliverDue(env, parsed.data);
  } catch (fault) {
    // The row stays due and the sweep sends it again, so the message can be acknowledged.
    logLine({
      unit: "delivery",
      partner_id: parsed.data.partner_id,
      delivery_id: parsed.data.delivery_id,
      type: null,
      outcome: "fault",
      fault: faultName(fault),
      attempt: null,
      host: null,
      status: null,
      milliseconds: Date.now() - startedAt,
      reason: null,
      next_in_milliseconds: null,
    });
  }
}

/** Makes the delivery that each message names, and acknowledges the message. Never throws. */
export async function consumeDeliveries(batch: MessageBatch, env: Env): Promise<void> {
  for (const message of batch.messages) {
    await consumeOne(message, batch.queue, env);
    message.ack();
  }
}

/** Acknowledges messages whose consumer ended before it did. The sweep sends their deliveries again. */
export async function consumeDeadDeliveries(batch: MessageBatch): Promise<void> {
  for (const message of batch.messages) {
    const parsed = messageSchema.safeParse(message.body);
    const names = { unit: "dead_letter", queue: batch.queue, message_id: message.id } as const;
    if (parsed.success) {
      const { partner_id, delivery_id } = parsed.data;
      logLine({ ...names, partner_id, delivery_id, outcome: "done" });
    } else logLine({ ...names, outcome: "unreadable_message" });
    message.ack();
  }
}
