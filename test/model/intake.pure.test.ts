import type * as Crypto from "node:crypto";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, inject, test, vi } from "vitest";
import { shortenWaits } from "../support/shortWaits.ts";
import { live, story } from "./commands.ts";
import { memoryPlatform } from "./memoryPlatform.ts";
import { World } from "./world.ts";

/** Repeatable random numbers: identifiers, claims and jitter are equal in every run of one story. */
const chance = vi.hoisted(() => {
  let state = 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  return {
    next,
    restart: () => {
      state = 1;
    },
  };
});

vi.mock("node:crypto", async (importOriginal) => ({
  ...(await importOriginal<typeof Crypto>()),
  randomBytes: (count: number) =>
    Buffer.from(Array.from({ length: count }, () => Math.floor(chance.next() * 256))),
}));

// Stories have a virtual clock, so real waits end at once.
vi.mock("../../src/concurrency/wait.ts", () => ({ wait: async () => undefined }));

const { runsInMemory, replay } = inject("intake");
const START = Date.parse("2026-11-25T10:00:00.000Z");

const realNow = Date.now;

beforeAll(() => {
  // Workerd has this function; Node needs a flag.
  // oxlint-disable-next-line no-extend-native -- used by this file's worker only
  Object.defineProperty(Uint8Array.prototype, "toHex", {
    configurable: true,
    value(this: Uint8Array) {
      return Buffer.from(this).toString("hex");
    },
  });
  vi.spyOn(console, "log").mockImplementation(() => undefined);
  shortenWaits();
  vi.spyOn(Math, "random").mockImplementation(() => chance.next());
  // The runtime's digest resolves from another thread, at a time that a test cannot decide.
  vi.spyOn(crypto.subtle, "digest").mockImplementation(async (_algorithm, bytes) => {
    const view = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes);
    return new Uint8Array(createHash("sha256").update(view).digest()).buffer;
  });
});

afterAll(() => {
  Date.now = realNow;
  vi.restoreAllMocks();
});

test(
  "whatever happens to the intake, nothing is lost and nothing is done twice",
  { timeout: 3_600_000 },
  async () => {
    const platform = memoryPlatform();
    await fc.assert(
      fc.asyncProperty(story, async ({ commands, ...settings }) => {
        chance.restart();
        platform.fresh();
        await live(new World(platform, START, settings), commands);
      }),
      { numRuns: runsInMemory, ...replay },
    );
  },
);
