import process from "node:process";
import { expect, test } from "vitest";
import { ALL_STAGES, importUnderKills, type StageName } from "./importUnderKills.ts";

/** `npm run test:kill` asks for the long form. */
const files = process.env["KILL_FILES"];
const FILES = Number(files ?? 60);
const STAGES: readonly StageName[] = files === undefined ? ["during the pings", "in the middle"] : ALL_STAGES;
const SEED = Number(process.env["KILL_SEED"] ?? Date.now() % 2 ** 31);

test(`killed ${STAGES.length} times at random moments of an import of ${FILES} files, the service loses none and takes none twice`, async () => {
  console.log(`KILL_SEED=${SEED}`);
  const report = await importUnderKills(FILES, STAGES, SEED, (line) => console.log(line));
  const { kills, imported, gone, seconds, broken } = report;
  console.log(
    `${FILES} files, ${kills} kills, ${seconds} s: ${imported} imported, ` +
      `${gone} failed as callback_gone (cut off between download and storing), ` +
      `event arrived ${report.eventArrivals} times under one id; ${broken.length} promises broken`,
  );
  expect(broken).toEqual([]);
}, 1_800_000);
