import { z } from "zod";
import type { Figure } from "./figures.ts";
import { Inspector } from "./inspector.ts";
import { Intake, LOADS, type Load } from "./intake.ts";
import { SCRIPT, startWorkerd } from "./workerd.ts";

/** Lead-in, until alarms ring as often as pings arrive and functions are compiled. */
const LEAD_IN_MS = 4_000;
const PROFILED_MS = 6_000;
const SAMPLE_MICROSECONDS = 200;
const ROOMS = 12;
const FUNCTIONS_A_ROOM = 5;
/** Time in which the isolate does nothing. */
const IDLE = new Set(["(idle)", "(root)"]);

const profileSchema = z.object({
  profile: z.object({
    nodes: z.array(
      z.object({
        id: z.number(),
        children: z.array(z.number()).default([]),
        callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
      }),
    ),
    samples: z.array(z.number()),
    timeDeltas: z.array(z.number()),
  }),
});
type Profile = z.infer<typeof profileSchema>["profile"];

/** Measures where the isolate spends its time for a ping: self time by V8's sampling profiler, alarms included. */
export async function profileFigures(): Promise<Figure[]> {
  const worker = await startWorkerd({
    entry: "src/index.ts",
    consumers: false,
    inspector: true,
  });
  const inspector = await Inspector.connect(worker.inspector);
  try {
    const roomOf = roomsOf(worker.script);
    const figures: Figure[] = [];
    for (const load of LOADS) {
      const intake = new Intake(worker);
      await intake.rate(load, LEAD_IN_MS, 0);
      const before = intake.requests;
      await inspector.ask("Profiler.enable");
      await inspector.ask("Profiler.setSamplingInterval", { interval: SAMPLE_MICROSECONDS });
      await inspector.ask("Profiler.start");
      await intake.rate(load, 0, PROFILED_MS);
      const { profile } = profileSchema.parse(await inspector.ask("Profiler.stop"));
      figures.push(...roomFigures(load, profile, intake.requests - before, roomOf));
      await intake.settle();
    }
    return figures;
  } finally {
    inspector.close();
    await worker.stop();
  }
}

/** Finds the source folder or package of a line of the bundle, which names each module above its code. */
function roomsOf(script: string): (line: number) => string {
  const rooms: string[] = [];
  let room = "bundle";
  for (const line of script.split("\n")) {
    const module = /^\/\/ ((?:src|node_modules)\/.+)$/.exec(line)?.[1];
    // `src/room/…`, `node_modules/package/…` or `node_modules/@scope/package/…`
    if (module !== undefined) room = /^[^/]+\/(?:@[^/]+\/)?[^/]+/.exec(module)?.[0] ?? module;
    rooms.push(room);
  }
  return (line) => rooms[line] ?? room;
}

function roomFigures(
  load: Load,
  { nodes, samples, timeDeltas }: Profile,
  requests: number,
  roomOf: (line: number) => string,
): Figure[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const callers = new Map(nodes.flatMap(({ id, children }) => children.map((child) => [child, id])));
  const rooms = new Map<string, Map<string, number>>();
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    if (frame === undefined || IDLE.has(frame.functionName)) continue;
    // What the runtime does for a function counts as that function's room.
    let at: number | undefined = id;
    while (at !== undefined && frames.get(at)?.url.endsWith(SCRIPT) !== true) at = callers.get(at);
    const caller = at === undefined ? undefined : frames.get(at);
    const room = caller === undefined ? "runtime" : roomOf(caller.lineNumber);
    const functions = rooms.get(room) ?? new Map<string, number>();
    rooms.set(room, functions);
    const name = frame.functionName === "" ? "(anonymous)" : frame.functionName;
    functions.set(name, (functions.get(name) ?? 0) + (timeDeltas[index] ?? 0) / 1_000);
  }
  const sum = (functions: Map<string, number>) => [...functions.values()].reduce((all, ms) => all + ms, 0);
  const figure = (name: string, ms: number): Figure => ({
    section: "profile",
    name: `${load.name}: ${name}`,
    value: ms / requests,
    unit: "ms",
  });
  const largest = [...rooms].toSorted(([, a], [, b]) => sum(b) - sum(a));
  return [
    figure(
      "all, for each request",
      largest.reduce((all, [, functions]) => all + sum(functions), 0),
    ),
    ...largest.slice(0, ROOMS).map(([room, functions]) => ({
      ...figure(room, sum(functions)),
      note: [...functions]
        .toSorted(([, a], [, b]) => b - a)
        .slice(0, FUNCTIONS_A_ROOM)
        .map(([name, ms]) => `${name} ${(ms / requests).toFixed(3)}`)
        .join(", "),
    })),
  ];
}
