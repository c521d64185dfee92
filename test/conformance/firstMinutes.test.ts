import { exec } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { ServiceProcess } from "../support/serviceProcess.ts";

let service: ServiceProcess;
beforeAll(async () => {
  service = await ServiceProcess.start([]);
}, 180_000);
afterAll(async () => {
  await service.stop();
}, 60_000);

/** The commands that the start prints, pasted into a shell one after the other without a pause. */
async function pasted(): Promise<unknown[]> {
  const commands = service.printed.split("\n").filter((line) => line.startsWith("curl "));
  expect(commands).toHaveLength(2);
  const answers: unknown[] = [];
  for (const command of commands) {
    expect(command.length).toBeLessThan(4_000);
    answers.push(JSON.parse((await promisify(exec)(command)).stdout));
  }
  return answers;
}

const activitySchema = z.looseObject({ start_time_in_seconds: z.number(), version: z.number() });

test("the two printed commands import a ride and read it, as printed, and still do after a hard restart", async () => {
  const [imported, first] = await pasted();
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

  const printed = service.printed;
  await service.kill();
  await service.startAgain();
  expect(service.printed).toBe(printed);
  const [again, second] = await pasted();
  expect(again).toMatchObject({ accepted: 1, files: [{ status: "duplicate" }] });
  expect(activitySchema.parse(second)).toEqual(activity);
}, 180_000);

test("the demo partner's key lies in the state folder where only its owner reads it, and in no log", async () => {
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
