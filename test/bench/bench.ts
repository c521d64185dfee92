/**
 * npm run bench [-- --json] [-- --only fit,edge] [-- --simulate]: measures speed, cost and memory. `--simulate` runs only a
 * morning on which 100,000 users connect. Ratios are within one run on one machine, from medians of interleaved rounds.
 */
import os from "node:os";
import process from "node:process";
import { exitWith, misuse, readFlags } from "../../src/cli/commandLine.ts";
import { meets, type Figure } from "./figures.ts";

const SECTIONS: Record<string, () => Promise<Figure[]>> = {
  fit: async () => (await import("./fitFigures.ts")).fitFigures(),
  workerd: async () => (await import("./decoding.ts")).decodingFigures(),
  edge: async () => (await import("./edge.ts")).edgeFigures(),
  profile: async () => (await import("./profile.ts")).profileFigures(),
  live: async () => (await import("./imports.ts")).liveFigures(),
  bill: async () => (await import("./bill.ts")).billFigures(),
  room: async () => (await import("./room.ts")).roomFigures(),
  memory: async () => (await import("./memory.ts")).memoryFigures(),
  growth: async () => (await import("./growth.ts")).growthFigures(),
  hostile: async () => (await import("./hostile.ts")).hostileFigures(),
  bundle: async () => (await import("./bundle.ts")).bundleFigures(),
  simulate: async () => (await import("./simulate.ts")).simulateFigures(),
  bulk: async () => (await import("./imports.ts")).bulkFigures(),
};

const flags = readFlags({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string" },
    simulate: { type: "boolean", default: false },
  },
});
if (!flags.ok) exitWith(flags);
const { json, only, simulate } = flags.values;
if (simulate && only !== undefined) exitWith(misuse("Use either --only or --simulate."));
const given = only?.split(",");
// The simulation has a flag of its own.
if (given?.some((name) => name === "simulate" || SECTIONS[name] === undefined) === true) {
  const sections = Object.keys(SECTIONS).filter((name) => name !== "simulate");
  exitWith(
    misuse(`--only accepts ${sections.join(",")}, separated by commas. Received ${JSON.stringify(only)}.`),
  );
}
const names = simulate ? ["simulate"] : (given ?? Object.keys(SECTIONS));

const machine = `${os.availableParallelism()} × ${os.cpus()[0]?.model.trim() ?? "unknown processor"}`;
const measured_at = new Date().toISOString();
if (!json) console.log(`${measured_at}  ${machine}  Node ${process.version}`);
const figures: Figure[] = [];
for (const name of names) {
  const found = (await SECTIONS[name]?.()) ?? [];
  figures.push(...found);
  if (!json) printTable(name, found);
}
if (json) {
  console.log(JSON.stringify({ measured_at, machine, node: process.version, figures }, null, 2));
}
// Kept connections would keep the process running.
process.exit(0);

function printTable(section: string, found: readonly Figure[]): void {
  console.log(`\n${section}`);
  const rows = found.map((figure) => [
    figure.name,
    `${rounded(figure.value)} ${figure.unit}`,
    figure.target === undefined ? "" : `at ${figure.target.at} ${figure.target.value}`,
    { true: "met", false: "MISSED", null: "" }[String(meets(figure))] ?? "",
    figure.note ?? "",
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
  }
}

function rounded(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
