import process from "node:process";
import { expect, test } from "vitest";
import { ALL_STAGES, importUnderKills, PREFETCH_STAGES, type StageName } from "./importUnderKills.ts";

/** Set by `npm run test:kill`, the long form. */
const files = process.env["KILL_FILES"];
const FILES = Number(files ?? 60);
const STAGES: readonly StageName[] = files === undefined ? ["during the pings", "in the middle"] : ALL_STAGES;
const SEED = Number(process.env["KILL_SEED"] ?? Date.now() % 2 ** 31);
console.log(`KILL_SEED=${SEED}`);

/** Most of the short form is the wait until a killed importer's claim expires, so its tests wait together. */
const killTest = files === undefined ? test.concurrent : test;

killTest(
  `a service that is killed ${STAGES.length} times during an import of ${FILES} files loses none and downloads none twice`,
  async () => {
    const report = await importUnderKills(FILES, STAGES, SEED, (line) => console.log(line));
    const { kills, imported, gone, seconds, broken } = report;
    console.log(
      `${FILES} files, ${kills} kills, ${seconds} s: ${imported} imported, ` +
        `${gone} failed as callback_gone (killed between download and storage), ` +
        `event received ${report.eventArrivals} times with one id; ${broken.length} broken promises`,
    );
    expect(broken).toEqual([]);
  },
  1_800_000,
);

const HELD_STAGES: readonly StageName[] = files === undefined ? ["while files are held"] : PREFETCH_STAGES;

killTest(
  `a service that is killed ${HELD_STAGES.length} times while it downloads ${FILES} held files loses none and downloads none twice`,
  async () => {
    const report = await importUnderKills(FILES, HELD_STAGES, SEED, (line) => console.log(line), true);
    const { kills, imported, gone, seconds, broken } = report;
    console.log(
      `${FILES} held files, ${kills} kills, ${seconds} s: ${imported} imported, ` +
        `${gone} failed as callback_gone (killed between download and storage); ${broken.length} broken promises`,
    );
    expect(broken).toEqual([]);
  },
  1_800_000,
);
