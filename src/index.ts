import { PingCollector } from "./collector/PingCollector.ts";
import { consumeDeadDeliveries, consumeDeliveries } from "./deliveries/consume.ts";
import type { Env } from "./env.ts";
import { app } from "./http/app.ts";
import { consumeDeadDispatches, consumeDispatches } from "./importer/consumeDispatches.ts";
import { consumeJobs } from "./operator/jobs/consume.ts";
import { PartnerOutcomes } from "./outcomes/PartnerOutcomes.ts";
import { runScheduled } from "./scheduled.ts";
import { PartnerWindows } from "./windows/PartnerWindows.ts";

/** Consumers by queue. The queues of other environments have the same names with a suffix, such as `-staging`. */
const CONSUMERS = new Map<string, (batch: MessageBatch, env: Env) => Promise<void>>([
  ["partner-api-priority", consumeDispatches],
  ["partner-api-bulk", consumeDispatches],
  ["partner-api-retry", consumeDispatches],
  ["partner-api-dispatches-dead", consumeDeadDispatches],
  ["partner-api-deliveries", consumeDeliveries],
  ["partner-api-deliveries-dead", consumeDeadDeliveries],
  ["partner-api-jobs", consumeJobs],
]);

/** Returns the consumer of the longest name that the queue's name begins with. */
function consumerOf(queue: string) {
  const [name] = [...CONSUMERS.keys()]
    .filter((known) => queue === known || queue.startsWith(`${known}-`))
    .sort((a, b) => b.length - a.length);
  return name === undefined ? undefined : CONSUMERS.get(name);
}

export { PartnerOutcomes, PartnerWindows, PingCollector };

export default {
  fetch: app.fetch,
  async queue(batch, env) {
    const consume = consumerOf(batch.queue);
    // Throwing makes the queue redeliver the messages until a deployment adds the queue to this table.
    if (consume === undefined) throw new Error(`no consumer serves ${batch.queue}`);
    await consume(batch, env);
  },
  async scheduled(controller, env) {
    await runScheduled(env, controller.scheduledTime);
  },
} satisfies ExportedHandler<Env>;
