import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { expectStatus } from "./client.ts";
import { inParallel, median, quantile, type Figure } from "./figures.ts";
import { Intake, LOADS, type Load } from "./intake.ts";
import { startWorkerd, type Workerd } from "./workerd.ts";

const CALLS_FOR_MS = 6_000;
/** Time after which every alarm of a ping has rung. */
const LAST_ALARM_MS = 6_000;
const MOST_CALLS = 120;

const SLOWER_BY_MS = 50;
/** Rounds with each delay. They alternate, so that both have the same noise. */
const ROUNDS = 24;
const ROUND_MS = 500;
/** Users pinged throughout, so that their pings also meet alarms that wait for D1. */
const REGULAR_USERS = 8;
const NEW_USERS_A_ROUND = 4;
/** Requests in flight: few enough that a ping rarely waits for a core. */
const AT_ONCE = 2;
/** Allowed noise. A ping that waited for D1 once would take 50 ms more. */
const MOST_MORE_MS = 10;

const callsSchema = z.object({ request: z.number(), collector: z.number() });

/** Measures how many D1 calls pings cause, and whether pings wait for them. */
export async function databaseFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const load of LOADS) {
    const worker = await startWorkerd({
      consumers: false,
      entry: "test/bench/workers/watchedDatabase.ts",
    });
    try {
      figures.push(...(await callFigures(load, worker)), ...(await latencyFigures(load, worker)));
    } finally {
      await worker.stop();
    }
  }
  return figures;
}

async function callFigures(load: Load, worker: Workerd): Promise<Figure[]> {
  const intake = new Intake(worker);
  await intake.rate(load, 0, CALLS_FOR_MS);
  await intake.settle();
  await delay(LAST_ALARM_MS);
  const calls = callsSchema.parse(
    JSON.parse(await expectStatus(200, "GET", new URL("/watched-database/", worker.url), worker.credentials)),
  );
  const figure = (what: string, count: number): Figure => ({
    section: "edge",
    name: `${load.name}: D1 calls for 1,000 requests, ${what}`,
    value: (count * 1_000) / intake.requests,
    unit: "",
  });
  return [
    figure("by the request", calls.request),
    figure("by collectors", calls.collector),
    {
      ...figure("all", calls.request + calls.collector),
      target: { at: "most", value: MOST_CALLS },
      note: `${load.requestsPerUser} requests of each user in a row; all users are new`,
    },
  ];
}

async function latencyFigures(load: Load, worker: Workerd): Promise<Figure[]> {
  const intake = new Intake(worker);
  const took = {
    usual: { first: [] as number[], later: [] as number[] },
    slow: { first: [] as number[], later: [] as number[] },
  };
  // The first rounds warm up.
  for (let round = -4; round < 2 * ROUNDS; round += 1) {
    const isSlow = round % 2 === 0;
    const url = new URL(`/watched-database/?slower_by_ms=${isSlow ? SLOWER_BY_MS : 0}`, worker.url);
    await expectStatus(200, "POST", url, worker.credentials);
    const first: number[] = [];
    const later: number[] = [];
    await inParallel(NEW_USERS_A_ROUND, AT_ONCE, async (user) => {
      first.push(await intake.ping(load, `new-${round}-${user}`));
    });
    const end = performance.now() + ROUND_MS;
    await inParallel(AT_ONCE, AT_ONCE, async () => {
      while (performance.now() < end) {
        later.push(await intake.ping(load, `regular-${intake.requests % REGULAR_USERS}`));
      }
    });
    if (round < 0) continue;
    took[isSlow ? "slow" : "usual"].first.push(...first);
    took[isSlow ? "slow" : "usual"].later.push(...later);
  }
  const figure = (name: string, value: number): Figure => ({
    section: "edge",
    name: `${load.name}: ${name}`,
    value,
    unit: "ms",
  });
  const slower = `D1 slower by ${SLOWER_BY_MS} ms`;
  return [
    figure("latency, median", median(took.usual.later)),
    figure("latency, p95", quantile(took.usual.later, 0.95)),
    figure(`${slower}: latency, median`, median(took.slow.later)),
    figure(`${slower}: latency, p95`, quantile(took.slow.later, 0.95)),
    {
      ...figure(`${slower}: more latency, medians`, median(took.slow.later) - median(took.usual.later)),
      target: { at: "most", value: MOST_MORE_MS },
    },
    figure("latency of a user's first ping, median", median(took.usual.first)),
    {
      ...figure(`${slower}: latency of a user's first ping, median`, median(took.slow.first)),
      note: "a first ping may wait for D1",
    },
  ];
}
