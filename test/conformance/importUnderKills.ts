import { createHash } from "node:crypto";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { eventually } from "../support/eventually.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { randomFrom } from "../support/fitMutants.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type Import, type PartnerClient } from "./partnerClient.ts";

/** What there is to see from outside of how far the import has come. */
interface Progress {
  /** Parts of one: ping requests answered, and files that the host was asked for. */
  pinged: number;
  asked: number;
  tasked: boolean;
  completed: boolean;
}

interface Stage {
  /** Whether it has begun; `chance` in [0, 1) is this run's own. */
  begun(progress: Progress, chance: number): boolean;
  /** The kill comes at random within this time after the stage was seen to begin. */
  withinMs: number;
}

/** The stages of an import at which the service may be killed, in their order. */
const STAGES = {
  "during the pings": { begun: ({ pinged }, chance) => pinged > 0.1 + chance * 0.6, withinMs: 100 },
  "after the task": { begun: ({ tasked }) => tasked, withinMs: 300 },
  early: { begun: ({ asked }, chance) => asked > 0.05 + chance * 0.2, withinMs: 300 },
  "in the middle": { begun: ({ asked }, chance) => asked > 0.35 + chance * 0.2, withinMs: 300 },
  late: { begun: ({ asked }, chance) => asked > 0.7 + chance * 0.2, withinMs: 300 },
  "at the last file": { begun: ({ asked }) => asked === 1, withinMs: 1_500 },
  "when it is completed": { begun: ({ completed }) => completed, withinMs: 300 },
} satisfies Record<string, Stage>;
export type StageName = keyof typeof STAGES;
export const ALL_STAGES = Object.keys(STAGES) as StageName[];

export interface KillReport {
  kills: number;
  imported: number;
  /** Failed as `callback_gone`: their single-use URL was used up by an attempt that a kill cut off. */
  gone: number;
  /** How often the event arrived; each time under the same id. */
  eventArrivals: number;
  seconds: number;
  /** Each promise that was not kept, in a sentence; empty when all is well. */
  broken: string[];
}

/** Ping requests that the files are spread over, and how many of them a partner has underway at a time. */
const PING_REQUESTS = 20;
const PINGS_AT_ONCE = 3;
/** The host takes its time, by chance up to this. */
const HOST_DELAY_MS = 400;
/** Downloads of one message that are underway at a time; local queues hand out one message at a time. */
const ON_THEIR_WAY = 6;
/** After a kill a claim has a minute to run out; each may add one. */
const SECONDS_PER_KILL = 120;
const USER = "rider";
const FIRST_START_SECONDS = 1_750_000_000;

interface Given {
  summary_id: string;
  start: number;
  url: string;
  sha256: string;
}

/**
 * Imports so many files through a service that is killed with `kill -9` once in each of these stages and started
 * again on its state, from a host whose URLs work once; then looks whether every promise was kept.
 */
export async function importUnderKills(
  files: number,
  stages: readonly StageName[],
  seed: number,
  tell: (line: string) => void,
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
    return await new Run(service, host, receiver, partner, randomFrom(seed), tell).import(files, stages);
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
  readonly #tell: (line: string) => void;
  readonly #startedAt = Date.now();
  #given: Given[] = [];
  #killsInImport = 0;
  #requests = 0;
  #answered = 0;
  #tasked = false;
  #completed = false;

  constructor(
    service: ServiceProcess,
    host: FileHost,
    receiver: EventReceiver,
    partner: PartnerClient,
    random: () => number,
    tell: (line: string) => void,
  ) {
    this.#service = service;
    this.#host = host;
    this.#receiver = receiver;
    this.#partner = partner;
    this.#random = random;
    this.#tell = tell;
  }

  async import(files: number, stages: readonly StageName[]): Promise<KillReport> {
    this.#given = Array.from({ length: files }, (_, index) => this.#serve(index));
    const patience = 120 + files / 4 + stages.length * SECONDS_PER_KILL;
    const [completed] = await Promise.all([this.#asPartner(patience), this.#killInTurn(stages, patience)]);
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

  #serve(index: number): Given {
    const start = FIRST_START_SECONDS + index * 86_400;
    const bytes = rideFile({ startInSeconds: start });
    return {
      summary_id: `ride-${index}`,
      start,
      url: this.#host.serve(bytes, { delayInMs: this.#random() * HOST_DELAY_MS }),
      sha256: createHash("sha256").update(bytes).digest("hex"),
    };
  }

  /** Pings, then the task, each repeated as it stands for as long as no answer comes; then reads until it is done. */
  async #asPartner(patienceInSeconds: number): Promise<Import> {
    const perRequest = Math.ceil(this.#given.length / PING_REQUESTS);
    const requests = Array.from({ length: Math.ceil(this.#given.length / perRequest) }, (_, request) =>
      this.#given.slice(request * perRequest, (request + 1) * perRequest),
    );
    this.#requests = requests.length;
    const waiting = [...requests];
    const lane = async () => {
      for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
        const items = request.map(({ summary_id, start, url }) => ({
          summary_id,
          callback_url: url,
          priority: 0 as const,
          user_id: USER,
          start_time_in_seconds: String(start),
        }));
        await insist("the pings are taken", async () => this.#partner.ping(...items));
        this.#answered += 1;
      }
    };
    await Promise.all(Array.from({ length: PINGS_AT_ONCE }, lane));
    const task = { user_id: USER, is_initial_import: true, event_id: "connect" };
    const { import_id } = await insist("the task is taken", async () => this.#partner.task(task));
    this.#tasked = true;
    const completed = await eventually("the import completes", patienceInSeconds, async () => {
      const found = await insist("the import is read", async () => this.#partner.readImport(import_id));
      return found.completed_at === null ? undefined : found;
    });
    this.#completed = true;
    return completed;
  }

  async #killInTurn(stages: readonly StageName[], patienceInSeconds: number): Promise<void> {
    for (const stage of stages) {
      const { begun, withinMs } = STAGES[stage];
      const chance = this.#random();
      await eventually(`${stage} it is killed`, patienceInSeconds, () =>
        begun(this.#progress(), chance) ? true : undefined,
      );
      const moment = this.#random() * withinMs;
      await new Promise((resolve) => {
        setTimeout(resolve, moment);
      });
      const { pinged, asked, tasked } = this.#progress();
      if (tasked) this.#killsInImport += 1;
      await this.#service.kill();
      this.#tell(
        `killed ${stage}: ${this.#seconds()} s, ${percent(pinged)} pinged, ${percent(asked)} of the files asked for`,
      );
      await this.#service.startAgain();
    }
  }

  #progress(): Progress {
    const asked = this.#given.filter(({ url }) => this.#host.asked(url) > 0).length / this.#given.length;
    const pinged = this.#requests === 0 ? 0 : this.#answered / this.#requests;
    return { pinged, asked, tasked: this.#tasked, completed: this.#completed };
  }

  async #examine(importId: string): Promise<Pick<KillReport, "imported" | "gone" | "broken">> {
    const broken: string[] = [];
    const expect = (promise: string, found: unknown, expected: unknown) => {
      if (JSON.stringify(found) !== JSON.stringify(expected)) {
        broken.push(`${promise}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
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
    expect("one file for each ping", files.length, this.#given.length);
    let imported = 0;
    let gone = 0;
    for (const { summary_id, start, url, sha256 } of this.#given) {
      const file = byName.get(summary_id);
      const asked = this.#host.asked(url);
      const made = activities.filter((activity) => activity.summary_id === summary_id);
      if (file?.status === "imported") {
        imported += 1;
        expect(`${summary_id} was asked for once`, asked, 1);
        expect(`${summary_id} is stored as it was`, file.sha256, sha256);
        expect(
          `${summary_id} is one activity`,
          made.map((activity) => activity.start_time_in_seconds),
          [start],
        );
        expect(`${summary_id} belongs to the import`, file.import_id, importId);
      } else {
        gone += 1;
        expect(
          `${summary_id} is imported, or its URL was used up`,
          [file?.status, file?.error?.code],
          ["failed", "callback_gone"],
        );
        expect(`${summary_id}, which failed, had been asked for before`, asked >= 2, true);
        expect(`${summary_id}, which failed, has no activity`, made.length, 0);
      }
    }
    const kills = this.#killsInImport;
    if (gone > kills * ON_THEIR_WAY) broken.push(`${gone} URLs were used up by ${kills} kills`);
    expect("one import", imports.length, 1);
    const counts = { total: this.#given.length, pending: 0, imported, skipped: 0, failed: gone };
    expect("the import counts what there is", found.files, counts);
    const { pending: _, ...announced } = counts;
    expect("one event", events.length, 1);
    expect("one id", [...new Set(this.#receiver.received.map(({ id }) => id))], [events[0]?.id]);
    expect("every signature was good", this.#receiver.refused(), 0);
    for (const { body } of this.#receiver.received) {
      const { data } = body as { data: { files: unknown } };
      expect("the event says what the import says", data.files, announced);
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

/** Sends the same request until it is answered: the service may be dead, or die while it answers. */
async function insist<T>(what: string, request: () => Promise<T>): Promise<T> {
  return eventually(what, SECONDS_PER_KILL, async () => {
    try {
      return await request();
    } catch (fault) {
      // `fetch` says so when there was no connection, or it broke.
      if (fault instanceof TypeError) return undefined;
      throw fault;
    }
  });
}
