import type { WorkItem } from "../collector/calls.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import type { Env } from "../env.ts";
import { randomId } from "../identifiers.ts";
import { enterHost, type HostLease } from "../windows/client.ts";
import type { Lane } from "../windows/partner.pure.ts";
import type { DownloadResult } from "./download.ts";

/** A fault after this time counts as a timeout, because it occupied its importer as long as one. */
const SLOW_FAULT_MS = 10_000;
/** Minimum age of slots that are renewed before another file starts. */
const RENEW_AFTER_MS = 10_000;
/** Time that files are postponed when their host or its windows stop responding during the dispatch. */
const POSTPONED_FOR_MS = 5_000;

/** Slots of one dispatch at one host. */
export class HostSlots {
  readonly #lease: HostLease | null;
  readonly #granted: number;
  readonly postponedForMs: number;
  #allowed: number;
  #running = 0;
  #answers = 0;
  #timeouts = 0;
  #renewedAt = Date.now();

  /** `lease` is null when the partner's windows cannot be reached. */
  constructor(lease: HostLease | null) {
    const admission = lease?.admission ?? { postponed_for_ms: POSTPONED_FOR_MS };
    this.#granted = "slots" in admission ? admission.slots : 0;
    this.postponedForMs = "slots" in admission ? POSTPONED_FOR_MS : admission.postponed_for_ms;
    this.#lease = this.#granted === 0 ? null : lease;
    this.#allowed = this.#granted;
  }

  /** Whether any request may be sent to the host. */
  get isOpen(): boolean {
    return this.#allowed >= 1;
  }

  get hasRoom(): boolean {
    return !this.isOpen || this.#running < Math.floor(this.#allowed);
  }

  /** Runs the work on one file in a slot. Renews slots that are old. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#running += 1;
    if (Date.now() - this.#renewedAt > RENEW_AFTER_MS) {
      this.#renewedAt = Date.now();
      void this.#lease?.renew();
    }
    try {
      return await work();
    } finally {
      this.#running -= 1;
    }
  }

  /** Notes the result of a download. As in the partner's windows, a timeout halves the number of allowed requests. */
  note(result: DownloadResult, milliseconds: number): void {
    const ended = endOf(result, milliseconds);
    if (ended === "answer") {
      this.#answers += 1;
      this.#allowed = Math.min(this.#granted, this.#allowed + 1);
    }
    if (ended === "timeout") {
      this.#timeouts += 1;
      this.#allowed /= 2;
    }
  }

  async leave(): Promise<void> {
    await this.#lease?.leave({ answers: this.#answers, timeouts: this.#timeouts });
  }
}

/** Returns the result of a download for its host's window. Null when it proves nothing about the host. */
function endOf(result: DownloadResult, milliseconds: number): "answer" | "timeout" | null {
  if (result.ok) return "answer";
  if (result.code === "memory_short" || result.code === "not_permitted") return null;
  if (result.code === "callback_refused" && result.httpStatus === null) return null;
  return result.code === "callback_timeout" || milliseconds >= SLOW_FAULT_MS ? "timeout" : "answer";
}

/** Returns the host of a file's URL. Null for a file with inline bytes or an invalid URL. */
export function hostOf({ submission }: WorkItem): string | null {
  const { callback_url } = submission;
  return callback_url === null ? null : (URL.parse(callback_url)?.host ?? null);
}

/** Requests slots at each host of the files: one for each of its files, at most `connections`. */
export async function enterHosts(
  env: Env,
  partnerId: string,
  lane: Lane,
  items: readonly WorkItem[],
  connections: number,
): Promise<Map<string, HostSlots>> {
  const wanted = new Map<string, number>();
  for (const item of items) {
    const host = hostOf(item);
    if (host !== null) wanted.set(host, Math.min(connections, (wanted.get(host) ?? 0) + 1));
  }
  const invocation = randomId();
  const hosts = new Map<string, HostSlots>();
  await settleAll([...wanted], connections, async ([host, count]) => {
    const lease = await enterHost(env, partnerId, lane, host, count, invocation).catch(() => null);
    hosts.set(host, new HostSlots(lease));
  });
  return hosts;
}

/**
 * Runs the work on every file, at most `connections` at a time, each in a slot of its host. While files of one host
 * wait for a slot, files of other hosts run. An error ends only the work on its own file.
 */
export async function runInHostSlots(
  items: readonly WorkItem[],
  hosts: ReadonlyMap<string, HostSlots>,
  connections: number,
  work: (item: WorkItem, slots: HostSlots | null) => Promise<void>,
): Promise<void> {
  const waiting = items.map((item) => ({ item, slots: hosts.get(hostOf(item) ?? "") ?? null }));
  const running = new Set<Promise<void>>();
  for (;;) {
    const next = waiting.findIndex(({ slots }) => slots?.hasRoom ?? true);
    const [started] = running.size < connections && next >= 0 ? waiting.splice(next, 1) : [];
    if (started !== undefined) {
      const { item, slots } = started;
      const run = async () => work(item, slots);
      const ended = (slots === null ? run() : slots.hold(run))
        .catch(() => undefined)
        .finally(() => running.delete(ended));
      running.add(ended);
      continue;
    }
    if (running.size === 0) break;
    await Promise.race(running);
  }
}
