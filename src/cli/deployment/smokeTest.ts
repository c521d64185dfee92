import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { randomId } from "../../identifiers.ts";
import { StepFailure } from "../../verify/api.ts";
import { verify } from "../../verify/verify.ts";
import { newPartner, USUAL_SETTINGS } from "../newPartner.ts";
import type { Registry } from "../registries.ts";
import { checkCanary, closeCanary, openCanary, storeIn } from "./canary.ts";

/** Time limit and interval of polling. */
export interface Polling {
  timeoutMs: number;
  intervalMs: number;
}
/** A new address, and a key that was just written to KV, take up to a minute. This allows two. */
export const DEPLOYED: Polling = { timeoutMs: 120_000, intervalMs: 3_000 };

/** A failed step of the smoke test. The message is one line for the operator. */
class SmokeTestFailure extends Error {}

/**
 * Tests a deployed service as a partner: waits until this version responds and accepts a new key, tries the headers as
 * HTTP_AUTHORIZATION and HTTP_PARTNER_ID, and runs `verify`, which deletes its user. Creates a partner for the test
 * and removes it. Then reads what earlier releases have stored for the partner `canary`. Returns null, or the failure.
 */
export async function smokeTest(
  url: string,
  version: string,
  registry: Registry,
  polling: Polling,
): Promise<string | null> {
  const { partner, credentials } = newPartner(
    {
      // A new id each time, because the service caches ids that it does not find.
      partner_id: `smoke-${randomId()}`,
      name: "Smoke test of a deployment",
      ...USUAL_SETTINGS,
    },
    new Date(),
  );
  const { partner_id, auth_key } = credentials;
  const headers = { Authorization: `Bearer ${auth_key}`, "Partner-Id": partner_id };
  const literal = { HTTP_AUTHORIZATION: `Bearer ${auth_key}`, HTTP_PARTNER_ID: partner_id };

  await storeIn(registry, partner);
  try {
    await waitForOk("GET /health/", url, "/health/", {}, polling, (body) => versionFault(body, version));
    await waitForOk("GET /api/partner/ with a new key", url, "/api/partner/", headers, polling);
    await waitForOk(
      "GET /api/partner/ with the headers HTTP_AUTHORIZATION and HTTP_PARTNER_ID",
      url,
      "/api/partner/",
      literal,
      polling,
    );
    const { steps } = await verify({ base: url, partnerId: partner_id, key: auth_key }, () => {});
    const failed = steps.filter((step) => step.status === "failed");
    if (failed.length > 0) return failed.map(({ title, detail }) => `${title}: ${detail}`).join(" ");
    await testCanary(url, registry, polling);
    return null;
  } catch (fault) {
    if (fault instanceof SmokeTestFailure) return fault.message;
    if (fault instanceof StepFailure) return `Data of earlier releases: ${fault.message}`;
    throw fault;
  } finally {
    await registry.remove(partner);
  }
}

const healthSchema = z.object({ version: z.object({ id: z.string() }) });

/** Returns what is wrong with the version that `/health/` names. Null: it is this version. */
function versionFault(body: string, expected: string): string | null {
  try {
    const { version } = healthSchema.parse(JSON.parse(body));
    return version.id === expected ? null : `expected version ${expected}, received version ${version.id}`;
  } catch {
    return `expected version ${expected}, received a body that names none`;
  }
}

/** Reads the data that earlier releases have stored for the partner `canary`. */
async function testCanary(url: string, registry: Registry, polling: Polling): Promise<void> {
  const target = await openCanary(url, registry, new Date());
  const headers = { Authorization: `Bearer ${target.key}`, "Partner-Id": target.partnerId };
  try {
    await waitForOk("GET /api/partner/ as canary", url, "/api/partner/", headers, polling);
    await checkCanary(target, new Date());
  } finally {
    await closeCanary(registry);
  }
}

/** Polls until the response has status 200 and a body without a fault. */
async function waitForOk(
  what: string,
  url: string,
  path: string,
  headers: Record<string, string>,
  { timeoutMs, intervalMs }: Polling,
  bodyFault: (body: string) => string | null = () => null,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const fault = await faultOf(url + path, headers, timeoutMs, bodyFault);
    if (fault === null) return;
    if (Date.now() + intervalMs > deadline) throw new SmokeTestFailure(`${what}: ${fault}.`);
    await delay(intervalMs);
  }
}

async function faultOf(
  address: string,
  headers: Record<string, string>,
  timeoutMs: number,
  bodyFault: (body: string) => string | null,
): Promise<string | null> {
  try {
    const response = await fetch(address, { headers, signal: AbortSignal.timeout(timeoutMs) });
    const body = await response.text();
    return response.status === 200 ? bodyFault(body) : `expected status 200, received ${response.status}`;
  } catch {
    return "expected status 200, received no response";
  }
}
