import { describe, expect, test } from "vitest";
import { freePort } from "../support/loopback.ts";
import { runNode } from "./commandRun.ts";

const verify = async (env: Record<string, string>, ...args: string[]) =>
  runNode(["src/cli/commands/verify.ts", ...args], { AUTH_KEY: "", ...env });

describe("npm run verify refuses in one line, with exit code 2,", () => {
  test.each<[string, string[], RegExp]>([
    ["no address", ["--partner", "acme", "--key", "k"], /^--base takes the service's address/],
    ["an address of another kind", ["--base", "ftp://a", "--partner", "acme", "--key", "k"], /^--base takes/],
    ["no partner", ["--base", "http://127.0.0.1:1", "--key", "k"], /^--partner takes your partner id\.$/],
    ["no key", ["--base", "http://127.0.0.1:1", "--partner", "acme"], /^The key is missing: set AUTH_KEY/],
  ])("%s", async (_what, args, line) => {
    const { exitCode, out, err } = await verify({}, ...args);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err.trimEnd()).toMatch(line);
  });
});

test("npm run verify reports a service that does not respond, and reads the key from AUTH_KEY", async () => {
  const base = `http://127.0.0.1:${await freePort()}`;
  const { exitCode, out } = await verify({ AUTH_KEY: "aep_secret" }, "--base", base, "--partner", "acme");
  expect(exitCode).toBe(1);
  expect(out).toContain(`${base} did not respond.`);
  expect(out).not.toContain("aep_secret");
});
