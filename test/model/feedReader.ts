import { ALONE } from "../../src/activities/duplicates/groups.pure.ts";
import { listActivities, type ActivityPosition } from "../../src/activities/read.ts";
import type { Owner } from "../../src/database/databases.ts";
import type { Env } from "../../src/env.ts";
import { listFiles } from "../../src/files/read.ts";
import type { Page } from "../../src/database/walk.ts";

type Item = Record<string, unknown>;
type Changed = { updated_at: string } | { deleted_at: string };

/** A list that a partner follows by `updated_since`, and its copy. */
interface Feed {
  copy: Map<string, Item>;
  /** Time of the last row of the last complete poll, in Unix milliseconds. */
  since: number;
  /** Time of the last row, and the position of the next page. Null between two polls. */
  poll: { updated_since: number; last: number; after: unknown } | null;
}

const newFeed = (): Feed => ({ copy: new Map(), since: 0, poll: null });

/** A partner's program that copies files and activities. It reads only the lists of changes, as the guide says. */
export class FeedReader {
  readonly #env: Env;
  readonly #owner: Owner;
  readonly #limit: number;
  readonly #files = newFeed();
  readonly #activities = newFeed();
  #isReading = false;

  /** `limit` is the number of rows in a page. */
  constructor(env: Env, owner: Owner, limit: number) {
    this.#env = env;
    this.#owner = owner;
    this.#limit = limit;
  }

  /**
   * Reads at most this number of pages of each list. `isSkewed`: the database's clock has
   * stepped back, so that changes may be before the reader's position. Then polls begin at the oldest change.
   */
  async read(pages: number, isSkewed: boolean): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      for (let page = 0; page < pages; page += 1) {
        await this.#readFiles(isSkewed);
        await this.#readActivities(isSkewed);
      }
    } finally {
      this.#isReading = false;
    }
  }

  /** Reads each list to its end, then once more from there. */
  async readAll(isSkewed: boolean): Promise<void> {
    for (let poll = 0; poll < 2; poll += 1) {
      do await this.#readFiles(isSkewed);
      while (this.#files.poll !== null);
      do await this.#readActivities(isSkewed);
      while (this.#activities.poll !== null);
    }
  }

  #readFiles(isSkewed: boolean): Promise<void> {
    return this.#readPage(this.#files, isSkewed, "file_id", async (updated_since, after) =>
      listFiles(
        this.#env,
        this.#owner,
        { updated_since, include_deleted: true },
        {
          limit: this.#limit,
          after: after as [number, string, string, string] | null,
        },
      ),
    );
  }

  #readActivities(isSkewed: boolean): Promise<void> {
    return this.#readPage(this.#activities, isSkewed, "activity_id", async (updated_since, after) =>
      listActivities(
        this.#env,
        { ...this.#owner, source_order: [] },
        { updated_since, include_deleted: true },
        {
          limit: this.#limit,
          after: after as ActivityPosition | null,
        },
      ),
    );
  }

  async #readPage<Row extends Changed>(
    feed: Feed,
    isSkewed: boolean,
    id: string,
    list: (since: number, after: unknown) => Promise<Page<Row, unknown>>,
  ): Promise<void> {
    const poll = feed.poll ?? { updated_since: isSkewed ? 0 : feed.since, last: feed.since, after: null };
    const { rows, next } = await list(poll.updated_since, poll.after);
    let { last } = poll;
    for (const row of rows) {
      const item: Item = { ...row };
      const key = String(item[id]);
      if ("deleted_at" in row) feed.copy.delete(key);
      else feed.copy.set(key, item);
      last = Date.parse("deleted_at" in row ? row.deleted_at : row.updated_at);
    }
    feed.poll = next === null ? null : { ...poll, last, after: next };
    if (next === null) feed.since = last;
  }

  /** Returns how the copy differs from what the lists return now, in words. Empty without differences. */
  async differences(): Promise<string[]> {
    const files = await allOf<Item>(async (after) =>
      listFiles(
        this.#env,
        this.#owner,
        {},
        {
          limit: 100,
          after: after as [number, string, string, string] | null,
        },
      ),
    );
    const activities = await allOf<Item>(async (after) =>
      listActivities(
        this.#env,
        { ...this.#owner, source_order: [] },
        {},
        { limit: 100, after: after as ActivityPosition | null },
      ),
    );
    return [
      ...differencesOf("file_id", this.#files.copy, files),
      ...differencesOf("activity_id", this.#activities.copy, activities),
    ];
  }
}

async function allOf<Row>(list: (after: unknown) => Promise<Page<Row, unknown>>): Promise<Row[]> {
  const rows: Row[] = [];
  let after: unknown = null;
  do {
    const page = await list(after);
    rows.push(...page.rows);
    after = page.next;
  } while (after !== null);
  return rows;
}

function differencesOf(id: string, copy: ReadonlyMap<string, Item>, rows: readonly Item[]): string[] {
  const listed = new Map(rows.map((row) => [String(row[id]), row]));
  // The group of a recording depends on other activities, so it changes without a change of this one.
  const textOf = (item: Item | undefined) => JSON.stringify({ ...item, ...ALONE });
  return [...new Set([...copy.keys(), ...listed.keys()])].flatMap((key) => {
    const [copied, read] = [copy.get(key), listed.get(key)];
    if (copied === undefined) return [`${id} ${key} is missing in the copy`];
    if (read === undefined) return [`${id} ${key} stays in the copy`];
    return textOf(copied) === textOf(read) ? [] : [`${textOf(copied)} instead of ${textOf(read)}`];
  });
}
