import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { allAcceptedSchema } from "../../src/pings/acceptedPings.ts";
import { expectStatus, pingOf, send, SOURCE } from "./client.ts";
import { inParallel, median, quantile, timed, type Figure } from "./figures.ts";
import { startHost, type Host } from "./files.ts";
import { startWorkerd, type Workerd } from "./workerd.ts";

const PINGS_A_REQUEST = 50;
const LIVE_RIDES = 25;
/** Pause between live rides while a history is imported. */
const RIDE_PAUSE_MS = 150;
const POLL_MS = 5;
const GIVE_UP_AFTER_MS = 600_000;
const HISTORY_FILES = 1_000;
const SMALL_HISTORY_FILES = 100;
/** Size of the large history. 10,000 files take many minutes: `BENCH_LARGE_FILES=10000`. */
const LARGE_HISTORY_FILES = Number(process.env["BENCH_LARGE_FILES"] ?? 2_000);
const ROUNDS = 3;

const importSchema = z.object({
  import_id: z.string(),
  status: z.string(),
  files: z.object({ total: z.number(), imported: z.number() }),
});

let users = 0;

/** A service and a host, with the requests that the import sections need. */
export class Benched {
  readonly service: Workerd;
  readonly host: Host;
  #served = 0;

  constructor(service: Workerd, host: Host) {
    this.service = service;
    this.host = host;
  }

  /** Returns an address that was not used before. */
  callback(): string {
    this.#served += 1;
    return `${this.host.url.href}${this.#served}.fit?token=${this.#served}`;
  }

  /** Pings files of a user as held, in requests of 50. */
  async hold(user: string, files: number): Promise<void> {
    await inParallel(Math.ceil(files / PINGS_A_REQUEST), 2, async (request) => {
      const count = Math.min(PINGS_A_REQUEST, files - request * PINGS_A_REQUEST);
      const activity_files = Array.from({ length: count }, (_, item) =>
        pingOf({
          user_id: user,
          summary_id: `held-${request}-${item}`,
          priority: 0,
          callback_url: this.callback(),
        }),
      );
      await this.#post("/api/fit_partner_ping/", { activity_files });
    });
  }

  async release(user: string): Promise<string> {
    const answer = await this.#post("/api/task_partner/", {
      bulk_fit_transfer_complete: true,
      source: SOURCE,
      is_initial_import: true,
      user_id: user,
    });
    return importSchema.parse(JSON.parse(answer)).import_id;
  }

  async completed(importId: string): Promise<void> {
    const url = new URL(`/api/imports/${importId}/`, this.service.url);
    await this.until(async () => {
      const found = importSchema.parse(
        JSON.parse(await expectStatus(200, "GET", url, this.service.credentials)),
      );
      if (found.status === "completed_with_failures") throw new Error("Some files could not be imported.");
      return found.status === "completed";
    });
  }

  /** Waits until the condition holds. */
  async until(condition: () => Promise<boolean>): Promise<void> {
    for (let waited = 0; waited < GIVE_UP_AFTER_MS; waited += 100) {
      if (await condition()) return;
      await delay(100);
    }
    throw new Error("The condition did not hold in time.");
  }

  /** Pings one live ride. Returns its file's id. */
  async pingLive(user: string, summary: string): Promise<string> {
    const ping = pingOf({ user_id: user, summary_id: summary, priority: 1, callback_url: this.callback() });
    const answer = await this.#post("/api/fit_partner_ping/", { activity_files: [ping] });
    return allAcceptedSchema.parse(JSON.parse(answer)).files[0]?.file_id ?? "";
  }

  /** Returns the milliseconds from the task to the import's completion. */
  async history(files: number): Promise<number> {
    users += 1;
    const user = `history-${users}`;
    await this.hold(user, files);
    return timed(async () => this.completed(await this.release(user)));
  }

  /** Returns the milliseconds from the response to a live ride's ping until its activity is readable. */
  async liveRide(): Promise<number> {
    users += 1;
    const file = await this.pingLive(`live-${users}`, "ride");
    const url = new URL(`/api/activities/${file}.0/`, this.service.url);
    return timed(async () => {
      for (let waited = 0; waited < GIVE_UP_AFTER_MS; waited += POLL_MS) {
        const { status } = await send("GET", url, this.service.credentials);
        if (status === 200) return;
        await delay(POLL_MS);
      }
      throw new Error("The ride did not become readable.");
    });
  }

  async #post(path: string, body: unknown): Promise<string> {
    return expectStatus(202, "POST", new URL(path, this.service.url), this.service.credentials, body);
  }
}

async function withBoth(work: (benched: Benched, bare: Bare) => Promise<Figure[]>): Promise<Figure[]> {
  const host = await startHost();
  const service = await startWorkerd({ entry: "src/index.ts", consumers: true });
  const bare = await startWorkerd({
    entry: "test/bench/workers/bareImport.ts",
    consumers: false,
    classes: {},
  });
  try {
    return await work(new Benched(service, host), new Bare(bare, host));
  } finally {
    await Promise.all([service.stop(), bare.stop()]);
    await host.close();
  }
}

/** A loop in one Worker that downloads, stores and decodes. */
class Bare {
  readonly #worker: Workerd;
  readonly #host: Host;
  #done = 0;

  constructor(worker: Workerd, host: Host) {
    this.#worker = worker;
    this.#host = host;
  }

  async import(files: number): Promise<number> {
    const start = this.#done;
    this.#done += files;
    const query = `from=${encodeURIComponent(this.#host.url.href)}&start=${start}&count=${files}`;
    const url = new URL(`/?${query}`, this.#worker.url);
    return timed(async () => expectStatus(204, "GET", url, this.#worker.credentials));
  }
}

/** Allowed ratio to the time of the bare work. The wait for the queue is allowed in addition. */
const ALLOWED_OVER_BARE = 1.5;
const ALLOWED_BATCHING_MS = 1_000;

/** Measures when a live ride is readable: alone, and while a history is imported. */
export async function liveFigures(): Promise<Figure[]> {
  return withBoth(async (benched, bare) => {
    for (let ride = 0; ride < 5; ride += 1) {
      await benched.liveRide();
      await bare.import(1);
    }
    const idle: number[] = [];
    const bareOnes: number[] = [];
    for (let ride = 0; ride < LIVE_RIDES; ride += 1) {
      bareOnes.push(await bare.import(1));
      idle.push(await benched.liveRide());
    }
    users += 1;
    const user = `beside-${users}`;
    await benched.hold(user, HISTORY_FILES);
    let running = true;
    const history = (async () => {
      await benched.completed(await benched.release(user));
      running = false;
    })();
    const busy: number[] = [];
    // oxlint-disable-next-line no-unmodified-loop-condition -- the history ends it
    while (running) {
      const took = await benched.liveRide();
      // A ride that ended after the history does not count.
      if (running) busy.push(took);
      await delay(RIDE_PAUSE_MS);
    }
    await history;
    const section = "live";
    const size = `${Math.round(benched.host.bytesEach / 1000)} KB`;
    const bareMs = median(bareOnes);
    return [
      { section, name: `bare download, put and decode of ${size}`, value: bareMs, unit: "ms" },
      { section, name: "from the answer to readable: median", value: median(idle), unit: "ms" },
      {
        section,
        name: "from the answer to readable, over bare: median",
        value: median(idle) / bareMs,
        unit: "×",
      },
      {
        section,
        name: `from the answer to readable, beyond ${ALLOWED_OVER_BARE} × bare: median`,
        value: median(idle) - ALLOWED_OVER_BARE * bareMs,
        unit: "ms",
        target: { at: "most", value: ALLOWED_BATCHING_MS },
      },
      { section, name: "p95 alone", value: quantile(idle, 0.95), unit: "ms" },
      ...(busy.length === 0
        ? []
        : [
            { section, name: `p95 beside ${HISTORY_FILES} files`, value: quantile(busy, 0.95), unit: "ms" },
            {
              section,
              name: `p95 beside ${HISTORY_FILES} files, over p95 alone`,
              value: quantile(busy, 0.95) / quantile(idle, 0.95),
              unit: "×",
              target: { at: "most" as const, value: 2 },
              note: `${busy.length} rides; local workerd runs everything in one isolate`,
            },
          ]),
    ];
  });
}

/** Measures a history compared with a bare loop, and the time per file of a large and of a small history. */
export async function bulkFigures(): Promise<Figure[]> {
  return withBoth(async (benched, bare) => {
    await benched.history(SMALL_HISTORY_FILES);
    await bare.import(SMALL_HISTORY_FILES);
    const ours: number[] = [];
    const theirs: number[] = [];
    const small: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      theirs.push(await bare.import(HISTORY_FILES));
      ours.push(await benched.history(HISTORY_FILES));
      small.push(await benched.history(SMALL_HISTORY_FILES));
    }
    const large = await benched.history(LARGE_HISTORY_FILES);
    const largeBare = await bare.import(LARGE_HISTORY_FILES);
    const section = "bulk";
    const ratio = median(ours.map((took, round) => took / (theirs[round] ?? NaN)));
    return [
      { section, name: `${HISTORY_FILES} files: a file`, value: median(ours) / HISTORY_FILES, unit: "ms" },
      {
        section,
        name: `${HISTORY_FILES} files, bare: a file`,
        value: median(theirs) / HISTORY_FILES,
        unit: "ms",
      },
      {
        section,
        name: `${HISTORY_FILES} files, over the bare loop`,
        value: ratio,
        unit: "×",
        target: { at: "most", value: 1.6 },
      },
      {
        section,
        name: `${SMALL_HISTORY_FILES} files: a file`,
        value: median(small) / SMALL_HISTORY_FILES,
        unit: "ms",
      },
      {
        section,
        name: `${LARGE_HISTORY_FILES} files: a file`,
        value: large / LARGE_HISTORY_FILES,
        unit: "ms",
      },
      {
        section,
        name: `${LARGE_HISTORY_FILES} files, over the bare loop right after`,
        value: large / largeBare,
        unit: "×",
      },
      ...[
        { files: HISTORY_FILES, took: median(ours) },
        { files: SMALL_HISTORY_FILES, took: median(small) },
      ].map(({ files, took }): Figure => ({
        section,
        name: `a file of ${LARGE_HISTORY_FILES}, over a file of ${files}`,
        value: large / LARGE_HISTORY_FILES / (took / files),
        unit: "×",
        target: { at: "most", value: 1.15 },
      })),
    ];
  });
}
