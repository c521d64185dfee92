import { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterAll, beforeAll, inject, test, vi } from "vitest";
import { allDatabases } from "../../src/database/databases.ts";
import { shortenWaits } from "../support/shortWaits.ts";
import { live, story } from "./commands.ts";
import { realPlatform } from "./realPlatform.ts";
import { World } from "./world.ts";

const { realRuns, replay } = inject("intake");

const DAY_MS = 24 * 60 * 60_000;
/** Far ahead of the real clock, so that no alarm runs by itself. Each story has its own weeks. */
const START_AFTER_MS = 100 * DAY_MS;
const STORY_MS = 14 * DAY_MS;

beforeAll(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.spyOn(console, "log").mockImplementation(() => undefined);
  shortenWaits();
});

afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test(
  "whatever happens to the intake on the real stores, nothing is lost and nothing is done twice",
  {
    timeout: 3_600_000,
  },
  async () => {
    const platform = realPlatform();
    let startAt = Date.now() + START_AFTER_MS;
    await fc.assert(
      fc.asyncProperty(story, async ({ commands, ...settings }) => {
        startAt += STORY_MS;
        await live(new World(platform, startAt, settings), commands);
        // The sweep over all sources then finds only the collectors of the next story.
        for (const database of allDatabases(env)) await database.prepare("DELETE FROM user_sources").run();
      }),
      { numRuns: realRuns, ...replay },
    );
  },
);
