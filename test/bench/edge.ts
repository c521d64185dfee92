import { inParallel, median, timed, type Figure } from "./figures.ts";
import { expectAnswer, pingOf, signedUrl } from "./client.ts";
import { startWorkerd, type Workerd } from "./workerd.ts";

/** As many as keep workerd busy without making one wait for another. */
const AT_ONCE = 8;
const ROUNDS = 9;

interface Load {
  name: string;
  priority: 0 | 1;
  items: number;
  /** Requests of one round: long enough to be timed, short enough to be interleaved. */
  requests: number;
  /** Requests after which another user's follow: a history comes in pages, a live ride alone. */
  requestsPerUser: number;
}

const LOADS: readonly Load[] = [
  { name: "50 items of priority 0", priority: 0, items: 50, requests: 60, requestsPerUser: 20 },
  { name: "1 item of priority 1", priority: 1, items: 1, requests: 150, requestsPerUser: 5 },
];

/** How many pings the service takes, against a Worker that only makes the platform calls, and one that only parses. */
export async function edgeFigures(): Promise<Figure[]> {
  const shared = { consumers: false } as const;
  const service = await startWorkerd({ ...shared, entry: "src/index.ts" });
  const bare = await startWorkerd({
    ...shared,
    entry: "test/bench/workers/bareEdge.ts",
    classes: { LEDGER: "BareLedger" },
  });
  try {
    const figures: Figure[] = [];
    for (const load of LOADS) figures.push(...(await measured(load, service, bare)));
    return figures;
  } finally {
    await Promise.all([service.stop(), bare.stop()]);
  }
}

async function measured(load: Load, service: Workerd, bare: Workerd): Promise<Figure[]> {
  const doors = {
    service: { worker: service, url: new URL("/api/fit_partner_ping/", service.url), rates: [] as number[] },
    bare: { worker: bare, url: new URL("/", bare.url), rates: [] as number[] },
    parse: { worker: bare, url: new URL("/parse/", bare.url), rates: [] as number[] },
  };
  let sent = 0;
  for (let round = -2; round < ROUNDS; round += 1) {
    for (const { worker, url, rates } of Object.values(doors)) {
      const start = sent;
      sent += load.requests;
      const took = await timed(async () =>
        inParallel(load.requests, AT_ONCE, async (index) => {
          const body = bodyOf(load, start + index);
          await expectAnswer(202, "POST", url, worker.credentials, body);
        }),
      );
      if (round >= 0) rates.push((load.requests * 1000) / took);
    }
  }
  // Rounds stand side by side: what slows the machine down slows all three.
  const ratio = (over: number[]) =>
    median(doors.service.rates.map((rate, round) => rate / (over[round] ?? NaN)));
  const section = "edge";
  return [
    { section, name: load.name, value: median(doors.service.rates), unit: "requests/s" },
    {
      section,
      name: `${load.name}: bare platform calls`,
      value: median(doors.bare.rates),
      unit: "requests/s",
    },
    { section, name: `${load.name}: parsing only`, value: median(doors.parse.rates), unit: "requests/s" },
    {
      section,
      name: `${load.name}: of the bare Worker's`,
      value: 100 * ratio(doors.bare.rates),
      unit: "%",
      target: { at: "least", value: 80 },
    },
    {
      section,
      name: `${load.name}: of the parsing Worker's`,
      value: 100 * ratio(doors.parse.rates),
      unit: "%",
    },
  ];
}

function bodyOf(load: Load, request: number) {
  return {
    activity_files: Array.from({ length: load.items }, (_, item) =>
      pingOf({
        user_id: `user-${load.priority}-${Math.floor(request / load.requestsPerUser)}`,
        summary_id: `ride-${request}-${item}`,
        priority: load.priority,
        callback_url: signedUrl(request * load.items + item),
      }),
    ),
  };
}
