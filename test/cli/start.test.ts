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

describe("npm start refuses in one line", () => {
  test.each<[string, string[], RegExp]>([
    ["an unknown flag", ["--prot", "8787"], /^Unknown option '--prot'\.$/],
    ["a flag without its value", ["--port"], /^Option '--port <value>' argument missing\.$/],
    ["an argument that belongs to nothing", ["8787"], /^Unexpected argument '8787'\.$/],
    ["a port that is no number", ["--port", "http"], /^--port takes a number from 1 to 65535, not "http"\.$/],
    ["port 0", ["--port", "0"], /^--port takes/],
    ["a port past the last", ["--port", "65536"], /^--port takes/],
    ["a port with a fraction", ["--port", "80.5"], /^--port takes/],
    ["an empty state folder", ["--state", ""], /^--state takes a folder\.$/],
  ])("%s", async (_what, args, line) => {
    const { exitCode, out, err } = await start(...args);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err.trimEnd()).toMatch(line);
  });

  test("a port that another program has, before it touches the state folder", async () => {
    const other = await listenOnLoopback(() => {});
    const port = new URL(other.url).port;
    const state = path.join(folder, "untouched");
    const refused = await start("--port", port, "--state", state);
    await other.close();
    expect(refused).toEqual({
      exitCode: 1,
      out: "",
      err: `Port ${port} is taken: choose another with --port.\n`,
    });
    expect(existsSync(state)).toBe(false);
  });

  test("a state folder that cannot be written", async () => {
    const file = path.join(folder, "a-file");
    await writeFile(file, "");
    const state = path.join(file, "state");
    expect(await start("--port", String(await freePort()), "--state", state)).toEqual({
      exitCode: 1,
      out: "",
      err: `The state folder ${state} cannot be written (ENOTDIR).\n`,
    });
  });
});
