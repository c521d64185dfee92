import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SMALL_RIDE, SMALL_RIDE_START } from "../../src/docs/smallRide.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import type { ClientSettings, Report } from "../clients/report.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");
const PROGRAMS = path.join(ROOT, "test/clients");

let service: ServiceProcess;
let host: FileHost;
/** The programs, the clients that they use, and the packages of this checkout. */
let folder: string;

/** Runs a program on the Node that runs this; resolves to what it printed. */
async function run(args: string[], env: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, env: { ...process.env, ...env } };
    execFile(process.execPath, args, options, (fault, stdout, stderr) =>
      fault === null ? resolve(stdout) : reject(new Error(`${args[0]} failed: ${stdout}${stderr}`)),
    );
  });
}

const tool = (entry: string) => path.join(ROOT, "node_modules", entry);

beforeAll(async () => {
  [service, host, folder] = await Promise.all([
    ServiceProcess.start(),
    startFileHost(),
    mkdtemp(path.join(tmpdir(), "clients-")),
  ]);
  await cp(PROGRAMS, folder, { recursive: true });
  await symlink(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"));
  const document = await fetch(`${service.url}/openapi.json`);
  await writeFile(path.join(folder, "openapi.json"), await document.text());
  await run([tool("openapi-typescript/bin/cli.js"), "openapi.json", "-o", "generated/openapi.ts"]);
  await run([tool("@hey-api/openapi-ts/bin/run.js"), "-i", "openapi.json", "-o", "generated/heyapi"]);
}, 180_000);

afterAll(async () => {
  await Promise.all([service.stop(), host.close(), rm(folder, { recursive: true, force: true })]);
}, 60_000);

/** Runs a client program as a partner of its own. */
async function reportOf(program: string): Promise<Report> {
  const { partner_id, auth_key } = await service.createPartner(program);
  const settings: ClientSettings = {
    url: service.url,
    partnerId: partner_id,
    authKey: auth_key,
    ride: SMALL_RIDE,
    rideUrl: host.serve(rideFile()),
    rideStart: SMALL_RIDE_START,
  };
  const bundle = path.join(folder, `${program}.mjs`);
  await build({
    entryPoints: [path.join(folder, `${program}.ts`)],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "esm",
  });
  const report: Report = JSON.parse(await run([bundle], { CLIENT: JSON.stringify(settings) }));
  return report;
}

describe("clients generated from the service's own /openapi.json", () => {
  test("have types that a program with pings, tasks, pages and problems compiles with", async () => {
    expect(await run([tool("typescript-7/bin/tsc"), "--project", "."])).toBe("");
  });

  test.for(["openapiFetch", "heyApi"])("work against the service: %s", async (program) => {
    expect(await reportOf(program)).toEqual({
      pings: ["live: queued", "held: held", "rejected: time_not_in_seconds"],
      task: "completed: 1",
      files: ["held", "live"],
      problem: "not found",
    });
  });
});
