import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { projectFiles } from "../../src/files/write.ts";
import { fileId } from "../../src/identifiers.ts";
import { send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { pingFields } from "../support/pings.ts";
import { seedDelivery, seedFile, seedImport } from "../support/rows.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, project, settle } from "../support/world.ts";
import { base64, HOST, ping, SOURCE } from "./partnerActs.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const pageSchema = z.object({
  data: z.array(z.looseObject({ updated_at: z.string(), attempts: z.number().optional() })),
  next_cursor: z.string().nullable(),
});

/** Returns a partner that polls a list: it continues after the last row, and stores the newest row of each id. */
function pollerOf(who: TestPartner, list: "files" | "events" | "imports") {
  let since = "2020-01-01T00:00:00.000Z";
  const seen = new Map<string, Record<string, unknown>>();
  return {
    seen,
    look: async () => {
      let cursor: string | null = null;
      do {
        const next: string = cursor === null ? "" : `&cursor=${cursor}`;
        const response = await send(who, "GET", `/api/${list}/?limit=7&updated_since=${since}${next}`);
        const page = pageSchema.parse(await response.json());
        for (const row of page.data) seen.set(String(row["file_id"] ?? row["import_id"] ?? row["id"]), row);
        const last = page.data.at(-1);
        cursor = page.next_cursor;
        if (cursor === null && last !== undefined) since = last.updated_at;
      } while (cursor !== null);
    },
  };
}

/** Waits until the database's clock is past the millisecond of the last write. */
async function nextMillisecond() {
  const now = Date.now();
  while (Date.now() <= now) await env.DB.prepare("SELECT 1").run();
}

test("polling files during pings and attempts misses no file, and no last state of a file", async () => {
  const who = await newPartner();
  const poller = pollerOf(who, "files");
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const names = Array.from({ length: 60 }, (_, index) => `ride-${index}`);
  const owner = { partnerId: who.partnerId, userId: "user-2", source: "s" };
  for (const name of names) await seedFile({ ...owner, summaryId: name }, { attempts: 0, updated_at: 1 });
  for (let round = 1; round <= 12; round += 1) {
    const name = `live-${round}`;
    await Promise.all([
      ping(who, { summary_id: name, callback_url: `${HOST}/${name}`, priority: 0 }),
      // Attempts reported by many consumers, several in one millisecond.
      ...[0, 1, 2, 3].map(async (lane) =>
        databaseOf(who).batch(
          projectFiles(
            databaseOf(who),
            who.partnerId,
            names
              .filter((_, index) => index % 4 === lane && (index + round) % 3 === 0)
              .map((summary_id) => attemptOf(owner, summary_id, round)),
          ),
        ),
      ),
      // Sometimes the collector projects pings in the middle of a poll.
      round % 3 === 0 ? collector.alarm() : null,
      poller.look().then(poller.look).then(poller.look),
    ]);
  }
  await collector.alarm();
  await nextMillisecond();
  await poller.look();

  const { results } = await databaseOf(who)
    .prepare("SELECT file_id, attempts FROM files WHERE partner_id = ? AND updated_at > 1")
    .bind(who.partnerId)
    .all<{ file_id: string; attempts: number }>();
  expect(results.length).toBe(72);
  const missed = results.filter((row) => poller.seen.get(row.file_id)?.["attempts"] !== row.attempts);
  expect(missed).toEqual([]);
}, 60_000);

function attemptOf(
  owner: { partnerId: string; userId: string; source: string },
  summary_id: string,
  attempts: number,
) {
  const version = Date.parse("2026-06-01T12:00:00.000Z");
  return {
    file_id: fileId({ ...owner, summaryId: summary_id }),
    user_id: owner.userId,
    user_hash: "",
    source: owner.source,
    summary_id,
    ...pingFields({ priority: 1 }),
    status: "queued" as const,
    attempts,
    import_id: null,
    error: null,
    next_attempt_at: null,
    edits: null,
    version,
    revision: version * 1000 + attempts,
    received_at: version,
    failed_object: null,
  };
}

const ROWS = {
  events: async (who: TestPartner, name: string, updated_at: number) =>
    seedDelivery(who.partnerId, `evt_${name}`, { updated_at }),
  imports: async (who: TestPartner, name: string, updated_at: number) =>
    seedImport({ partnerId: who.partnerId, userId: name, source: "s" }, { updated_at }),
  files: async (who: TestPartner, name: string, updated_at: number) =>
    seedFile({ partnerId: who.partnerId, userId: "u", source: "s", summaryId: name }, { updated_at }),
};

test.each(["files", "events", "imports"] as const)(
  "a row of %s written in the same millisecond as a poll is in the next one",
  async (list) => {
    const who = await newPartner();
    const poller = pollerOf(who, list);
    const now = Date.now();
    // The database's clock stops while only one of two rows of the same millisecond is written.
    const prepare = databaseOf(who).prepare.bind(databaseOf(who));
    const spied = vi
      .spyOn(databaseOf(who), "prepare")
      .mockImplementation((sql) =>
        prepare(sql.replaceAll("CAST(unixepoch('subsec') * 1000 AS INTEGER)", String(now))),
      );
    const first = await ROWS[list](who, "b", now);
    const older = await ROWS[list](who, "older", now - 1);
    await poller.look();
    expect([...poller.seen.keys()]).toEqual([older]);
    const second = await ROWS[list](who, "a", now);
    spied.mockRestore();
    await nextMillisecond();
    await poller.look();
    expect(new Set(poller.seen.keys())).toEqual(new Set([first, second, older]));
  },
);

test("polling activities returns each import, and an overwritten one again at its new position", async () => {
  const who = await newPartner();
  const seen = async () => {
    const response = await send(
      who,
      "GET",
      "/api/activities/?limit=200&updated_since=2020-01-01T00:00:00.000Z",
    );
    return pageSchema.parse(await response.json()).data.map((row) => row["summary_id"]);
  };
  const imported = async (summary_id: string, seconds: number) => {
    const callback_url = base64(rideFile({ seconds }));
    await ping(who, { summary_id, callback_url, overwrite_mode: true });
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    await nextMillisecond();
  };
  await imported("first", 10);
  await imported("second", 10);
  expect(await seen()).toEqual(["first", "second"]);
  await imported("first", 20);
  expect(await seen()).toEqual(["second", "first"]);
});

test("each file of many users with long titles in one request is listed once, by receipt and by change", async () => {
  const who = await newPartner();
  const poller = pollerOf(who, "files");
  const activity_files = Array.from({ length: 750 }, (_, index) => ({
    file_type: "FIT",
    activity_name: "r".repeat(1_024),
    priority: 0,
    user_id: `user-${index % 3}`,
    source: SOURCE,
    overwrite_mode: false,
    start_time_in_seconds: "1760000000",
    callback_url: `${HOST}/${index}`,
    summary_id: `ride-${index}`,
  }));
  const response = await send(who, "POST", "/api/fit_partner_ping/", { body: { activity_files } });
  expect(response.status).toBe(202);
  await project(who, activity_files);
  await nextMillisecond();
  await poller.look();
  expect(poller.seen.size).toBe(750);
  const listed: string[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const response = await send(
      who,
      "GET",
      `/api/files/?limit=100${cursor === "" ? "" : `&cursor=${cursor}`}`,
    );
    const page = pageSchema.parse(await response.json());
    listed.push(...page.data.map((row) => String(row["file_id"])));
    cursor = page.next_cursor;
  }
  expect(listed).toHaveLength(750);
  expect(new Set(listed).size).toBe(750);
});
