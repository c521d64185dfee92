import {
  BULK_WINDOW,
  bulkDispatches,
  FILES_PER_BULK_DISPATCH,
} from "../../src/collector/dispatches/dispatch.pure.ts";
import { randomId } from "../../src/identifiers.ts";
import { quantile, type Figure } from "./figures.ts";

/** Measured times in milliseconds. */
export interface ServiceTimes {
  /** A bulk dispatch of 25 files, without its statements. */
  bulkMs: number;
  /** A live ride, without its statements. */
  liveMs: number;
  /** The statements of one dispatch, which a database runs one after the other. */
  bulkStatementsMs: number;
  liveStatementsMs: number;
}

const USERS = 100_000;
const LARGEST_HISTORY = 5_000;
/** Time within which all users connect. */
const CONNECT_WITHIN_MS = 5 * 60_000;
/** Share of the users of each partner. */
const PARTNERS = [0.8, 0.18, 0.02] as const;
/** Consumers that run at a time: `max_concurrency` in wrangler.toml. */
const LIVE_CONSUMERS = 50;
const BULK_CONSUMERS = 60;
/** Live rides of other users in the same time. */
const LIVE_EVERY_MS = 50;
const SMALL_HISTORY = 100;
const LARGE_HISTORY = 2_000;
const DEPTH_AFTER_MINUTES = [1, 5, 15, 30, 60, 120];
const MINUTE_MS = 60_000;

/** One user's collector, reduced to draining. Its files are numbers instead of rows. */
class History {
  readonly partner: number;
  readonly files: number;
  readonly startedAt: number;
  /** Files that are in no dispatch yet. */
  waiting: number;
  out = 0;
  settled = 0;

  constructor(partner: number, files: number, startedAt: number) {
    this.partner = partner;
    this.files = files;
    this.startedAt = startedAt;
    this.waiting = files;
  }

  /** Returns the number of files of each dispatch that the alarm would send now. */
  drain(nowMs: number): number[] {
    const room = BULK_WINDOW - this.out;
    if (room <= 0 || this.waiting === 0) return [];
    const { dispatches } = bulkDispatches({ newId: randomId }, room, nowMs, (limit) =>
      Array.from({ length: Math.min(limit, this.waiting) }, () => ({ file_id: "", version: 1 })),
    );
    const sent = dispatches.map((dispatch) => dispatch.files.length);
    this.waiting -= sent.reduce((files, count) => files + count, 0);
    this.out += sent.length;
    return sent;
  }
}

interface Message {
  /** Null: a live ride. */
  history: History | null;
  files: number;
  sentAt: number;
}

/** A first-in, first-out queue. */
class Fifo {
  #items: Message[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(message: Message): void {
    this.#items.push(message);
  }

  shift(): Message | null {
    const message = this.#items[this.#head] ?? null;
    if (message !== null) this.#head += 1;
    if (this.#head > 100_000) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }
}

/** Events ordered by time, in a binary heap. */
class Timeline {
  readonly #times: number[] = [];
  readonly #works: (() => void)[] = [];

  at(time: number, work: () => void): void {
    let place = this.#times.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if ((this.#times[parent] ?? 0) <= time) break;
      this.#move(parent, place);
      place = parent;
    }
    this.#times[place] = time;
    this.#works[place] = work;
  }

  next(): { time: number; work: () => void } | null {
    const [time, work] = [this.#times[0], this.#works[0]];
    if (time === undefined || work === undefined) return null;
    const lastTime = this.#times.pop() ?? 0;
    const lastWork = this.#works.pop() ?? work;
    const length = this.#times.length;
    if (length === 0) return { time, work };
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= length) break;
      if (child + 1 < length && (this.#times[child + 1] ?? 0) < (this.#times[child] ?? 0)) child += 1;
      if ((this.#times[child] ?? 0) >= lastTime) break;
      this.#move(child, place);
      place = child;
    }
    this.#times[place] = lastTime;
    this.#works[place] = lastWork;
    return { time, work };
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] ?? 0;
    this.#works[to] = this.#works[from] ?? (() => undefined);
  }
}

/** Seeded, so that every run is the same. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Simulates a morning on which 100,000 users of three partners connect their histories: the collectors' own decisions on a
 * virtual clock, two queues with their consumers, and one database that runs one statement at a time.
 */
export function simulateMorning(times: ServiceTimes): Figure[] {
  const random = seeded(7);
  const timeline = new Timeline();
  const histories: History[] = [];
  const took = new Map<History, number>();
  const rides: number[] = [];
  const depths = new Map<number, number>();
  const sentInSecond = new Map<number, number>();
  let now = 0;
  let deepest = 0;
  let databaseFreeAt = 0;
  let unsettled = USERS;

  const queue = (
    consumers: number,
    serviceMs: number,
    statementsMs: number,
    done: (message: Message) => void,
  ) => {
    const waiting = new Fifo();
    let busy = 0;
    const work = () => {
      while (busy < consumers) {
        const message = waiting.shift();
        if (message === null) return;
        busy += 1;
        const part = message.history === null ? 1 : message.files / FILES_PER_BULK_DISPATCH;
        timeline.at(now + serviceMs * part, () => {
          databaseFreeAt = Math.max(now, databaseFreeAt) + statementsMs * part;
          timeline.at(databaseFreeAt, () => {
            busy -= 1;
            done(message);
            work();
          });
        });
      }
    };
    const send = (message: Message) => {
      waiting.push(message);
      work();
    };
    return { waiting, send };
  };

  const live = queue(LIVE_CONSUMERS, times.liveMs, times.liveStatementsMs, ({ sentAt }) =>
    rides.push(now - sentAt),
  );
  const bulk = queue(BULK_CONSUMERS, times.bulkMs, times.bulkStatementsMs, ({ history, files }) => {
    if (history === null) return;
    history.out -= 1;
    history.settled += files;
    if (history.settled === history.files) {
      took.set(history, now - history.startedAt);
      unsettled -= 1;
    } else {
      drain(history);
    }
  });
  function drain(history: History): void {
    for (const files of history.drain(now)) {
      const second = Math.floor(now / 1_000);
      sentInSecond.set(second, (sentInSecond.get(second) ?? 0) + 1);
      bulk.send({ history, files, sentAt: now });
    }
    deepest = Math.max(deepest, bulk.waiting.length);
  }

  for (let user = 0; user < USERS; user += 1) {
    const lot = random();
    const partner = lot < PARTNERS[0] ? 0 : lot < PARTNERS[0] + PARTNERS[1] ? 1 : 2;
    // Sizes spread evenly over the orders of magnitude: most histories are small, most files are in large ones.
    const files = Math.max(1, Math.round(LARGEST_HISTORY ** random()));
    const history = new History(partner, files, random() * CONNECT_WITHIN_MS);
    histories.push(history);
    timeline.at(history.startedAt, () => drain(history));
  }
  const ride = () => {
    live.send({ history: null, files: 1, sentAt: now });
    if (unsettled > 0) timeline.at(now + LIVE_EVERY_MS, ride);
  };
  timeline.at(0, ride);
  for (const minutes of DEPTH_AFTER_MINUTES) {
    timeline.at(minutes * MINUTE_MS, () => {
      if (unsettled > 0) depths.set(minutes, bulk.waiting.length);
    });
  }
  for (let event = timeline.next(); event !== null; event = timeline.next()) {
    now = event.time;
    event.work();
  }

  const section = "simulate";
  const minutesOf = (chosen: readonly History[], part: number) =>
    quantile(
      chosen.map((history) => took.get(history) ?? NaN),
      part,
    ) / MINUTE_MS;
  const small = histories.filter(({ files }) => files <= SMALL_HISTORY);
  const large = histories.filter(({ files }) => files >= LARGE_HISTORY);
  const mid = PARTNERS.map((_, partner) =>
    minutesOf(
      small.filter((history) => history.partner === partner),
      0.5,
    ),
  );
  const files = histories.reduce((all, history) => all + history.files, 0);
  const lastMs = histories.reduce(
    (last, history) => Math.max(last, history.startedAt + (took.get(history) ?? 0)),
    0,
  );
  const note = `${times.bulkMs.toFixed(1)} ms a bulk dispatch and ${times.bulkStatementsMs.toFixed(2)} ms of statements, ${times.liveMs.toFixed(1)} and ${times.liveStatementsMs.toFixed(2)} ms a live ride, measured here; hosts that answer at once; one database`;
  return [
    { section, name: `${USERS} histories: files`, value: files, unit: "files", note },
    { section, name: "until the last file is imported", value: lastMs / MINUTE_MS, unit: "minutes" },
    { section, name: "files a second over all", value: files / (lastMs / 1_000), unit: "files/s" },
    ...[...depths].map(([minutes, depth]) => ({
      section,
      name: `bulk messages waiting after ${minutes} minutes`,
      value: depth,
      unit: "messages",
    })),
    {
      section,
      name: "bulk messages waiting at most",
      value: deepest,
      unit: "messages",
      target: { at: "most", value: USERS * BULK_WINDOW },
      note: "the window of each collector",
    },
    {
      section,
      name: "bulk messages sent in one second, at most",
      value: [...sentInSecond.values()].reduce((most, sent) => Math.max(most, sent), 0),
      unit: "messages/s",
      target: { at: "most", value: 5_000 },
      note: "limit of one queue",
    },
    ...[
      { name: `a history of at most ${SMALL_HISTORY} files`, chosen: small },
      { name: `a history of at least ${LARGE_HISTORY} files`, chosen: large },
    ].flatMap(({ name, chosen }) => [
      { section, name: `${name}: median`, value: minutesOf(chosen, 0.5), unit: "minutes" },
      { section, name: `${name}: p95`, value: minutesOf(chosen, 0.95), unit: "minutes" },
    ]),
    { section, name: "a live ride: median", value: quantile(rides, 0.5), unit: "ms" },
    { section, name: "a live ride: p95", value: quantile(rides, 0.95), unit: "ms" },
    { section, name: "a live ride: longest", value: quantile(rides, 1), unit: "ms" },
    {
      section,
      name: "between partners: small histories' medians, slowest over fastest",
      value: Math.max(...mid) / Math.min(...mid),
      unit: "×",
      note: `${PARTNERS.map((part) => `${part * 100} %`).join(", ")} of the users`,
    },
    {
      section,
      name: "between users: small histories, p95 over median",
      value: minutesOf(small, 0.95) / minutesOf(small, 0.5),
      unit: "×",
    },
  ];
}
