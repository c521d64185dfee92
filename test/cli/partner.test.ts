import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { runNode } from "./commandRun.ts";

/** Each call opens the local registry, which takes seconds on a busy machine. */
const SLOW = 60_000;

let state: string;
beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), "partners-"));
});
afterAll(async () => {
  await rm(state, { recursive: true });
});

const partner = async (...args: string[]) => runNode(["src/cli/commands/partner.ts", ...args]);
const local = async (...args: string[]) => partner(...args, "--state", state);

const credentialsSchema = z.strictObject({
  partner_id: z.string(),
  auth_key: z.string().regex(/^aep_[A-Za-z0-9_-]{43}$/),
  webhook_secret: z.string().regex(/^whsec_[A-Za-z0-9+/]{43}=$/),
});

test("a partner is made with a key and a secret that are shown once, and can be listed and shown", async () => {
  const made = await local(
    "create",
    "acme",
    "--json",
    "--name=Acme Cycling",
    "--event-url=http://127.0.0.1:9000/events",
    "--callback-host=files.acme.example",
    "--callback-host=CDN.acme.example",
  );
  expect({ exitCode: made.exitCode, err: made.err }).toEqual({ exitCode: 0, err: "" });
  const { partner_id, auth_key, webhook_secret } = credentialsSchema.parse(JSON.parse(made.out));
  expect(partner_id).toBe("acme");

  const shown = await local("show", "acme", "--json");
  expect(JSON.parse(shown.out)).toMatchObject({
    partner_id: "acme",
    name: "Acme Cycling",
    status: "active",
    event_url: "http://127.0.0.1:9000/events",
    callback_hosts: ["files.acme.example", "cdn.acme.example"],
    limits: { requests_per_minute: null, files_per_minute: null },
    keys: [{ expires_at: null }],
    webhook_secrets: [{ expires_at: null }],
  });

  const again = await local("create", "acme");
  expect(again).toEqual({ exitCode: 1, out: "", err: "There is a partner acme already.\n" });

  const second = await local("create", "bravo");
  expect(second.out).toMatch(/^Partner-Id: {6}bravo\nKey: {13}aep_\S+\nWebhook secret: {2}whsec_\S+\n/);
  const listed = await local("list", "--json");
  const { data } = z
    .object({ data: z.array(z.object({ partner_id: z.string() })) })
    .parse(JSON.parse(listed.out));
  expect(data.map((entry) => entry.partner_id)).toEqual(["acme", "bravo"]);

  for (const answer of [shown, listed, await local("list")]) {
    expect(answer.exitCode).toBe(0);
    expect(answer.out).toContain("acme");
    expect(answer.out).not.toContain(auth_key);
    expect(answer.out).not.toContain(webhook_secret);
    expect(answer.out).not.toContain("digest");
  }
}, 120_000);

test(
  "an unknown partner is refused in one line",
  async () => {
    expect(await local("show", "nobody")).toEqual({
      exitCode: 1,
      out: "",
      err: "There is no partner nobody.\n",
    });
  },
  SLOW,
);

const keysSchema = z.array(z.object({ key_id: z.string(), expires_at: z.string().nullable() }));
const rotatedKeySchema = z.strictObject({
  partner_id: z.string(),
  key_id: z.string(),
  auth_key: z.string().regex(/^aep_[A-Za-z0-9_-]{43}$/),
  old_keys: keysSchema,
});
const shownSchema = z.looseObject({ keys: keysSchema });

async function answerOf(...args: string[]): Promise<unknown> {
  const { exitCode, out, err } = await local(...args, "--json");
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: "" });
  return JSON.parse(out);
}

test("a rotated key goes on until the end of the overlap, a revoked one is gone, and the new one is shown once", async () => {
  await answerOf("create", "keys");
  const before = Date.now();
  const { key_id, auth_key, old_keys } = rotatedKeySchema.parse(
    await answerOf("rotate-key", "keys", "--overlap", "2h"),
  );
  const [old] = old_keys;
  const overlapMs = Date.parse(old?.expires_at ?? "") - before;
  expect(overlapMs).toBeGreaterThanOrEqual(2 * 3_600_000);
  expect(overlapMs).toBeLessThan(2 * 3_600_000 + SLOW);

  const shown = await local("show", "keys", "--json");
  expect(shownSchema.parse(JSON.parse(shown.out)).keys.map((key) => [key.key_id, key.expires_at])).toEqual([
    [old?.key_id, old?.expires_at],
    [key_id, null],
  ]);
  expect(shown.out).not.toContain(auth_key);

  const left = shownSchema.parse(await answerOf("revoke-key", "keys", old?.key_id ?? ""));
  expect(left.keys.map((key) => key.key_id)).toEqual([key_id]);
  expect(await local("revoke-key", "keys", old?.key_id ?? "")).toEqual({
    exitCode: 1,
    out: "",
    err: `keys has no live key ${old?.key_id}.\n`,
  });
  const last = await local("revoke-key", "keys", key_id);
  expect(last.out).toMatch(/No key is left: rotate-key keys makes one\.\n$/);
}, 120_000);

test("a rotated secret goes on for a day unless told otherwise, and the new one is shown once", async () => {
  await answerOf("create", "secrets");
  const before = Date.now();
  const rotated = z
    .strictObject({
      partner_id: z.string(),
      secret_id: z.string(),
      webhook_secret: z.string().regex(/^whsec_/),
      old_secrets: z.tuple([z.object({ secret_id: z.string(), expires_at: z.string() })]),
    })
    .parse(await answerOf("rotate-secret", "secrets"));
  const overlapMs = Date.parse(rotated.old_secrets[0].expires_at) - before;
  expect(overlapMs).toBeGreaterThanOrEqual(24 * 3_600_000);
  expect(overlapMs).toBeLessThan(24 * 3_600_000 + SLOW);
  const shown = await local("show", "secrets", "--json");
  expect(JSON.parse(shown.out)).toMatchObject({
    webhook_secrets: [{ expires_at: rotated.old_secrets[0].expires_at }, { secret_id: rotated.secret_id }],
  });
  expect(shown.out).not.toContain(rotated.webhook_secret);
}, 120_000);

test("a setting that is given is changed or cleared, every other one stays", async () => {
  await answerOf("create", "settings", "--name=Before", "--event-url=http://127.0.0.1:9000/events");
  const given = await answerOf(
    "set",
    "settings",
    "--callback-host=a.example",
    "--callback-host=B.example",
    "--requests-per-minute=600",
    "--files-per-minute=9000",
  );
  expect(given).toMatchObject({
    name: "Before",
    event_url: "http://127.0.0.1:9000/events",
    callback_hosts: ["a.example", "b.example"],
    limits: { requests_per_minute: 600, files_per_minute: 9_000 },
  });
  const cleared = await answerOf(
    "set",
    "settings",
    "--name=none",
    "--event-url=none",
    "--callback-host=none",
    "--files-per-minute=none",
  );
  expect(cleared).toMatchObject({
    name: null,
    event_url: null,
    callback_hosts: [],
    limits: { requests_per_minute: 600, files_per_minute: null },
  });
  expect(await answerOf("suspend", "settings")).toMatchObject({ status: "suspended" });
  expect(await answerOf("resume", "settings")).toMatchObject({ status: "active", name: null });
}, 120_000);

describe("npm run partner refuses in one line, with exit code 2,", () => {
  test.each<[string, string[], RegExp]>([
    [
      "an unknown command",
      ["destroy", "acme"],
      /^There is no command "destroy": use create, list, show, set, /,
    ],
    ["an unknown flag", ["list", "--verbose"], /^Unknown option '--verbose'\.$/],
    ["a flag of another command", ["list", "--name", "x"], /^list takes no --name\.$/],
    ["a missing partner id", ["create"], /^create takes <partner_id>\.$/],
    ["two partner ids", ["show", "a", "b"], /^show takes <partner_id>\.$/],
    ["a partner id for the list", ["list", "a"], /^list takes no further arguments\.$/],
    ["a partner id with a space", ["create", "a b"], /^A partner id is 1 to 64 letters/],
    ["a partner id of 65 letters", ["create", "a".repeat(65)], /^A partner id is 1 to 64 letters/],
    ["a missing value", ["create", "a", "--name"], /^Option '--name <value>' argument missing\.$/],
    ["a key to revoke that is not named", ["revoke-key", "a"], /^revoke-key takes <partner_id> <key_id>\.$/],
    [
      "an overlap for a key that ends at once",
      ["revoke-key", "a", "b", "--overlap", "1h"],
      /takes no --overlap/,
    ],
    [
      "an overlap without a unit",
      ["rotate-key", "a", "--overlap", "24"],
      /^--overlap takes a length such as/,
    ],
    ["a limit of zero", ["set", "a", "--files-per-minute", "0"], /^--files-per-minute takes a number of at/],
    ["settings of which none is given", ["set", "a"], /^set takes at least one of --name, --event-url, /],
    ["an environment that is not deployed", ["list", "--env", "staging"], /^--env belongs to --remote\.$/],
    ["an unknown environment", ["list", "--remote", "--env", "prod"], /^--env takes staging, not "prod"\.$/],
    ["both targets", ["list", "--local", "--remote"], /^Choose one of --local and --remote\.$/],
    ["a state folder for the deployed service", ["list", "--remote", "--state", "x"], /^--state belongs/],
  ])("%s", async (_what, args, line) => {
    const { exitCode, out, err } = await partner(...args);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err.trimEnd()).toMatch(line);
  });

  test.each<[string, string[], RegExp]>([
    ["an event URL that is no URL", ["--event-url", "acme"], /^--event-url: \S.*\.$/],
    ["an event URL of another scheme", ["--event-url", "ftp://acme.example/"], /^--event-url: \S.*\.$/],
    ["a callback host with a path", ["--callback-host", "acme.example/x"], /^--callback-host takes a host's/],
    [
      "a callback host with a port",
      ["--callback-host", "acme.example:8443"],
      /^--callback-host takes a host's/,
    ],
  ])("%s", async (_what, flags, line) => {
    const { exitCode, out, err } = await local("create", "refused", ...flags);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err.trimEnd()).toMatch(line);
  });

  test("a loopback event URL for the deployed service, where nobody could be reached", async () => {
    const refused = await partner("create", "refused", "--remote", "--event-url", "http://127.0.0.1/events");
    expect({ exitCode: refused.exitCode, out: refused.out }).toEqual({ exitCode: 2, out: "" });
    expect(refused.err).toMatch(/^--event-url: .*https.*\n$/);
  });
});
