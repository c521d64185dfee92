import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, listenOnLoopback } from "../support/loopback.ts";
import { runNode } from "./commandRun.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "start-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const start = async (...args: string[]) => runNode(["src/cli/commands/start.ts", ...args]);

describe("npm start prints one line and exits for", () => {
  test.each<[string, string[], RegExp]>([
    [
      "an unknown flag",
      ["--prot", "8787"],
      /^Unknown option '--prot'\. Options: --port, --state, --empty\.$/,
    ],
    ["a flag without its value", ["--port"], /^Option '--port <value>' argument missing\. Options: --port, /],
    ["an unexpected argument", ["8787"], /^Unexpected argument '8787'\. Options: --port, /],
    [
      "a port that is not a number",
      ["--port", "http"],
      /^--port must be a number from 1 to 65535; received "http"\.$/,
    ],
    ["port 0", ["--port", "0"], /^--port must be a number/],
    ["a port above 65535", ["--port", "65536"], /^--port must be a number/],
    ["a port with a fraction", ["--port", "80.5"], /^--port must be a number/],
    [
      "an empty state folder",
      ["--state", ""],
      /^--state must be the path of a folder; received an empty string\.$/,
    ],
  ])("%s", async (_what, args, line) => {
    const { exitCode, out, err } = await start(...args);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err.trimEnd()).toMatch(line);
  });

  test("a port that another program uses, before it creates the state folder", async () => {
    const other = await listenOnLoopback(() => {});
    const port = new URL(other.url).port;
    const state = path.join(folder, "untouched");
    const refused = await start("--port", port, "--state", state);
    await other.close();
    expect(refused).toEqual({
      exitCode: 1,
      out: "",
      err: `Port ${port} is in use by another program. Choose another port with --port.\n`,
    });
    expect(existsSync(state)).toBe(false);
  });

  test("a state folder that it cannot write to", async () => {
    const file = path.join(folder, "a-file");
    await writeFile(file, "");
    const state = path.join(file, "state");
    expect(await start("--port", String(await freePort()), "--state", state)).toEqual({
      exitCode: 1,
      out: "",
      err: `Cannot write to the state folder ${state} (ENOTDIR). Choose another folder with --state.\n`,
    });
  });
});
