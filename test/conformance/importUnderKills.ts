import { createHash } from "node:crypto";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { eventually } from "../support/eventually.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { randomFrom } from "../support/fitMutants.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type Import, type PartnerClient } from "./partnerClient.ts";

/** Progress of the import, as seen from outside the service. */
interface Progress {
  /** Fraction of the ping requests with a response. */
  pinged: number;
  /** Fraction of the files that were requested from the host. */
  requested: number;
  tasked: boolean;
  completed: boolean;
}

interface Stage {
  /** Returns whether the stage has begun. `random` in [0, 1) differs by run. */
  hasBegun(progress: Progress, random: number): boolean;
  /** Maximum random delay from the beginning of the stage to the kill. */
  withinMs: number;
}

/** Stages of an import at which the service is killed, in order. */
const STAGES = {
  "during the pings": { hasBegun: ({ pinged }, random) => pinged > 0.1 + random * 0.6, withinMs: 100 },
  "while files are held": {
    hasBegun: ({ requested, tasked }, random) => !tasked && requested > 0.2 + random * 0.6,
    withinMs: 300,
  },
  "after the task": { hasBegun: ({ tasked }) => tasked, withinMs: 300 },
  early: { hasBegun: ({ requested }, random) => requested > 0.05 + random * 0.2, withinMs: 300 },
  "in the middle": { hasBegun: ({ requested }, random) => requested > 0.35 + random * 0.2, withinMs: 300 },
  late: { hasBegun: ({ requested }, random) => requested > 0.7 + random * 0.2, withinMs: 300 },
  "at the last file": { hasBegun: ({ requested }) => requested === 1, withinMs: 1_500 },
  "when it is completed": { hasBegun: ({ completed }) => completed, withinMs: 300 },
} satisfies Record<string, Stage>;
export type StageName = keyof typeof STAGES;
/** Stages of an import with files that are downloaded after the task. */
export const ALL_STAGES: readonly StageName[] = [
  "during the pings",
  "after the task",
  "early",
  "in the middle",
  "late",
  "at the last file",
  "when it is completed",
];
/** Stages of an import with files that are downloaded before the task. */
export const PREFETCH_STAGES: readonly StageName[] = [
  "during the pings",
  "while files are held",
  "at the last file",
  "after the task",
  "when it is completed",
];

export interface KillReport {
  kills: number;
  imported: number;
  /** Files that failed as `callback_gone`: a kill interrupted the attempt that used their single-use URL. */
  gone: number;
  /** Number of deliveries of the event, all with the same id. */
  eventArrivals: number;
  seconds: number;
  /** Each broken promise, as a sentence. */
  broken: string[];
}

/** Number of ping requests for all files. */
const PING_REQUESTS = 20;
/** Number of concurrent ping requests. */
const PINGS_AT_ONCE = 3;
/** Maximum random delay of a response of the host. */
const HOST_DELAY_MS = 400;
/** Concurrent downloads of one message. A local queue delivers one message at a time. */
const CONCURRENT_DOWNLOADS = 6;
/** A claim of a killed importer expires after a minute. */
const SECONDS_PER_KILL = 120;
const USER = "rider";
const FIRST_START_SECONDS = 1_750_000_000;

interface HostedFile {
  summary_id: string;
  start: number;
  url: string;
  sha256: string;
}

/**
 * Imports this number of files from a host with single-use URLs. Kills the service with `kill -9` once in each stage
 * and restarts it on its state. Then checks every promise. `print` receives a line for each kill. With `prefetch_held` the
 * task follows when all files were requested.
 */
export async function importUnderKills(
  files: number,
  stages: readonly StageName[],
  seed: number,
  print: (line: string) => void,
  prefetch_held = false,
): Promise<KillReport> {
  const [service, host, receiver] = await Promise.all([
    ServiceProcess.start(),
    startFileHost(),
    startEventReceiver(),
  ]);
  try {
    const credentials = await service.createPartner("acme", "--event-url", receiver.url);
    receiver.expect(credentials.webhook_secret);
    const partner = partnerClient(service.url, credentials);
    if (prefetch_held) {
      const { status } = await partner.send("PATCH", "/api/partner/", { prefetch_held });
      if (status !== 200) throw new Error(`The setting was not changed: ${status}`);
    }
    const run = new Run(service, host, receiver, partner, randomFrom(seed), print);
    return await run.import(files, stages, prefetch_held);
  } finally {
    await Promise.all([service.stop(), host.close(), receiver.close()]);
  }
}

class Run {
  readonly #service: ServiceProcess;
  readonly #host: FileHost;
  readonly #receiver: EventReceiver;
  readonly #partner: PartnerClient;
  readonly #random: () => number;
  readonly #print: (line: string) => void;
  readonly #startedAt = Date.now();
  #files: HostedFile[] = [];
  #killsInDownloads = 0;
  #requests = 0;
  #responses = 0;
  #tasked = false;
  #completed = false;

  constructor(
    service: ServiceProcess,
    host: FileHost,
    receiver: EventReceiver,
    partner: PartnerClient,
    random: () => number,
    print: (line: string) => void,
  ) {
    this.#service = service;
    this.#host = host;
    this.#receiver = receiver;
    this.#partner = partner;
    this.#random = random;
    this.#print = print;
  }

  async import(files: number, stages: readonly StageName[], isPrefetched: boolean): Promise<KillReport> {
    this.#files = Array.from({ length: files }, (_, index) => this.#serve(index));
    const timeout = 120 + files / 4 + stages.length * SECONDS_PER_KILL;
    const [completed] = await Promise.all([
      this.#asPartner(timeout, isPrefetched),
      this.#killInTurn(stages, timeout),
    ]);
    await eventually("the event is delivered", SECONDS_PER_KILL, async () => {
      const { event } = await this.#partner.readImport(completed.import_id);
      return event?.status === "delivered" ? true : undefined;
    });
    return {
      kills: stages.length,
      ...(await this.#examine(completed.import_id)),
      eventArrivals: this.#receiver.received.length,
      seconds: this.#seconds(),
    };
  }

  #serve(index: number): HostedFile {
    const start = FIRST_START_SECONDS + index * 86_400;
    const bytes = rideFile({ startInSeconds: start });
    return {
      summary_id: `ride-${index}`,
      start,
      url: this.#host.serve(bytes, { delayInMs: this.#random() * HOST_DELAY_MS }),
      sha256: createHash("sha256").update(bytes).digest("hex"),
    };
  }

  /** Sends the pings and the task, and repeats each request until it gets a response. Then waits for completion. */
  async #asPartner(timeoutInSeconds: number, isPrefetched: boolean): Promise<Import> {
    const perRequest = Math.ceil(this.#files.length / PING_REQUESTS);
    const requests = Array.from({ length: Math.ceil(this.#files.length / perRequest) }, (_, request) =>
      this.#files.slice(request * perRequest, (request + 1) * perRequest),
    );
    this.#requests = requests.length;
    const waiting = [...requests];
    const sendInTurn = async () => {
      for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
        const items = request.map(({ summary_id, start, url }) => ({
          summary_id,
          callback_url: url,
          priority: 0 as const,
          user_id: USER,
          start_time_in_seconds: String(start),
        }));
        await repeatUntilResponse("the pings are accepted", async () => this.#partner.ping(...items));
        this.#responses += 1;
      }
    };
    await Promise.all(Array.from({ length: PINGS_AT_ONCE }, sendInTurn));
    if (isPrefetched) {
      await eventually("all files are requested", timeoutInSeconds, () =>
        this.#progress().requested === 1 ? true : undefined,
      );
    }
    const task = { user_id: USER, is_initial_import: true, event_id: "connect" };
    const { import_id } = await repeatUntilResponse("the task is accepted", async () =>
      this.#partner.task(task),
    );
    this.#tasked = true;
    const completed = await eventually("the import completes", timeoutInSeconds, async () => {
      const found = await repeatUntilResponse("the import is read", async () =>
        this.#partner.readImport(import_id),
      );
      return found.completed_at === null ? undefined : found;
    });
    this.#completed = true;
    return completed;
  }

  async #killInTurn(stages: readonly StageName[], timeoutInSeconds: number): Promise<void> {
    for (const stage of stages) {
      const { hasBegun, withinMs } = STAGES[stage];
      const random = this.#random();
      await eventually(`the stage ${stage} begins`, timeoutInSeconds, () =>
        hasBegun(this.#progress(), random) ? true : undefined,
      );
      const moment = this.#random() * withinMs;
      await new Promise((resolve) => {
        setTimeout(resolve, moment);
      });
      const { pinged, requested, tasked } = this.#progress();
      if (tasked || requested > 0) this.#killsInDownloads += 1;
      await this.#service.kill();
      this.#print(
        `killed ${stage}: ${this.#seconds()} s, ${percent(pinged)} pinged, ${percent(requested)} of the files requested`,
      );
      await this.#service.startAgain();
    }
  }

  #progress(): Progress {
    const requested = this.#files.filter(({ url }) => this.#host.asked(url) > 0).length / this.#files.length;
    const pinged = this.#requests === 0 ? 0 : this.#responses / this.#requests;
    return { pinged, requested, tasked: this.#tasked, completed: this.#completed };
  }

  async #examine(importId: string): Promise<Pick<KillReport, "imported" | "gone" | "broken">> {
    const broken: string[] = [];
    const expect = (promise: string, found: unknown, expected: unknown) => {
      if (JSON.stringify(found) !== JSON.stringify(expected)) {
        broken.push(`${promise}: found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
      }
    };
    const partner = this.#partner;
    const [found, files, activities, imports, events] = await Promise.all([
      partner.readImport(importId),
      partner.listFiles(`user_id=${USER}`),
      partner.listActivities(`user_id=${USER}`),
      partner.listImports(`user_id=${USER}`),
      partner.listEvents(),
    ]);
    const byName = new Map(files.map((file) => [file.summary_id, file]));
    expect("one file for each ping", files.length, this.#files.length);
    let imported = 0;
    let gone = 0;
    for (const { summary_id, start, url, sha256 } of this.#files) {
      const file = byName.get(summary_id);
      const requests = this.#host.asked(url);
      const own = activities.filter((activity) => activity.summary_id === summary_id);
      if (file?.status === "imported") {
        imported += 1;
        expect(`${summary_id} was requested once`, requests, 1);
        expect(`${summary_id} is stored unchanged`, file.sha256, sha256);
        expect(
          `${summary_id} has one activity`,
          own.map((activity) => activity.start_time_in_seconds),
          [start],
        );
        expect(`${summary_id} belongs to the import`, file.import_id, importId);
      } else {
        gone += 1;
        expect(
          `${summary_id} is imported, or its URL was used`,
          [file?.status, file?.error?.code],
          ["failed", "callback_gone"],
        );
        expect(`${summary_id} failed and was requested before`, requests >= 2, true);
        expect(`${summary_id} failed and has no activity`, own.length, 0);
      }
    }
    const kills = this.#killsInDownloads;
    if (gone > kills * CONCURRENT_DOWNLOADS) broken.push(`${kills} kills used ${gone} URLs`);
    expect("one import", imports.length, 1);
    const counts = { total: this.#files.length, pending: 0, imported, skipped: 0, failed: gone };
    expect("the counts of the import", found.files, counts);
    const { pending: _, ...announced } = counts;
    expect("one event", events.length, 1);
    expect("one event id", [...new Set(this.#receiver.received.map(({ id }) => id))], [events[0]?.id]);
    expect("no invalid signature", this.#receiver.refused(), 0);
    for (const { body } of this.#receiver.received) {
      const { data } = body as { data: { files: unknown } };
      expect("the counts of the event", data.files, announced);
    }
    return { imported, gone, broken };
  }

  #seconds(): number {
    return Math.round((Date.now() - this.#startedAt) / 1000);
  }
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** Repeats a request until it gets a response: the service may be down, or be killed while it responds. */
async function repeatUntilResponse<T>(what: string, request: () => Promise<T>): Promise<T> {
  return eventually(what, SECONDS_PER_KILL, async () => {
    try {
      return await request();
    } catch (fault) {
      // `fetch` throws a TypeError when the connection fails or breaks.
      if (fault instanceof TypeError) return undefined;
      throw fault;
    }
  });
}
