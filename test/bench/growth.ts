import { z } from "zod";
import { rideFile } from "../support/rideFile.ts";
import { expectStatus } from "./client.ts";
import { quantile, timed, type Figure } from "./figures.ts";
import { startHost } from "./files.ts";
import { Benched } from "./imports.ts";
import { ISOLATE_MIB, measurePeak } from "./memory.ts";
import { startWorkerd } from "./workerd.ts";

/** Held files of one user: years of recordings. */
const HELD_FILES = 20_000;
/** Imports to wait for. All take minutes: `BENCH_RELEASED_FILES=20000`. */
const RELEASED_FILES = Number(process.env["BENCH_RELEASED_FILES"] ?? 1_000);
const USER = "veteran";
/** Target for the task and for each alarm. The collector serves other calls between alarms. */
const STEP_MS = 1_000;

const countsSchema = z.object({ files: z.object({ imported: z.number(), failed: z.number() }) });
const alarmSchema = z.object({ unit: z.literal("alarm"), milliseconds: z.number() });

/** Measures a task that releases 20,000 held files: the task, its alarms and the isolate's memory. */
export async function growthFigures(): Promise<Figure[]> {
  const host = await startHost([rideFile({ seconds: 2 })]);
  const alarms: number[] = [];
  const service = await startWorkerd({
    entry: "src/index.ts",
    consumers: true,
    inspector: true,
    onLog: (line) => {
      const alarm = alarmSchema.safeParse(jsonOf(line));
      if (alarm.success) alarms.push(alarm.data.milliseconds);
    },
  });
  try {
    const benched = new Benched(service, host);
    await benched.hold(USER, HELD_FILES);
    let taskMs = 0;
    let importMs = 0;
    const peak = await measurePeak(service.inspector, async () => {
      let importId = "";
      taskMs = await timed(async () => {
        importId = await benched.release(USER);
      });
      const url = new URL(`/api/imports/${importId}/`, service.url);
      importMs = await timed(async () =>
        benched.until(async () => {
          const answer = await expectStatus(200, "GET", url, service.credentials);
          const { files } = countsSchema.parse(JSON.parse(answer));
          if (files.failed > 0) throw new Error("Some files could not be imported.");
          return files.imported >= RELEASED_FILES;
        }),
      );
    });
    const section = "growth";
    const name = `${HELD_FILES} held files of one user`;
    return [
      {
        section,
        name: `${name}: the task`,
        value: taskMs,
        unit: "ms",
        target: { at: "most", value: STEP_MS },
      },
      { section, name: `${name}: alarms`, value: alarms.length, unit: "" },
      { section, name: `${name}: an alarm, median`, value: quantile(alarms, 0.5), unit: "ms" },
      {
        section,
        name: `${name}: the longest alarm`,
        value: Math.max(...alarms),
        unit: "ms",
        target: { at: "most", value: STEP_MS },
      },
      {
        section,
        name: `${name}: peak memory of the isolate`,
        value: peak,
        unit: "MiB",
        target: { at: "most", value: ISOLATE_MIB },
        note: `used heap and array buffers, while the isolate imports ${RELEASED_FILES} of them`,
      },
      { section, name: `${name}: a file`, value: importMs / RELEASED_FILES, unit: "ms" },
    ];
  } finally {
    await service.stop();
    await host.close();
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
