import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { localDatabases } from "../../src/cli/databases.ts";
import { smokeTest } from "../../src/cli/deployment/smokeTest.ts";
import { localRegistry } from "../../src/cli/registries.ts";
import { runNode } from "../cli/commandRun.ts";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { listenOnLoopback, type LoopbackServer } from "../support/loopback.ts";
import { ServiceProcess, type PartnerCredentials } from "../support/serviceProcess.ts";

let service: ServiceProcess;
let receiver: EventReceiver;
let unverifying: LoopbackServer;
let gone: LoopbackServer;

beforeAll(async () => {
  [service, receiver, unverifying, gone] = await Promise.all([
    ServiceProcess.start(),
    startEventReceiver(),
    listenOnLoopback((_request, response) => response.writeHead(200).end("thanks")),
    listenOnLoopback((_request, response) => response.writeHead(410).end()),
  ]);
}, 180_000);
afterAll(async () => {
  await Promise.all([service.stop(), receiver.close(), unverifying.close(), gone.close()]);
}, 60_000);

/** Creating a partner and running all steps take seconds each, and longer on a busy machine. */
const SLOW_MS = 180_000;

const reportSchema = z.object({
  ok: z.boolean(),
  steps: z.array(z.object({ id: z.string(), status: z.string(), detail: z.string() })),
});

async function runVerify({ partner_id, auth_key }: PartnerCredentials) {
  const args = ["--base", service.url, "--partner", partner_id, "--key", auth_key, "--json"];
  const { exitCode, out } = await runNode(["src/cli/commands/verify.ts", ...args]);
  expect(out).not.toContain(auth_key);
  const report = reportSchema.parse(JSON.parse(out));
  return {
    exitCode,
    ok: report.ok,
    statuses: Object.fromEntries(report.steps.map((step) => [step.id, step.status])),
    details: Object.fromEntries(report.steps.map((step) => [step.id, step.detail])),
  };
}

const GOOD = {
  key: "passed",
  live_ping: "passed",
  bulk_import: "passed",
  overwrite: "passed",
  duplicate: "passed",
  sequence: "passed",
  nothing_held: "passed",
  cancel: "passed",
  edit: "passed",
  deletion: "passed",
};

test(
  "npm run verify passes for a receiver that verifies signatures, and leaves no user",
  async () => {
    const partner = await service.createPartner("ready", "--local", "--event-url", receiver.url);
    receiver.expect(partner.webhook_secret);
    expect(await runVerify(partner)).toMatchObject({
      exitCode: 0,
      ok: true,
      statuses: { ...GOOD, event: "passed", challenge: "passed", wrong_signature: "passed" },
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
  "a receiver that accepts every event fails",
  async () => {
    const partner = await service.createPartner(
      "unverifying",
      "--local",
      "--event-url",
      `${unverifying.url}/`,
    );
    expect(await runVerify(partner)).toMatchObject({
      exitCode: 1,
      ok: false,
      statuses: { ...GOOD, event: "passed", challenge: "failed", wrong_signature: "failed" },
    });
  },
  SLOW_MS,
);

test(
  "a receiver that returns 410 fails, and the report shows the status",
  async () => {
    const partner = await service.createPartner("gone", "--local", "--event-url", `${gone.url}/`);
    expect(await runVerify(partner)).toMatchObject({
      exitCode: 1,
      statuses: { ...GOOD, event: "failed" },
      details: {
        event: "The event was not delivered. Your receiver returned 410. Return any 2xx status within 15 s.",
      },
    });
  },
  SLOW_MS,
);

test(
  "without an event_url the event steps are skipped; with a wrong key all steps after the key are skipped",
  async () => {
    const partner = await service.createPartner("polling", "--local");
    const skipped = { event: "skipped", challenge: "skipped", wrong_signature: "skipped" };
    expect(await runVerify(partner)).toMatchObject({
      exitCode: 0,
      ok: true,
      statuses: { ...GOOD, ...skipped },
    });
    const { exitCode, statuses } = await runVerify({ ...partner, auth_key: "aep_wrong" });
    expect(exitCode).toBe(1);
    expect(statuses["key"]).toBe("failed");
    expect(new Set(Object.values(statuses))).toEqual(new Set(["failed", "skipped"]));
  },
  SLOW_MS,
);

test(
  "the smoke test of a deployment passes for a working service, leaves only the canary, and reads its rides at the next deployment",
  async () => {
    const registry = localRegistry(service.state);
    const databases = await localDatabases(service.state);
    if (!databases.ok) throw new Error("Cannot open the stores of the service.");
    const [database] = databases.all;
    if (database === undefined) throw new Error("The service has no database.");
    try {
      expect(
        await smokeTest(service.url, "local", registry, { timeoutMs: 30_000, intervalMs: 100 }),
      ).toBeNull();
      const remaining = `SELECT partner_id FROM files WHERE partner_id LIKE 'smoke-%'
        UNION ALL SELECT partner_id FROM users WHERE partner_id LIKE 'smoke-%'`;
      expect(await database.run(remaining)).toEqual([]);
      // The erasure proves that the user existed.
      expect(await database.run("SELECT 1 FROM erased WHERE partner_id LIKE 'smoke-%'")).toHaveLength(1);
      expect((await registry.list()).filter((partner) => partner.partner_id.startsWith("smoke-"))).toEqual(
        [],
      );
      // The next deployment reads the canary's ride, and adds one.
      expect(
        await smokeTest(service.url, "local", registry, { timeoutMs: 60_000, intervalMs: 100 }),
      ).toBeNull();
      const rides = await database.run(
        "SELECT a.version FROM activities a JOIN files f USING (partner_id, file_id) WHERE partner_id = 'canary'",
      );
      expect(rides).toHaveLength(2);
      expect((await registry.read("canary"))?.keys).toEqual([]);
      // A release that cannot read the stored rows fails its smoke test.
      await database.run("UPDATE files SET warnings = 'damaged' WHERE partner_id = 'canary'");
      expect(
        await smokeTest(service.url, "local", registry, { timeoutMs: 60_000, intervalMs: 100 }),
      ).toContain("GET /api/files/ returned 500");
    } finally {
      await Promise.all([registry.close(), databases.close()]);
    }
  },
  SLOW_MS,
);
