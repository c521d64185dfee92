import { setTimeout as delay } from "node:timers/promises";
import { FIRST_DATABASE } from "../../database/databases.ts";
import { randomId } from "../../identifiers.ts";
import { verify } from "../../verify/verify.ts";
import { newPartner } from "../newPartner.ts";
import type { Registry } from "../registries.ts";

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
 * Tests a deployed service as a partner: waits until the service is up and accepts a new key, tries the headers as
 * HTTP_AUTHORIZATION and HTTP_PARTNER_ID, and runs `verify`, which deletes its user. Creates a partner for the test
 * and removes it. Returns null, or the failure.
 */
export async function smokeTest(url: string, registry: Registry, polling: Polling): Promise<string | null> {
  const { partner, credentials } = newPartner(
    {
      // A new id each time, because the service caches ids that it does not find.
      partner_id: `smoke-${randomId()}`,
      name: "Smoke test of a deployment",
      database: FIRST_DATABASE,
      event_url: null,
      callback_hosts: [],
      limits: { requests_per_minute: null, files_per_minute: null },
      quotas: { files: null, stored_bytes: null },
    },
    new Date(),
  );
  const { partner_id, auth_key } = credentials;
  const headers = { Authorization: `Bearer ${auth_key}`, "Partner-Id": partner_id };
  const literal = { HTTP_AUTHORIZATION: `Bearer ${auth_key}`, HTTP_PARTNER_ID: partner_id };

  await registry.write(partner);
  try {
    await waitForOk("GET /health/", url, "/health/", {}, polling);
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
    return failed.length === 0 ? null : failed.map(({ title, detail }) => `${title}: ${detail}`).join(" ");
  } catch (fault) {
    if (fault instanceof SmokeTestFailure) return fault.message;
    throw fault;
  } finally {
    await registry.remove(partner_id);
  }
}

/** Polls until the response has status 200. */
async function waitForOk(
  what: string,
  url: string,
  path: string,
  headers: Record<string, string>,
  { timeoutMs, intervalMs }: Polling,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const status = await statusOf(url + path, headers, timeoutMs);
    if (status === 200) return;
    if (Date.now() + intervalMs > deadline)
      throw new SmokeTestFailure(`${what}: expected status 200, received ${status}.`);
    await delay(intervalMs);
  }
}

async function statusOf(address: string, headers: Record<string, string>, timeoutMs: number) {
  try {
    const response = await fetch(address, { headers, signal: AbortSignal.timeout(timeoutMs) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return "no response";
  }
}
