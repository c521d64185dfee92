import { exec } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { readCommit } from "../../src/cli/commit.ts";
import { runNode } from "../cli/commandRun.ts";
import { freePort } from "../support/loopback.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";

let service: ServiceProcess;
beforeAll(async () => {
  service = await ServiceProcess.start([]);
}, 180_000);
afterAll(async () => {
  await service.stop();
}, 60_000);

const commandsOf = (printed: string) => printed.split("\n").filter((line) => line.startsWith("curl "));

/** Runs the commands that npm start prints in a shell, without a pause. Returns their JSON output. */
async function runPrintedCommands(): Promise<unknown[]> {
  const commands = commandsOf(service.printed);
  expect(commands).toHaveLength(2);
  const outputs: unknown[] = [];
  for (const command of commands) {
    expect(command.length).toBeLessThan(4_000);
    outputs.push(JSON.parse((await promisify(exec)(command)).stdout));
  }
  return outputs;
}

/** Reads over HTTP as the partner demo, with the printed key. */
async function read(address: string): Promise<unknown> {
  const key = /^Key: +(\S+)$/m.exec(service.printed)?.[1] ?? "";
  const headers = { Authorization: `Bearer ${key}`, "Partner-Id": "demo" };
  return (await fetch(service.url + address, { headers })).json();
}

const listSchema = z.object({ data: z.array(z.looseObject({})) });
const everything = async () => ({
  files: listSchema.parse(await read("/api/files/?user_id=athlete-1&limit=200")).data,
  activities: listSchema.parse(await read("/api/activities/?user_id=athlete-1&limit=200")).data,
  imports: listSchema.parse(await read("/api/imports/?user_id=athlete-1")).data,
  events: listSchema.parse(await read("/api/events/")).data,
});

test("npm start plays the demo once: a history, a verified event, a live ride, and the failed files with their reasons", async () => {
  const { printed } = service;
  for (const line of [
    "24 files are held until the task.",
    "24 of 24",
    "22 files imported, 2 failed.",
    "The planner received a plan request for athlete-1 with its training: ",
    "The event bulk_fit_import.completed arrived with a valid signature.",
    "A live ride (priority 1) was imported",
    "lost-ride: callback_gone (The host responded with status 404.)",
    "planned-route: not_fit (",
  ]) {
    expect(printed).toContain(line);
  }
  const first = await everything();
  expect(first.files).toHaveLength(26);
  // 21 files with one activity each, a triathlon with five, and the live ride from two devices.
  expect(first.activities).toHaveLength(28);
  expect(first.imports).toMatchObject([
    {
      status: "completed_with_failures",
      is_initial_import: true,
      files: { total: 24, imported: 22, skipped: 0, failed: 2 },
      event: { status: "delivered" },
      training_plan: { status: "delivered" },
    },
  ]);

  await service.kill();
  await service.startAgain();
  expect(service.printed).toContain(
    "The demo has already run on this state folder. Its files are not imported again.",
  );
  expect(await everything()).toEqual(first);
}, 180_000);

test("a second start on the same state folder is refused", async () => {
  const second = await runNode([
    "src/cli/commands/start.ts",
    "--port",
    String(await freePort()),
    "--state",
    service.state,
  ]);
  expect(second).toEqual({
    exitCode: 1,
    out: "",
    err: expect.stringMatching(
      /^A service already runs on the state folder \S+ \(process \d+\)\. Stop it, or choose [^\n]+\n$/,
    ),
  });
  const health = await fetch(`${service.url}/health/`);
  expect(health.status).toBe(200);
  const commit = await readCommit();
  expect(await health.json()).toMatchObject({ version: { id: "local", tag: commit?.tag ?? null } });
});

const activitySchema = z.looseObject({ start_time_in_seconds: z.number(), version: z.number() });

test("the two printed commands import a ride and read its activity, also after a kill and a restart", async () => {
  const [imported, first] = await runPrintedCommands();
  expect(imported).toMatchObject({ accepted: 1, files: [{ status: "queued" }] });
  expect(first).toMatchObject({
    sport: "cycling",
    activity_name: "Morning Ride",
    elapsed_time_in_seconds: 600,
  });
  const activity = activitySchema.parse(first);
  const age = Date.now() / 1000 - activity.start_time_in_seconds;
  expect(age).toBeGreaterThan(600);
  expect(age).toBeLessThan(86_400);

  const printed = commandsOf(service.printed);
  await service.kill();
  await service.startAgain();
  expect(commandsOf(service.printed)).toEqual(printed);
  const [again, second] = await runPrintedCommands();
  expect(again).toMatchObject({ accepted: 1, files: [{ status: "duplicate" }] });
  expect(activitySchema.parse(second)).toEqual(activity);
}, 180_000);

test("the key of the partner demo is stored readable for its owner only, and is in no log line", async () => {
  const { auth_key } = z
    .looseObject({ auth_key: z.string() })
    .parse(JSON.parse(await readFile(path.join(service.state, "demo.json"), "utf8")));
  expect(service.printed).toContain(auth_key);
  expect((await stat(path.join(service.state, "demo.json"))).mode & 0o077).toBe(0);
  const log = await readFile(path.join(service.state, "service.log"), "utf8");
  for (const line of log.trimEnd().split("\n"))
    expect(z.looseObject({}).parse(JSON.parse(line))).toBeDefined();
  expect(log).not.toContain(auth_key);
});
