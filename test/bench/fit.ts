/**
 * Measures the speed and memory of decoding: `node test/bench/fit.ts [--json]`, on the pinned Node. Times are ratios
 * within one run, from medians of interleaved rounds.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { GCProfiler, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import FitParser from "fit-file-parser";
import { decodeActivities, decodeStreams } from "../../src/fit/index.ts";
import { activityFile, T0, type Field } from "../support/fitBuilder.ts";
import { corpusFolder, madeFolder } from "../support/fitFolders.ts";
import { mutants, randomFrom } from "../support/fitMutants.ts";
import { everythingFile } from "../support/fitSamples.ts";
import { median } from "./figures.ts";

const MEGABYTE = 1_000_000;
const MEBIBYTE = 1 << 20;
/** Minimum size of a file with a time that depends mostly on its records. */
const LARGE_BYTES = 300_000;
const ROUNDS = 31;
const WARM_UP_ROUNDS = 20;
/** Rounds for the library. It is slow, so fewer rounds are enough. */
const LIBRARY_ROUNDS = 7;
const LONG_FILE_BYTES = 20 * MEGABYTE;
const MUTANTS = 20_000;
const MUTANT_MILLISECONDS = 200;
const MUTANT_MILLISECONDS_PER_MEGABYTE = 50;

const ALL_STREAMS = { sessionIndex: 0, keys: null, resolution: null, fallbackStartInSeconds: null };

export interface SpeedFigures {
  file: string;
  /** Whether the file was made for this measurement. */
  is_made: boolean;
  bytes: number;
  milliseconds: number;
  /** Time divided by that of a bare framing and CRC pass over the same bytes. */
  times_bare_pass: number;
  /** Time of fit-file-parser in its mode "list", divided by ours. */
  times_faster_than_fit_file_parser: number;
}
export interface MemoryFigures {
  bytes: number;
  import_peak_megabytes: number;
  streams_peak_megabytes: number;
}
export interface HostileFigures {
  mutants: number;
  threw: number;
  too_slow: number;
  slowest_milliseconds: number;
}
export interface BombFigures {
  file: string;
  milliseconds: number;
}

interface Sample {
  file: string;
  isMade?: boolean;
  bytes: Uint8Array;
}

/** Returns the large files of the corpus, and a synthetic one whose session lacks all averages. */
export function largeSamples(): Sample[] {
  const samples = corpusSamples().filter(({ bytes }) => bytes.length >= LARGE_BYTES);
  return [...samples, { file: "made, 1 MB, without averages", isMade: true, bytes: longFile(MEGABYTE) }];
}

export async function measureSpeed(samples: readonly Sample[] = largeSamples()): Promise<SpeedFigures[]> {
  const figures: SpeedFigures[] = [];
  for (const { file, bytes, isMade = false } of samples) {
    const ours: number[] = [];
    const bare: number[] = [];
    const library: number[] = [];
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      const oursTook = took(() => decodeActivities(bytes, { fallbackStartInSeconds: null }));
      const bareTook = took(() => barePass(bytes));
      if (round < 0) continue;
      ours.push(oursTook);
      bare.push(bareTook);
      if (round < LIBRARY_ROUNDS) library.push(await libraryTook(bytes));
    }
    figures.push({
      file,
      is_made: isMade,
      bytes: bytes.length,
      milliseconds: median(ours),
      times_bare_pass: median(ours) / median(bare),
      times_faster_than_fit_file_parser: median(library) / median(ours),
    });
  }
  return figures;
}

/** Returns the peaks of heapUsed + arrayBuffers, less their sum before the work. */
export function measureMemory(bytes: Uint8Array = longFile(LONG_FILE_BYTES)): MemoryFigures {
  return {
    bytes: bytes.length,
    import_peak_megabytes: peakOf(() => decodeActivities(bytes, { fallbackStartInSeconds: null })),
    streams_peak_megabytes: peakOf(() => decodeStreams(bytes, ALL_STREAMS)),
  };
}

/**
 * Decodes seeded mutants of the corpus' smaller files, or of a synthetic file: the activities, then the streams of the
 * first.
 */
export function measureHostile(count: number = MUTANTS): HostileFigures {
  const corpus = corpusSamples().filter(({ bytes }) => bytes.length < LARGE_BYTES);
  const samples = corpus.length > 0 ? corpus : [{ file: "made", bytes: everythingFile() }];
  const figures: HostileFigures = { mutants: 0, threw: 0, too_slow: 0, slowest_milliseconds: 0 };
  samples.forEach(({ bytes }, i) => {
    for (const mutant of mutants(bytes, Math.ceil(count / samples.length), i)) {
      figures.mutants++;
      try {
        const milliseconds = Math.max(
          took(() => decodeActivities(mutant, { fallbackStartInSeconds: null })),
          took(() => decodeStreams(mutant, ALL_STREAMS)),
        );
        const limit = MUTANT_MILLISECONDS + (MUTANT_MILLISECONDS_PER_MEGABYTE * mutant.length) / MEGABYTE;
        if (milliseconds > limit) figures.too_slow++;
        figures.slowest_milliseconds = Math.max(figures.slowest_milliseconds, milliseconds);
      } catch {
        figures.threw++;
      }
    }
  });
  return figures;
}

/** Decodes the synthetic decompression bombs. Returns an empty list without their folder. */
export function measureBombs(): BombFigures[] {
  return samplesIn(madeFolder)
    .filter(({ file }) => file.includes("bomb"))
    .map(({ file, bytes }) => ({
      file,
      milliseconds: took(() => decodeActivities(bytes, { fallbackStartInSeconds: null })),
    }));
}

/** Returns a ride of about this many bytes with one record per second and occasional missing readings. */
export function longFile(bytes: number): Uint8Array {
  const random = randomFrom(1);
  const file = activityFile();
  const record = (second: number): Field[] => [
    [0, "sint32", 500_000_000 + 97 * second],
    [1, "sint32", 100_000_000 + 83 * second],
    [5, "uint32", second * 812],
    [78, "uint32", 3_000 + Math.round(100 * Math.sin(second / 500))],
    [73, "uint32", 8_000 + Math.floor(random() * 500)],
    [7, "uint16", Math.floor(random() * 400)],
    [3, "uint8", random() < 0.01 ? 0xff : 120 + Math.floor(random() * 40)],
    [4, "uint8", 80 + Math.floor(random() * 20)],
    [13, "sint8", 15],
  ];
  const bytesOfRecord = 30;
  const seconds = Math.ceil(bytes / bytesOfRecord);
  for (let second = 0; second < seconds; second++) file.record(second, record(second));
  return file.session([[253, "uint32", T0 + seconds]], seconds).build();
}

function corpusSamples(): Sample[] {
  return samplesIn(corpusFolder);
}

function samplesIn(folder: string): Sample[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".fit"))
    .map((file) => ({ file, bytes: new Uint8Array(readFileSync(path.join(folder, file))) }));
}

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});

/** Does the minimum work of any decoder: computes a CRC by table and skips every message by its length. */
function barePass(bytes: Uint8Array): number {
  const end = bytes.length - 2;
  let crc = 0;
  for (let at = 0; at < end; at++) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  const sizes = new Int32Array(16);
  let messages = 0;
  let at = bytes[0] ?? 0;
  while (at < end) {
    const header = bytes[at] ?? 0;
    if ((header & 0xc0) === 0x40) {
      let next = at + 6 + 3 * (bytes[at + 5] ?? 0);
      let size = 0;
      for (let field = at + 6; field < next; field += 3) size += bytes[field + 1] ?? 0;
      if (header & 0x20) {
        const first = next + 1;
        next = first + 3 * (bytes[next] ?? 0);
        for (let field = first; field < next; field += 3) size += bytes[field + 1] ?? 0;
      }
      sizes[header & 0x0f] = size;
      at = next;
    } else {
      at += 1 + (sizes[header & 0x80 ? (header >> 5) & 3 : header & 0x0f] ?? 0);
      messages++;
    }
  }
  return crc ^ messages;
}

async function libraryTook(bytes: Uint8Array): Promise<number> {
  const copy = bytes.slice();
  const parser = new FitParser({ force: true, mode: "list" });
  const start = performance.now();
  await parser.parseAsync(copy.buffer);
  return performance.now() - start;
}

function took(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Returns the highest memory in use before a garbage collection or at the end, less the memory at the start. */
function peakOf(work: () => unknown): number {
  collectGarbage();
  const used = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const start = used();
  const external = process.memoryUsage().external - process.memoryUsage().arrayBuffers;
  const profiler = new GCProfiler();
  profiler.start();
  const kept = work();
  const peaks = [used()];
  for (const { beforeGC } of profiler.stop()?.statistics ?? []) {
    const { usedHeapSize, externalMemory } = beforeGC.heapStatistics;
    peaks.push(usedHeapSize + externalMemory - external);
  }
  return kept === undefined ? NaN : (Math.max(...peaks) - start) / MEBIBYTE;
}

async function main(): Promise<void> {
  // Measure memory first, while the heap is empty.
  const memory = measureMemory();
  const figures = {
    memory,
    speed: await measureSpeed(),
    hostile: measureHostile(),
    bombs: measureBombs(),
  };
  console.log(JSON.stringify(figures, null, process.argv.includes("--json") ? 0 : 2));
}

if (import.meta.main) await main();
