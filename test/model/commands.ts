import fc from "fast-check";
import { STORES, type FaultKind, type Store } from "./faults.ts";
import { HOST_KINDS } from "./outside.ts";
import { castTo } from "./platform.ts";
import { checkPromises } from "./promises.ts";
import { settleAllWork } from "./quiet.ts";
import {
  Broken,
  type EditSpec,
  type Pace,
  type PingSpec,
  type ReceiverBehavior,
  type TaskSpec,
  type World,
} from "./world.ts";

/** One event of a story. */
export type Command =
  | { do: "ping"; pings: PingSpec[]; endsAt: number | null; pace: Pace }
  | { do: "task"; task: TaskSpec; endsAt: number | null; pace: Pace }
  | { do: "deliver"; pick: number; count: number; keep: boolean; endsAt: number | null; pace: Pace }
  | { do: "lose"; pick: number }
  | { do: "bury"; pick: number; pace: Pace }
  | { do: "alarm"; pick: number; endsAt: number | null; pace: Pace }
  | { do: "evict"; pick: number }
  | { do: "kill"; pick: number }
  | { do: "pass"; ms: number }
  | { do: "erase"; user: number; endsAt: number | null; pace: Pace }
  | { do: "delete"; user: number; source: number; summary: number; endsAt: number | null; pace: Pace }
  | { do: "poll"; pick: number; pages: number; pace: Pace }
  | { do: "retry file"; user: number; source: number; summary: number; pace: Pace }
  | { do: "edit"; edit: EditSpec; endsAt: number | null; pace: Pace }
  | { do: "retry import"; pick: number; pace: Pace }
  | { do: "cancel"; pick: number; endsAt: number | null; pace: Pace }
  | { do: "scheduled"; endsAt: number | null; pace: Pace }
  | { do: "fault"; store: Store; kind: FaultKind }
  | { do: "outage"; store: Store; down: boolean }
  | { do: "receiver"; behavior: ReceiverBehavior }
  | { do: "prefetch"; on: boolean }
  | { do: "go on"; pace: Pace }
  | { do: "work" }
  | { do: "both"; first: Command; second: Command; pace: Pace };

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const one = fc.nat(1);
const pick = fc.nat(9);
const steps = fc.array(fc.nat(7), { minLength: 0, maxLength: 12 });
const pace: fc.Arbitrary<Pace> = fc.oneof(
  { weight: 3, arbitrary: fc.constant("finish" as const) },
  { weight: 2, arbitrary: steps },
);
const endsAt = fc.option(fc.integer({ min: 1, max: 24 }), { freq: 5 });

const pingSpec: fc.Arbitrary<PingSpec> = fc.record({
  user: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  source: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  summary: fc.nat(2),
  priority: fc.constantFrom(0 as const, 1 as const),
  overwrite: fc.boolean(),
  sequence: fc.option(fc.nat(4), { freq: 1 }),
  from: fc.oneof(
    { weight: 5, arbitrary: fc.record({ host: fc.constantFrom("once" as const, ...HOST_KINDS) }) },
    {
      weight: 2,
      arbitrary: fc.record({ inline: fc.constantFrom("good" as const, "good" as const, "bad" as const) }),
    },
    { weight: 2, arbitrary: fc.record({ repeat: fc.nat(3), same: fc.boolean() }) },
  ),
});

const ping = fc.record({
  do: fc.constant("ping" as const),
  pings: fc.array(pingSpec, { minLength: 1, maxLength: 6 }),
  endsAt,
  pace,
});
const taskSpec: fc.Arbitrary<TaskSpec> = fc.record({
  user: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  source: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  event: fc.nat(2),
  initial: fc.boolean(),
});
const task = fc.record({ do: fc.constant("task" as const), task: taskSpec, endsAt, pace });
const deliver = fc.record({
  do: fc.constant("deliver" as const),
  pick,
  count: fc.integer({ min: 1, max: 3 }),
  keep: fc.boolean(),
  endsAt,
  pace,
});
const alarm = fc.record({ do: fc.constant("alarm" as const), pick: fc.nat(3), endsAt, pace });
const erase = fc.record({ do: fc.constant("erase" as const), user: one, endsAt, pace });
const deleteFile = fc.record({
  do: fc.constant("delete" as const),
  user: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  source: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  summary: fc.nat(2),
  endsAt,
  pace,
});
const poll = fc.record({
  do: fc.constant("poll" as const),
  pick: one,
  pages: fc.integer({ min: 1, max: 4 }),
  pace,
});
const retryFile = fc.record({
  do: fc.constant("retry file" as const),
  user: fc.constant(0),
  source: fc.constant(0),
  summary: fc.nat(2),
  pace,
});
const editSpec: fc.Arbitrary<EditSpec> = fc.record({
  user: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  source: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  summary: fc.nat(2),
  field: fc.constantFrom("activity_name" as const, "sport" as const, "exclude_from_training" as const),
  undo: fc.boolean(),
});
const edit = fc.record({ do: fc.constant("edit" as const), edit: editSpec, endsAt, pace });
const retryImport = fc.record({ do: fc.constant("retry import" as const), pick, pace });
const cancel = fc.record({ do: fc.constant("cancel" as const), pick, endsAt, pace });
const pass = fc.record({
  do: fc.constant("pass" as const),
  ms: fc.constantFrom(
    1,
    SECOND,
    11 * SECOND,
    25 * SECOND,
    61 * SECOND,
    11 * MINUTE,
    HOUR,
    7 * HOUR,
    -2 * SECOND,
  ),
});
const actor: fc.Arbitrary<Command> = fc.oneof(
  ping,
  task,
  deliver,
  alarm,
  erase,
  deleteFile,
  poll,
  retryFile,
  cancel,
  edit,
);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: ping },
  { weight: 5, arbitrary: task },
  { weight: 7, arbitrary: deliver },
  { weight: 5, arbitrary: alarm },
  { weight: 4, arbitrary: pass },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("work" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("both" as const), first: actor, second: actor, pace }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("go on" as const), pace }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("lose" as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("bury" as const), pick, pace }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("evict" as const), pick: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("kill" as const), pick: fc.nat(3) }) },
  { weight: 1, arbitrary: erase },
  { weight: 3, arbitrary: deleteFile },
  { weight: 3, arbitrary: poll },
  { weight: 1, arbitrary: retryFile },
  { weight: 1, arbitrary: retryImport },
  { weight: 2, arbitrary: cancel },
  { weight: 3, arbitrary: edit },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("scheduled" as const), endsAt, pace }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("fault" as const),
      store: fc.constantFrom(...STORES),
      kind: fc.constantFrom("refused" as const, "result_lost" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("outage" as const),
      store: fc.constantFrom(...STORES),
      down: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("receiver" as const),
      behavior: fc.constantFrom("well" as const, "failing" as const, "away" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("prefetch" as const), on: fc.boolean() }) },
);

export const story = fc.record({
  planner: fc.boolean(),
  prefetch: fc.boolean(),
  commands: fc.array(command, { minLength: 1, maxLength: 40, size: "max" }),
});

const NO_STEPS: Pace = [];

async function perform(world: World, command: Command): Promise<void> {
  switch (command.do) {
    case "ping":
      return world.ping(command.pings, command.endsAt, command.pace);
    case "task":
      return world.task(command.task, command.endsAt, command.pace);
    case "deliver":
      return world.deliver(command.pick, command.count, command.keep, command.endsAt, command.pace);
    case "lose":
      return world.lose(command.pick);
    case "bury":
      return world.bury(command.pick, command.pace);
    case "alarm":
      return world.alarm(world.collectorAt(command.pick), command.endsAt, command.pace);
    case "evict":
      return world.platform.evict(world.collectorAt(command.pick));
    case "kill":
      return world.kill(command.pick);
    case "pass":
      return world.pass(command.ms);
    case "erase":
      return world.erase(command.user, command.endsAt, command.pace);
    case "delete":
      return world.deleteFile(command, command.endsAt, command.pace);
    case "poll":
      return world.poll(command.pick, command.pages, command.pace);
    case "retry file":
      return world.retryFile(command, command.pace);
    case "edit":
      return world.edit(command.edit, command.endsAt, command.pace);
    case "retry import":
      return world.retryImport(command.pick, command.pace);
    case "cancel":
      return world.cancel(command.pick, command.endsAt, command.pace);
    case "scheduled":
      return world.scheduled(command.endsAt, command.pace);
    case "fault":
      return world.faults.arm(command.store, command.kind);
    case "outage":
      return world.faults.setDown(command.store, command.down);
    case "receiver":
      world.receiver = command.behavior;
      return;
    case "prefetch":
      return world.setPrefetch(command.on);
    case "go on":
      return runSteps(world, command.pace);
    case "work":
      return work(world);
    case "both": {
      const started = [
        perform(world, castTo<Command>({ ...command.first, pace: NO_STEPS })),
        perform(world, castTo<Command>({ ...command.second, pace: NO_STEPS })),
      ];
      await Promise.all(started);
      return runSteps(world, command.pace);
    }
  }
}

function runSteps(world: World, pace: Pace): Promise<void> {
  return pace === "finish" ? world.scheduler.finish() : world.scheduler.steps(pace);
}

/** Lets some time pass normally: due alarms run and messages are delivered. */
async function work(world: World): Promise<void> {
  for (const name of world.called) {
    const at = await world.platform.alarmAt(name);
    if (at !== null && at <= world.now) await world.alarm(name, null, "finish");
  }
  for (const message of world.messages.splice(0)) await world.hand(message, null, "finish");
}

/** Runs the story, then waits for quiet and checks every promise. Throws with the trace when one is broken. */
export async function live(world: World, commands: readonly Command[]): Promise<void> {
  await world.open();
  try {
    for (const command of commands) {
      world.setNow(world.now + 1);
      world.note(`@${world.now % 1_000_000_000} ${JSON.stringify(command)}`);
      await perform(world, command);
      if (world.broken.length > 0) break;
    }
    if (world.broken.length === 0) await settleAllWork(world);
    if (world.broken.length === 0) await checkPromises(world);
  } catch (fault) {
    world.break(fault instanceof Error ? (fault.stack ?? fault.message) : String(fault));
  } finally {
    world.close();
  }
  if (world.broken.length > 0) {
    throw new Broken(`${world.broken.join("\n")}\n--\n${world.trace.join("\n")}`);
  }
}
