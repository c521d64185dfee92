import { median, timed, type Figure } from "./figures.ts";
import { largeSamples } from "./fit.ts";
import { startWorkerd } from "./workerd.ts";

const ROUNDS = 7;
/** Minimum time of a request. Clocks inside workerd stop while it computes, so requests are timed from outside. */
const LEAST_MS = 200;
const MOST_TIMES = 64;

/** Measures decoding inside workerd, compared with fit-file-parser in its mode "list" on the same bytes. */
export async function decodingFigures(): Promise<Figure[]> {
  const worker = await startWorkerd({
    entry: "test/bench/workers/decoding.ts",
    consumers: false,
    classes: {},
  });
  const figures: Figure[] = [];
  try {
    for (const { file, bytes } of largeSamples()) {
      const decode = async (by: "ours" | "library", times: number) => {
        const took = await timed(async () => {
          const answer = await fetch(new URL(`/?by=${by}&times=${times}`, worker.url), {
            method: "POST",
            body: bytes.slice(),
          });
          if (!answer.ok) throw new Error(`${file}: ${by} answered ${answer.status}`);
          await answer.arrayBuffer();
        });
        return took;
      };
      // Warm up both, and find how many repetitions make a request long enough.
      for (const by of ["ours", "library"] as const) await decode(by, 4);
      const timesOf = async (by: "ours" | "library") =>
        Math.min(MOST_TIMES, Math.ceil((4 * LEAST_MS) / (await decode(by, 4))));
      const times = { ours: await timesOf("ours"), library: await timesOf("library") };
      const empty: number[] = [];
      const took = { ours: [] as number[], library: [] as number[] };
      for (let round = 0; round < ROUNDS; round += 1) {
        empty.push(await decode("ours", 0));
        for (const by of ["ours", "library"] as const) took[by].push(await decode(by, times[by]));
      }
      const each = (by: "ours" | "library") => (median(took[by]) - median(empty)) / times[by];
      const section = "workerd";
      figures.push(
        { section, name: `${file} (${bytes.length} bytes)`, value: each("ours"), unit: "ms" },
        {
          section,
          name: `${file}: faster than fit-file-parser`,
          value: each("library") / each("ours"),
          unit: "×",
          target: { at: "least", value: 8 },
        },
      );
    }
  } finally {
    await worker.stop();
  }
  return figures;
}
