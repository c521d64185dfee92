import path from "node:path";
import { describe, expect, test } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { z } from "zod";
import { MAX_PINGS, MAX_USERS } from "../../src/contract/limits.ts";
import worker from "../../src/index.ts";
import { SLOTS_OF_PARTNER } from "../../src/windows/partner.pure.ts";

const configSchema = z.looseObject({
  name: z.string(),
  vars: z.record(z.string(), z.string()),
  limits: z.looseObject({ subrequests: z.number() }),
  observability: z.looseObject({}),
  ratelimits: z.array(z.looseObject({ namespace_id: z.string() })),
  queues: z.object({
    producers: z.array(z.object({ binding: z.string(), queue: z.string() })),
    consumers: z.array(
      z.looseObject({
        queue: z.string(),
        max_batch_size: z.number(),
        dead_letter_queue: z.string().optional(),
      }),
    ),
  }),
  r2_buckets: z.array(z.looseObject({ bucket_name: z.string() })),
  d1_databases: z.array(z.looseObject({ database_name: z.string() })),
});
type Config = z.infer<typeof configSchema>;

const ROOT = path.join(import.meta.dirname, "..", "..");
const read = (env: string): Config =>
  configSchema.parse(readConfig({ config: path.join(ROOT, "wrangler.toml"), env }, { hideWarnings: true }));
const production = read("");
const staging = read("staging");

/** Keys that must be equal in both environments: all except those that name the file or the environment. */
const { name, vars, ratelimits, ...rest } = production;
const SAME = Object.keys(rest).filter(
  (key) =>
    !["configPath", "userConfigPath", "topLevelName", "targetEnvironment", "definedEnvironments"].includes(
      key,
    ),
);

/** Returns the value with `-staging` appended to every name of a resource. */
function staged(value: unknown): unknown {
  if (typeof value === "string") return /^partner-api($|-)/.test(value) ? `${value}-staging` : value;
  if (Array.isArray(value)) return value.map(staged);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, staged(inner)]));
}

describe("concurrent consumers", () => {
  const consumersOf = (name: string) => {
    const found = production.queues.consumers.find(({ queue }) => queue === `partner-api-${name}`);
    return Number(found?.["max_concurrency"]);
  };

  test.each([
    ["priority", SLOTS_OF_PARTNER.PRIORITY],
    ["retry", SLOTS_OF_PARTNER.RETRY],
    ["deliveries", SLOTS_OF_PARTNER.EVENTS + SLOTS_OF_PARTNER.PLANS],
    // A BULK importer sends up to six requests at a time.
    ["bulk", SLOTS_OF_PARTNER.BULK / 6],
  ])("of %s: one partner occupies at most 80 % of them", (name, slots) => {
    expect(slots).toBeLessThanOrEqual(0.8 * consumersOf(name));
  });
});

describe("staging equals production, on its own resources:", () => {
  test.each(SAME)("%s", (key) => {
    expect(staging[key]).toEqual(staged(production[key]));
  });

  test("another Worker with the same variables, except ENVIRONMENT", () => {
    expect(staging.name).toBe(`${name}-staging`);
    expect(Object.keys(staging.vars)).toEqual(Object.keys(vars));
    expect([vars["ENVIRONMENT"], staging.vars["ENVIRONMENT"]]).toEqual(["production", "staging"]);
  });

  test("the subrequest limit is above the need of the largest ping request", () => {
    const largest = MAX_PINGS + 2 * MAX_USERS + 30;
    for (const { limits } of [production, staging]) expect(limits.subrequests).toBeGreaterThan(largest);
  });

  test("the same rate limits with separate counters", () => {
    const withoutId = (limits: Config["ratelimits"]) =>
      limits.map(({ namespace_id: _id, ...limit }) => limit);
    expect(withoutId(staging.ratelimits)).toEqual(withoutId(ratelimits));
    const ids = [...ratelimits, ...staging.ratelimits].map(({ namespace_id }) => namespace_id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("no queue, bucket or database is shared", () => {
    expect(production.queues.producers.length).toBeGreaterThan(0);
    const resources = (config: Config) => [
      ...config.queues.producers.map(({ queue }) => queue),
      ...config.r2_buckets.map(({ bucket_name }) => bucket_name),
      ...config.d1_databases.map(({ database_name }) => database_name),
    ];
    const ours = new Set(resources(production));
    expect(resources(staging).filter((resource) => ours.has(resource))).toEqual([]);
  });
});

test("both environments store no traces, and log lines have no query strings", () => {
  for (const { observability } of [production, staging]) {
    expect(observability).toMatchObject({
      redact_query_string: true,
      logs: { enabled: true, invocation_logs: false },
      traces: { enabled: false },
    });
  }
});

test("each invocation of a consumer gets one message, so a file that ends its isolate affects no other partner", () => {
  for (const { queues } of [production, staging]) {
    const sizes = queues.consumers.flatMap(({ dead_letter_queue, max_batch_size }) =>
      dead_letter_queue === undefined ? [] : [max_batch_size],
    );
    expect(sizes).toEqual([1, 1, 1, 1]);
  }
});

/** Returns a batch without messages. A queue without a consumer rejects it. */
const emptyBatch = (queue: string) => ({
  queue,
  messages: [],
  metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } },
  ackAll() {},
  retryAll() {},
});

test("every queue of both environments has a consumer in the code, and a producer binding, so that wrangler creates it", async () => {
  for (const { queues } of [production, staging]) {
    expect(queues.consumers.map(({ queue }) => queue).toSorted()).toEqual(
      queues.producers.map(({ queue }) => queue).toSorted(),
    );
    for (const { queue, dead_letter_queue } of queues.consumers) {
      await worker.queue(emptyBatch(queue), {} as never);
      if (dead_letter_queue !== undefined) {
        expect(queues.producers.map((producer) => producer.queue)).toContain(dead_letter_queue);
      }
    }
  }
  // An environment that is added to wrangler.toml needs no change of the code.
  for (const queue of ["partner-api-bulk-third", "partner-api-deliveries-dead-third"]) {
    await worker.queue(emptyBatch(queue), {} as never);
  }
  await expect(worker.queue(emptyBatch("partner-api-other"), {} as never)).rejects.toThrow("no consumer");
});
