import { clockFor } from "../../src/collector/clock.pure.ts";
import { databaseFigures } from "./edgeDatabase.ts";
import { median, type Figure } from "./figures.ts";
import { HELD, Intake, LIVE, type Load } from "./intake.ts";
import { ENVIRONMENT, startWorkerd, type Workerd } from "./workerd.ts";

const ROUNDS = 6;
const WINDOW_MS = 2_500;
const START_MS = 500;
const PROJECTION_DELAY_MS = clockFor(ENVIRONMENT).projectionDelayMs;
/** Time after a live ride's ping at which the collector's alarm checks its dispatch. */
const DISPATCH_ALARM_MS = 5_000;

/** Target throughput, in percent of each bare Worker's. */
const TARGETS: readonly { load: Load; serviceLeadInMs: number; writing: number; projecting: number }[] = [
  { load: HELD, serviceLeadInMs: START_MS + PROJECTION_DELAY_MS, writing: 85, projecting: 65 },
  {
    load: LIVE,
    serviceLeadInMs: START_MS + Math.max(PROJECTION_DELAY_MS, DISPATCH_ALARM_MS),
    writing: 100,
    projecting: 75,
  },
];

/** Measures the throughput of pings, and the D1 calls that they cause. */
export async function edgeFigures(): Promise<Figure[]> {
  return [...(await throughputFigures()), ...(await databaseFigures())];
}

/**
 * Measures throughput compared with two Workers that make only the platform calls, one with D1 in the request and one with D1 in
 * an alarm, and against one that only parses.
 */
async function throughputFigures(): Promise<Figure[]> {
  const shared = { consumers: false } as const;
  const bareWorker = {
    ...shared,
    entry: "test/bench/workers/bareEdge.ts",
    classes: { COLLECTOR: "BareCollector" },
  };
  const workers = {
    service: await startWorkerd({ ...shared, entry: "src/index.ts" }),
    // Each has a D1 of its own: rows of one must not slow the other.
    writing: await startWorkerd(bareWorker),
    projecting: await startWorkerd(bareWorker),
  };
  try {
    const figures: Figure[] = [];
    for (const target of TARGETS) figures.push(...(await measured(target, workers)));
    return figures;
  } finally {
    await Promise.all(Object.values(workers).map(async (worker) => worker.stop()));
  }
}

/**
 * A lead-in lasts until alarms ring as often as pings come: the window then contains one projection for each ping.
 * Each turn ends when D1 has all its rows, so that its projection does not slow the next. The window ends before
 * that wait, which is mostly the alarm's delay.
 */
async function measured(
  { load, serviceLeadInMs, writing, projecting }: (typeof TARGETS)[number],
  workers: Record<"service" | "writing" | "projecting", Workerd>,
): Promise<Figure[]> {
  const targetOf = (intake: Intake, leadInMs: number) => ({ intake, leadInMs, rates: [] as number[] });
  const targets = {
    service: targetOf(new Intake(workers.service), serviceLeadInMs),
    writing: targetOf(new Intake(workers.writing, "/"), START_MS),
    projecting: targetOf(new Intake(workers.projecting, "/projecting/"), START_MS + PROJECTION_DELAY_MS),
    parsing: targetOf(new Intake(workers.writing, "/parsing/"), START_MS),
  };
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const { intake, leadInMs, rates } of Object.values(targets)) {
      const rate = await intake.rate(load, leadInMs, WINDOW_MS);
      if (intake !== targets.parsing.intake) await intake.settle();
      if (round >= 0) rates.push(rate);
    }
  }
  const section = "edge";
  const rateOf = (name: string, { rates }: { rates: number[] }): Figure => ({
    section,
    name,
    value: median(rates),
    unit: "requests/s",
  });
  // Compares within a round, because load on the machine slows all Workers.
  const percentOf = (name: string, { rates }: { rates: number[] }): Figure => {
    const percents = targets.service.rates.map((rate, round) => (100 * rate) / (rates[round] ?? NaN));
    return {
      section,
      name: `${load.name}: of ${name}`,
      value: median(percents),
      unit: "%",
      note: `${Math.min(...percents).toFixed(0)} to ${Math.max(...percents).toFixed(0)} in ${ROUNDS} rounds`,
    };
  };
  return [
    rateOf(load.name, targets.service),
    rateOf(`${load.name}: bare, D1 in the request`, targets.writing),
    rateOf(`${load.name}: bare, D1 in alarms`, targets.projecting),
    rateOf(`${load.name}: parsing only`, targets.parsing),
    {
      ...percentOf("the bare Worker's with D1 in the request", targets.writing),
      target: { at: "least", value: writing },
    },
    {
      ...percentOf("the bare Worker's with D1 in alarms", targets.projecting),
      target: { at: "least", value: projecting },
    },
    percentOf("the parsing Worker's", targets.parsing),
  ];
}
