import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { sweepErasures } from "../../src/erasure/sweep.ts";
import { projectFiles } from "../../src/files/write.ts";
import { fileId, userHash } from "../../src/identifiers.ts";
import { sweepUsage } from "../../src/usage/sweep.ts";
import { usageKey } from "../../src/usage/usage.ts";
import { base64, ping, pingOf, read, SOURCE, task } from "../flows/partnerActs.ts";
import { problemOf, send } from "../support/http.ts";
import { createRedecode, finishJob } from "../support/jobs.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { pingFields } from "../support/pings.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, project, settle } from "../support/world.ts";
import { databaseOf } from "../support/databases.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const counted = async (partnerId: string) =>
  databaseOf(partnerId)
    .prepare("SELECT files, stored_bytes FROM partner_usage WHERE partner_id = ?")
    .bind(partnerId)
    .first();

/** Counts the usage from the rows and the bucket. */
async function actual(partnerId: string) {
  const { results } = await databaseOf(partnerId)
    .prepare("SELECT object_key, failed_object_key FROM files WHERE partner_id = ?")
    .bind(partnerId)
    .all<{ object_key: string | null; failed_object_key: string | null }>();
  const keys = results
    .flatMap((row) => [row.object_key, row.failed_object_key])
    .filter((key) => key !== null);
  const objects = await Promise.all(keys.map(async (key) => env.FILES.head(key)));
  return {
    files: results.length,
    stored_bytes: objects.reduce((sum, object) => sum + (object?.size ?? 0), 0),
  };
}

/** Returns a generator of pseudo-random numbers with a fixed seed. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe("the usage of a partner", () => {
  test.each([1, 2, 3])(
    "is counted exactly through pings, tasks, overwrites, failures, decodings and erasures (%i)",
    async (seed) => {
      const who = await newPartner();
      const random = numbersFrom(seed);
      const userOf = () => `user-${random(2)}`;
      const settleAll = async () => {
        for (const user of ["user-0", "user-1"]) await settle(collectorOf(who.partnerId, user, SOURCE));
      };
      for (let step = 0; step < 40; step += 1) {
        const act = random(10);
        if (act < 6) {
          const bytes =
            random(3) === 0 ? rideFile().slice(0, 14 + random(9)) : rideFile({ seconds: 10 + random(50) });
          await ping(who, {
            user_id: userOf(),
            summary_id: `ride-${random(6)}`,
            callback_url: base64(bytes),
            priority: random(2) === 0 ? 0 : 1,
            overwrite_mode: random(2) === 0,
          });
        } else if (act === 6) await task(who, { user_id: userOf() });
        else if (act === 7) await settleAll();
        else if (act === 8) {
          await databaseOf(who)
            .prepare("UPDATE files SET decoder_version = 0 WHERE partner_id = ?")
            .bind(who.partnerId)
            .run();
          await finishJob(await createRedecode(0));
        } else await send(who, "DELETE", `/api/users/${userOf()}/`);
      }
      for (const user of ["user-0", "user-1"]) {
        await task(who, { user_id: user });
        await settle(collectorOf(who.partnerId, user, SOURCE));
      }
      const kept = await actual(who.partnerId);
      expect(kept.files).toBeGreaterThan(0);
      expect(await counted(who.partnerId)).toEqual(kept);
      for (const user of ["user-0", "user-1"]) await send(who, "DELETE", `/api/users/${user}/`);
      await sweepErasures(env, Date.now() + 60 * 60_000);
      await sweepErasures(env, Date.now() + 60 * 60_000);
      expect(await counted(who.partnerId)).toEqual({ files: 0, stored_bytes: 0 });
    },
  );

  /** Inserts files of a user as a collector projects them. */
  async function keep(who: TestPartner, userId: string, files: number): Promise<void> {
    const owner = { partnerId: who.partnerId, userId, source: SOURCE };
    const version = Date.now();
    const written = Array.from({ length: files }, (_, index) => ({
      file_id: fileId({ ...owner, summaryId: `s-${index}` }),
      user_id: userId,
      user_hash: userHash(who.partnerId, userId),
      source: SOURCE,
      summary_id: `s-${index}`,
      ...pingFields(),
      status: "held" as const,
      attempts: 0,
      import_id: null,
      error: null,
      next_attempt_at: null,
      edits: null,
      version,
      revision: 1,
      received_at: version,
      failed_object: null,
    }));
    await databaseOf(who).batch(projectFiles(databaseOf(who), who.partnerId, written));
    await databaseOf(who)
      .prepare("INSERT INTO users (partner_id, user_id, last_ping_at, created_at) VALUES (?, ?, 1, 1)")
      .bind(who.partnerId, userId)
      .run();
  }

  const published = async (who: TestPartner) => env.PARTNERS.get(usageKey(who.partnerId), "json");

  test("is published by the sweep when it has changed by 1 %, and otherwise causes no write", async () => {
    const who = await newPartner();
    await keep(who, "many", 300);
    expect(await published(who)).toBeNull();
    await sweepUsage(env);
    expect(await published(who)).toEqual({ files: 300, stored_bytes: 0, removal_bytes: 0 });
    const put = vi.spyOn(env.PARTNERS, "put");
    const ofPartner = () => put.mock.calls.filter(([key]) => key === usageKey(who.partnerId)).length;
    await sweepUsage(env);
    await keep(who, "two", 2);
    await sweepUsage(env);
    expect(ofPartner()).toBe(0);
    await keep(who, "third", 1);
    await sweepUsage(env);
    expect(ofPartner()).toBe(1);
    expect(await published(who)).toEqual({ files: 303, stored_bytes: 0, removal_bytes: 0 });
    await sweepUsage(env);
    expect(ofPartner()).toBe(1);
  });

  test("is published even if publishing another partner's usage fails, which is then retried", async () => {
    const [unlucky, lucky] = [await newPartner(), await newPartner()];
    await keep(unlucky, "u", 1);
    await keep(lucky, "u", 1);
    const put = env.PARTNERS.put.bind(env.PARTNERS);
    vi.spyOn(env.PARTNERS, "put").mockImplementation(async (key: string, value: unknown) => {
      if (key === usageKey(unlucky.partnerId)) throw new Error("KV PUT failed: 500");
      await put(key, String(value));
    });
    await expect(sweepUsage(env)).rejects.toThrow("KV PUT failed");
    expect(await published(lucky)).toEqual({ files: 1, stored_bytes: 0, removal_bytes: 0 });
    vi.restoreAllMocks();
    await sweepUsage(env);
    expect(await published(unlucky)).toEqual({ files: 1, stored_bytes: 0, removal_bytes: 0 });
  });

  const pingOne = async (who: TestPartner, summary_id: string) =>
    send(who, "POST", "/api/fit_partner_ping/", {
      body: {
        activity_files: [
          pingOf({ summary_id, callback_url: "https://files.example.com/1.fit", priority: 0 }),
        ],
      },
    });

  test("at the quota rejects pings with quota_exceeded and stores nothing; an erasure makes room", async () => {
    const who = await newPartner({ quotas: { files: 3, stored_bytes: null } });
    await keep(who, "many", 2);
    await sweepUsage(env);
    const now = Date.now();
    const later = (minutes: number) => vi.spyOn(Date, "now").mockReturnValue(now + minutes * 60_000);
    expect((await pingOne(who, "third")).status).toBe(202);
    await project(who, [{ user_id: "user-1", source: SOURCE }]);
    await sweepUsage(env);
    later(2);
    const refused = await problemOf(await pingOne(who, "fourth"), 403, "quota_exceeded");
    expect(refused.detail).toMatch(/\b3 files\b/);
    await problemOf(
      await send(who, "POST", "/api/fit_partner_ping/?dry_run=true", {
        body: {
          activity_files: [pingOf({ summary_id: "fourth", callback_url: "https://files.example.com/1.fit" })],
        },
      }),
      403,
      "quota_exceeded",
    );
    expect(await counted(who.partnerId)).toEqual({ files: 3, stored_bytes: 0 });
    // An out-of-date copy, as in the minute before the next run of the clock.
    await env.PARTNERS.put(usageKey(who.partnerId), JSON.stringify({ files: 1, stored_bytes: 0 }));
    later(3);
    expect(await read(who, "/api/partner/")).toMatchObject({
      quotas: { files: 3, stored_bytes: null },
      usage: { files: 3, stored_bytes: 0 },
    });
    expect(await read(who, "/api/overview/")).toMatchObject({ usage: { files: 3, stored_bytes: 0 } });
    expect((await send(who, "DELETE", "/api/users/many/")).status).toBe(202);
    await sweepUsage(env);
    later(4);
    expect((await pingOne(who, "fourth")).status).toBe(202);
  });

  test("also has a quota in bytes", async () => {
    const who = await newPartner({ quotas: { files: null, stored_bytes: 100 } });
    await env.PARTNERS.put(usageKey(who.partnerId), JSON.stringify({ files: 1, stored_bytes: 100 }));
    const refused = await problemOf(await pingOne(who, "more"), 403, "quota_exceeded");
    expect(refused.detail).toMatch(/\b100 bytes\b/);
  });

  test("is read with the settings in one call of KV, at most once a minute", async () => {
    const who = await newPartner();
    const get = vi.spyOn(env.PARTNERS, "get");
    await pingOne(who, "first");
    await pingOne(who, "second");
    expect(get.mock.calls.map(([keys]) => (Array.isArray(keys) ? keys.length : 1))).toEqual([3, 1]);
  });
});
