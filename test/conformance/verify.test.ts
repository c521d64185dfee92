import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { localDatabase } from "../../src/cli/databases.ts";
import { smokeTest } from "../../src/cli/deployment/smokeTest.ts";
import { localRegistry } from "../../src/cli/registries.ts";
import { runNode } from "../cli/commandRun.ts";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { listenOnLoopback, type LoopbackServer } from "../support/loopback.ts";
import { ServiceProcess, type PartnerCredentials } from "../support/serviceProcess.ts";

let service: ServiceProcess;
let receiver: EventReceiver;
let careless: LoopbackServer;
let gone: LoopbackServer;

beforeAll(async () => {
  [service, receiver, careless, gone] = await Promise.all([
    ServiceProcess.start(),
    startEventReceiver(),
    listenOnLoopback((_request, response) => response.writeHead(200).end("thanks")),
    listenOnLoopback((_request, response) => response.writeHead(410).end()),
  ]);
}, 180_000);
afterAll(async () => {
  await Promise.all([service.stop(), receiver.close(), careless.close(), gone.close()]);
}, 60_000);

/** Making a partner and playing a whole integration take seconds each, on a busy machine many. */
const SLOW_MS = 180_000;

const reportSchema = z.object({
  ok: z.boolean(),
  steps: z.array(z.object({ id: z.string(), status: z.string(), detail: z.string() })),
});

async function verified({ partner_id, auth_key }: PartnerCredentials) {
  const args = ["--base", service.url, "--partner", partner_id, "--key", auth_key, "--json"];
  const { exitCode, out } = await runNode(["src/cli/commands/verify.ts", ...args]);
  expect(out).not.toContain(auth_key);
  const report = reportSchema.parse(JSON.parse(out));
  return {
    exitCode,
    ok: report.ok,
    found: Object.fromEntries(report.steps.map((step) => [step.id, step.status])),
    details: Object.fromEntries(report.steps.map((step) => [step.id, step.detail])),
  };
}

const GOOD = {
  key: "passed",
  live_ping: "passed",
  bulk_import: "passed",
  overwrite: "passed",
  duplicate: "passed",
  deletion: "passed",
};

test(
  "npm run verify finds a partner ready whose receiver verifies, and leaves nothing behind",
  async () => {
    const partner = await service.createPartner("ready", "--local", "--event-url", receiver.url);
    receiver.expect(partner.webhook_secret);
    expect(await verified(partner)).toMatchObject({
      exitCode: 0,
      ok: true,
      found: { ...GOOD, event: "passed", challenge: "passed", wrong_signature: "passed" },
    });
    expect(receiver.refused()).toBe(1);
    const users = await fetch(`${service.url}/api/users/`, {
      headers: { Authorization: `Bearer ${partner.auth_key}`, "Partner-Id": "ready" },
    });
    expect(await users.json()).toEqual({ data: [], next_cursor: null });
  },
  SLOW_MS,
);

test(
  "a receiver that takes whatever comes is found out",
  async () => {
    const partner = await service.createPartner("careless", "--local", "--event-url", `${careless.url}/`);
    expect(await verified(partner)).toMatchObject({
      exitCode: 1,
      ok: false,
      found: { ...GOOD, event: "passed", challenge: "failed", wrong_signature: "failed" },
    });
  },
  SLOW_MS,
);

test(
  "of a receiver that wants no more events it is said what it answered",
  async () => {
    const partner = await service.createPartner("gone", "--local", "--event-url", `${gone.url}/`);
    expect(await verified(partner)).toMatchObject({
      exitCode: 1,
      found: { ...GOOD, event: "failed" },
      details: { event: "Not taken: your receiver answered 410." },
    });
  },
  SLOW_MS,
);

test(
  "without an event_url events are skipped; with a wrong key nothing but the key is tried",
  async () => {
    const partner = await service.createPartner("polling", "--local");
    const skipped = { event: "skipped", challenge: "skipped", wrong_signature: "skipped" };
    expect(await verified(partner)).toMatchObject({ exitCode: 0, ok: true, found: { ...GOOD, ...skipped } });
    const { exitCode, found } = await verified({ ...partner, auth_key: "aep_wrong" });
    expect(exitCode).toBe(1);
    expect(found["key"]).toBe("failed");
    expect(new Set(Object.values(found))).toEqual(new Set(["failed", "skipped"]));
  },
  SLOW_MS,
);

test(
  "the smoke test of a deployment passes where the service works, and leaves no file, no user and no partner",
  async () => {
    const registry = await localRegistry(service.state);
    const database = await localDatabase(service.state);
    if (!registry.ok || !database.ok) throw new Error("The service's stores cannot be opened.");
    try {
      expect(await smokeTest(service.url, registry, { timeoutMs: 30_000, intervalMs: 100 })).toBeNull();
      const left = `SELECT partner_id FROM files WHERE partner_id LIKE 'smoke-%'
        UNION ALL SELECT partner_id FROM users WHERE partner_id LIKE 'smoke-%'`;
      expect(await database.run(left)).toEqual([]);
      // It was there: its erasure was noted.
      expect(await database.run("SELECT 1 FROM erased WHERE partner_id LIKE 'smoke-%'")).toHaveLength(1);
      expect((await registry.list()).filter((partner) => partner.partner_id.startsWith("smoke-"))).toEqual(
        [],
      );
    } finally {
      await Promise.all([registry.close(), database.close()]);
    }
  },
  SLOW_MS,
);
