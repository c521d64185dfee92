import { setTimeout as delay } from "node:timers/promises";
import { expectStatus, pingOf, signedUrl } from "./client.ts";
import { inParallel, timed } from "./figures.ts";
import type { Workerd } from "./workerd.ts";

/** Requests in flight. Keeps workerd busy without making one request wait for another. */
const AT_ONCE = 8;
const POLL_MS = 50;
const GIVE_UP_AFTER_MS = 60_000;

/** One kind of ping request. */
export interface Load {
  name: string;
  priority: 0 | 1;
  items: number;
  /** Requests in a row for one user: a history comes in pages, a live ride alone. */
  requestsPerUser: number;
}

export const HELD: Load = { name: "50 items of priority 0", priority: 0, items: 50, requestsPerUser: 20 };
export const LIVE: Load = { name: "1 item of priority 1", priority: 1, items: 1, requestsPerUser: 5 };
export const LOADS: readonly Load[] = [HELD, LIVE];

/** A Worker's ping endpoint under load. Counts what it sends, so that it can wait until D1 has all of it. */
export class Intake {
  readonly #worker: Workerd;
  readonly #url: URL;
  #statements: Statements;
  #requests = 0;
  /** Marks the requests since D1 was last emptied. */
  #turn = 0;
  #itemsOfTurn = 0;

  constructor(worker: Workerd, path = "/api/fit_partner_ping/") {
    this.#worker = worker;
    this.#url = new URL(path, worker.url);
    this.#statements = prepare(worker.database, this.#turn);
  }

  /** Requests sent so far. */
  get requests(): number {
    return this.#requests;
  }

  /** Sends one request of the load for the user. Returns the milliseconds until its 202. */
  async ping(load: Load, userId: string): Promise<number> {
    const request = this.#requests;
    this.#requests += 1;
    this.#itemsOfTurn += load.items;
    const activity_files = Array.from({ length: load.items }, (_, item) =>
      pingOf({
        user_id: userId,
        summary_id: `${this.#turn}-${request}-${item}`,
        priority: load.priority,
        callback_url: signedUrl(request * load.items + item),
      }),
    );
    return timed(async () =>
      expectStatus(202, "POST", this.#url, this.#worker.credentials, { activity_files }),
    );
  }

  /**
   * Sends the load for `leadInMs + windowMs`, each user's requests in a row. Returns the responses per second of the
   * window.
   */
  async rate(load: Load, leadInMs: number, windowMs: number): Promise<number> {
    const opens = performance.now() + leadInMs;
    const closes = opens + windowMs;
    const first = this.#requests;
    let answered = 0;
    await inParallel(AT_ONCE, AT_ONCE, async () => {
      while (performance.now() < closes) {
        const user = Math.floor((this.#requests - first) / load.requestsPerUser);
        await this.ping(load, `user-${this.#turn}-${load.priority}-${user}`);
        const now = performance.now();
        if (now >= opens && now < closes) answered += 1;
      }
    });
    return (answered * 1_000) / windowMs;
  }

  /** Waits until D1 has a row for every item sent, then deletes the rows, so that no turn starts with a larger D1. */
  async settle(): Promise<void> {
    const { written, deletions } = this.#statements;
    const gaveUpAt = performance.now() + GIVE_UP_AFTER_MS;
    while (((await written.first<{ files: number }>())?.files ?? 0) < this.#itemsOfTurn) {
      if (performance.now() > gaveUpAt) throw new Error("Some pings did not reach D1.");
      await delay(POLL_MS);
    }
    await this.#worker.database.batch(deletions);
    this.#turn += 1;
    this.#statements = prepare(this.#worker.database, this.#turn);
    this.#itemsOfTurn = 0;
  }
}

/** Statements of `settle`, prepared before the load. */
interface Statements {
  written: D1PreparedStatement;
  deletions: D1PreparedStatement[];
}

function prepare(database: D1Database, turn: number): Statements {
  return {
    written: database.prepare("SELECT count(*) files FROM files WHERE summary_id GLOB ?").bind(`${turn}-*`),
    deletions: ["files", "file_batches", "users"].map((table) => database.prepare(`DELETE FROM ${table}`)),
  };
}
