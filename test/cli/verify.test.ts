import { describe, expect, test } from "vitest";
import { freePort } from "../support/loopback.ts";
import { runNode } from "./commandRun.ts";

const verify = async (env: Record<string, string>, ...args: string[]) =>
  runNode(["src/cli/commands/verify.ts", ...args], { AUTH_KEY: "", ...env });

describe("npm run verify exits with code 2 and one line for", () => {
  test.each<[string, string[], RegExp]>([
    [
      "no address",
      ["--partner", "acme", "--key", "k"],
      /^--base must be the service's address, .*; received nothing\.$/,
    ],
    [
      "an address that is not http or https",
      ["--base", "ftp://a", "--partner", "acme", "--key", "k"],
      /^--base must be .*; received "ftp:\/\/a"\.$/,
    ],
    [
      "no partner",
      ["--base", "http://127.0.0.1:1", "--key", "k"],
      /^--partner must be your partner id; received nothing\.$/,
    ],
    [
      "a key with a space",
      ["--base", "http://127.0.0.1:1", "--partner", "acme", "--key", "a b"],
      /^The key contains a space or a character outside ASCII\. Copy it again as it was shown\.$/,
    ],
    [
      "no key",
      ["--base", "http://127.0.0.1:1", "--partner", "acme"],
      /^The key is missing\. Set AUTH_KEY, or give --key\.$/,
    ],
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
