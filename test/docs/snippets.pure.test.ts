import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe as group, expect, test } from "vitest";
import { importCompletedEvent } from "../../src/deliveries/bodies.pure.ts";
import { signedHeaders } from "../../src/deliveries/sign.ts";
import { countsOf } from "../../src/imports/counts.pure.ts";
import { newWebhookSecret } from "../../src/partners/partner.ts";
import { OWN_RIDE, RECEIVER, VERIFY } from "../../src/docs/snippets.ts";

const SECRET = newWebhookSecret();
const OTHER_SECRET = newWebhookSecret();
const BODY = JSON.stringify(
  importCompletedEvent(
    {
      partner_id: "acme",
      import_id: "import-1",
      user_id: "Zoë 🚴",
      source: "head-unit",
      event_id: null,
      is_initial_import: true,
      status: "completed",
      ...countsOf({ total: 1, imported: 1 }),
    },
    [],
    Date.now(),
  ),
);

interface Delivery {
  secret: string;
  headers: ReturnType<typeof signedHeaders>;
  body: string;
}

function delivery(changes: Partial<Delivery> = {}, atMs = Date.now(), secrets = [SECRET]): Delivery {
  const headers = signedHeaders({ id: "evt_import-1", atMs, body: BODY, secrets });
  return { secret: SECRET, headers, body: BODY, ...changes };
}

/** What a program prints that is given a delivery. */
type Verifier = (given: Delivery) => Promise<string>;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "snippets-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function printed(command: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: folder, env: { ...process.env, ...env } }, (fault, stdout, stderr) =>
      resolve(stdout.trim() === "" && fault !== null ? stderr : stdout.trim()),
    );
  });
}

function has(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}

const node: Verifier = async ({ secret, headers, body }) => {
  await writeFile(path.join(folder, "verify.ts"), VERIFY.typescript);
  const program = `import { verify } from "./verify.ts";
    console.log(verify(${JSON.stringify(secret)}, ${JSON.stringify(headers)}, Buffer.from(${JSON.stringify(body)})) ? "good" : "bad");`;
  await writeFile(path.join(folder, "run.mjs"), program);
  return printed(process.execPath, ["--disable-warning=ExperimentalWarning", "run.mjs"]);
};

const python: Verifier = async ({ secret, headers, body }) => {
  await writeFile(path.join(folder, "verify.py"), VERIFY.python);
  await writeFile(path.join(folder, "given.json"), JSON.stringify({ secret, headers, body }));
  const program = `import json, verify
given = json.load(open("given.json"))
print("good" if verify.verify(given["secret"], given["headers"], given["body"].encode()) else "bad")`;
  return printed("python3", ["-c", program]);
};

const shell: Verifier = async ({ secret, headers, body }) => {
  await writeFile(path.join(folder, "body.json"), body);
  const answer = await printed("sh", ["-c", VERIFY.curl], {
    SECRET: secret,
    ID: headers["webhook-id"],
    TIMESTAMP: headers["webhook-timestamp"],
    SIGNATURE: headers["webhook-signature"],
  });
  return { "the signature is good": "good", "the signature is not good": "bad" }[answer] ?? answer;
};

const PYTHON = has("python3", "--version");
const SHELL = has("sh", "-c", "command -v openssl && command -v od");
const VERIFIERS = [
  { name: "TypeScript", verify: node, runs: true, judgesAge: true },
  { name: "Python", verify: python, runs: PYTHON, judgesAge: true },
  { name: "a shell", verify: shell, runs: SHELL, judgesAge: false },
];

group.for(VERIFIERS)("verifying an event in $name, as the guide shows it", ({ verify, runs, judgesAge }) => {
  test.runIf(runs)("accepts what we sign, also while a secret is rotated", async () => {
    expect(await verify(delivery())).toBe("good");
    expect(await verify(delivery({}, Date.now(), [OTHER_SECRET, SECRET]))).toBe("good");
  });

  test.runIf(runs)("rejects another body, another id, another secret and another signature", async () => {
    const { headers } = delivery();
    for (const changes of [
      { body: BODY.replace("head-unit", "head-unix") },
      { body: `${BODY} ` },
      { headers: { ...headers, "webhook-id": "evt_import-2" } },
      { headers: { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) + 1) } },
      { headers: { ...headers, "webhook-signature": "v1,AAAA" } },
      { headers: { ...headers, "webhook-signature": headers["webhook-signature"].replace("v1,", "v2,") } },
      { secret: OTHER_SECRET },
      { headers: { ...headers, "webhook-timestamp": "" } },
      { headers: { ...headers, "webhook-signature": "" } },
    ]) {
      expect([changes, await verify(delivery(changes))]).toEqual([changes, "bad"]);
    }
  });

  test.runIf(runs && judgesAge)("rejects a signature that is older than five minutes", async () => {
    expect(await verify(delivery({}, Date.now() - 240_000))).toBe("good");
    expect(await verify(delivery({}, Date.now() - 360_000))).toBe("bad");
  });
});

test.runIf(PYTHON)("verifying in Python rejects a request of http.server without the headers", async () => {
  await writeFile(path.join(folder, "verify.py"), VERIFY.python);
  const program = `import http.client, io, verify
headers = http.client.parse_headers(io.BytesIO(b"Host: receiver\\r\\n\\r\\n"))
print(verify.verify("${SECRET}", headers, b"{}"))`;
  expect(await printed("python3", ["-c", program])).toBe("False");
});

test("the receiver in TypeScript has no type errors, with the strict settings of the compiler", async () => {
  await writeFile(path.join(folder, "verify.ts"), VERIFY.typescript);
  await writeFile(path.join(folder, "receiver.ts"), RECEIVER.typescript);
  await writeFile(path.join(folder, "ride.ts"), OWN_RIDE.typescript);
  const types = path.join(import.meta.dirname, "..", "..", "node_modules", "@types");
  const flags = [
    "--strict",
    "--noEmit",
    "--allowImportingTsExtensions",
    "--skipLibCheck",
    "--target",
    "esnext",
    "--module",
    "nodenext",
  ];
  const given = [...flags, "--typeRoots", types, "--types", "node", "receiver.ts", "ride.ts"];
  await writeFile(path.join(folder, "package.json"), '{"type":"module"}');
  const compiler = path.join(import.meta.dirname, "..", "..", "node_modules", "typescript-7", "bin", "tsc");
  expect(await printed(process.execPath, [compiler, ...given])).toBe("");
}, 120_000);
