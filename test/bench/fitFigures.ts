import type { Figure } from "./figures.ts";
import { measureBombs, measureHostile, measureMemory, measureSpeed } from "./fit.ts";

/** Measures decoding on Node. */
export async function fitFigures(): Promise<Figure[]> {
  const section = "fit";
  // Measure memory first, while the heap is empty.
  const memory = measureMemory();
  const size = `a file of ${Math.round(memory.bytes / 1e6)} MB`;
  const figures: Figure[] = [
    {
      section,
      name: `import of ${size}: peak`,
      value: memory.import_peak_megabytes,
      unit: "MiB",
      target: { at: "most", value: 64 },
    },
    {
      section,
      name: `streams of ${size}: peak`,
      value: memory.streams_peak_megabytes,
      unit: "MiB",
      target: { at: "most", value: 128 },
    },
  ];
  for (const speed of await measureSpeed()) {
    figures.push(
      { section, name: `${speed.file}: decoding`, value: speed.milliseconds, unit: "ms" },
      {
        section,
        name: `${speed.file}: over a bare framing pass`,
        value: speed.times_bare_pass,
        unit: "×",
        target: { at: "most", value: 3 },
      },
      {
        section,
        name: `${speed.file}: faster than fit-file-parser`,
        value: speed.times_faster_than_fit_file_parser,
        unit: "×",
        target: { at: "least", value: speed.is_made ? 8 : 10 },
      },
    );
  }
  const hostile = measureHostile();
  figures.push(
    {
      section,
      name: `${hostile.mutants} mutants: exceptions`,
      value: hostile.threw,
      unit: "",
      target: { at: "most", value: 0 },
    },
    { section, name: "slowest mutant", value: hostile.slowest_milliseconds, unit: "ms" },
  );
  for (const bomb of measureBombs()) {
    figures.push({ section, name: bomb.file, value: bomb.milliseconds, unit: "ms" });
  }
  return figures;
}
