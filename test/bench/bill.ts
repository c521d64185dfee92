import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { clockFor } from "../../src/collector/clock.pure.ts";
import { expectStatus } from "./client.ts";
import { startHost } from "./files.ts";
import type { Figure } from "./figures.ts";
import { Benched } from "./imports.ts";
import { PRICES, PRICES_OF, type Billable } from "./prices.ts";
import { ENVIRONMENT, startWorkerd, type WorkerdOptions } from "./workerd.ts";

const MILLION = 1_000_000;
const GIGABYTE = 1e9;
/** The measured run. Its counts are scaled to a million files. */
const HISTORIES = 2;
const FILES_A_HISTORY = 450;
const LIVE_RIDES = 100;
const FILES = HISTORIES * FILES_A_HISTORY + LIVE_RIDES;
/** Pause between rides, so that each has a projection of its own. Rides that share one cost less. */
const RIDE_PAUSE_MS = (2 * clockFor(ENVIRONMENT).projectionDelayMs) / HISTORIES;
/** Time after which the last ride's alarms have rung. */
const LAST_ALARM_MS = 6_000;
/** Delay of a queue under load: a live ride is projected before its import starts. */
const LATE_SECONDS = 3;
const TARGET_USD = 11.8;
/** Additional cost of downloading held files before their task. */
const PREFETCH_TARGET_USD = 1.6;
/** Time after which the files that a host has sent are stored and reported. */
const STORED_MS = 3_000;

const READS = 50;
const READS_SCALED_TO = 1_000;

const countsSchema = z.record(z.string(), z.number());
type Counts = Record<string, number>;

/** Counts every billable operation of real imports and of reading back, and prices them. */
export async function billFigures(): Promise<Figure[]> {
  const { imported, readBack } = await counted({});
  const late = await counted({ priorityDelaySeconds: LATE_SECONDS });
  const prefetched = await counted({ prefetchHeld: true });
  const files = "1,000,000 files";
  const scale = MILLION / FILES;
  return [
    ...figuresOf(
      minus(prefetched.imported, imported),
      scale,
      `${files}, the history downloaded before its task, in addition`,
      PREFETCH_TARGET_USD,
    ),
    ...figuresOf(imported, scale, files, TARGET_USD),
    ...figuresOf(late.imported, scale, `${files}, live rides ${LATE_SECONDS} s in the queue`, TARGET_USD),
    ...figuresOf(readBack, READS_SCALED_TO / READS, "1,000 lists and 1,000 streams", null),
  ];
}

async function counted(
  settings: Pick<WorkerdOptions, "priorityDelaySeconds" | "prefetchHeld">,
): Promise<{ imported: Counts; readBack: Counts }> {
  const host = await startHost();
  const worker = await startWorkerd({
    entry: "test/bench/workers/metered.ts",
    consumers: true,
    ...settings,
  });
  try {
    const benched = new Benched(worker, host);
    const countsNow = async () =>
      countsSchema.parse(
        JSON.parse(await expectStatus(200, "GET", new URL("/metered/", worker.url), worker.credentials)),
      );
    const imported = worker.database.prepare("SELECT count(*) found FROM files WHERE status = 'imported'");
    const completed = worker.database.prepare(
      "SELECT count(*) found FROM imports WHERE status = 'completed'",
    );
    const until = async (statement: D1PreparedStatement, count: number) =>
      benched.until(async () => (await statement.first<{ found: number }>())?.found === count);

    for (let history = 0; history < HISTORIES; history += 1) {
      await benched.hold(`history-${history}`, FILES_A_HISTORY);
      if (settings.prefetchHeld === true) {
        await benched.until(async () => host.requests() === (history + 1) * FILES_A_HISTORY);
        await delay(STORED_MS);
      }
      await benched.release(`history-${history}`);
    }
    await until(imported, HISTORIES * FILES_A_HISTORY);
    await until(completed, HISTORIES);
    let lastRide = "";
    for (let ride = 0; ride < LIVE_RIDES; ride += 1) {
      lastRide = await benched.pingLive(`history-${ride % HISTORIES}`, `live-${ride}`);
      await delay(RIDE_PAUSE_MS);
    }
    await until(imported, FILES);
    await delay(LAST_ALARM_MS);
    const afterImports = await countsNow();

    for (let read = 0; read < READS; read += 1) {
      for (const path of ["/api/activities/?user_id=history-0", `/api/activities/${lastRide}.0/streams/`]) {
        await expectStatus(200, "GET", new URL(path, worker.url), worker.credentials);
      }
    }
    return { imported: afterImports, readBack: minus(await countsNow(), afterImports) };
  } finally {
    await worker.stop();
    await host.close();
  }
}

function minus(later: Counts, earlier: Counts): Counts {
  const kinds = new Set([...Object.keys(later), ...Object.keys(earlier)]);
  return Object.fromEntries(Array.from(kinds, (what) => [what, (later[what] ?? 0) - (earlier[what] ?? 0)]));
}

/** Sums counts by billed kind: `d1_rows_written/files` is a `d1_rows_written`. */
function billed(counts: Counts): Record<Billable, number> {
  const sum = (...kinds: string[]) =>
    Object.entries(counts).reduce(
      (all, [what, n]) => all + (kinds.includes(what.split("/")[0] ?? "") ? n : 0),
      0,
    );
  return {
    worker_requests: sum("worker_requests"),
    queue_operations: sum("queue_writes", "queue_reads_and_deletes"),
    d1_rows_written: sum("d1_rows_written"),
    d1_rows_read: sum("d1_rows_read"),
    do_requests: sum("do_requests"),
    do_rows_written: sum("do_rows_written"),
    do_rows_read: sum("do_rows_read"),
    r2_class_a: sum("r2_class_a"),
    r2_class_b: sum("r2_class_b"),
    kv_reads: sum("kv_reads"),
    log_gigabytes: sum("log_bytes") / GIGABYTE,
  };
}

function figuresOf(counts: Counts, scale: number, name: string, target: number | null): Figure[] {
  const section = "bill";
  const rows: Figure[] = [];
  let total = 0;
  for (const [kind, amount] of Object.entries(billed(counts))) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys of a Record<Billable, …>
    const { usd, buys } = PRICES[kind as Billable];
    const scaled = amount * scale;
    const cost = kind === "log_gigabytes" ? scaled * usd : (scaled * usd) / MILLION;
    total += cost;
    const parts = Object.entries(counts)
      .filter(([what, n]) => what.startsWith(`${kind}/`) && n > 0)
      .map(([what, n]) => `${what.slice(kind.length + 1)} ${Math.round(n * scale)}`);
    const detail = parts.length > 1 ? ` (${parts.join(", ")})` : "";
    rows.push({
      section,
      name: `${name}: ${kind.replaceAll("_", " ")} × ${kind === "log_gigabytes" ? scaled.toFixed(2) : Math.round(scaled)}`,
      value: cost,
      unit: "USD",
      note: buys + detail,
    });
  }
  return [
    ...rows,
    {
      section,
      name: `${name}: all`,
      value: total,
      unit: "USD",
      ...(target === null ? undefined : { target: { at: "most" as const, value: target } }),
      note: `list prices of ${PRICES_OF} without allowances; ${scale} × the counts; no CPU time, durations or storage`,
    },
  ];
}
