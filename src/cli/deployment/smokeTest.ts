import { setTimeout as delay } from "node:timers/promises";
import { randomId } from "../../identifiers.ts";
import { verify } from "../../verify/verify.ts";
import { newPartner } from "../newPartner.ts";
import type { Registry } from "../registries.ts";

export interface Patience {
  /** A new address, and a key that was just written to KV, take up to a minute; twice that is a fault. */
  forMs: number;
  everyMs: number;
}
export const DEPLOYED: Patience = { forMs: 120_000, everyMs: 3_000 };

/** What does not work; the message is one line for the operator. */
class Broken extends Error {}

/**
 * Tries a deployed service as a partner would: waits until it is up and knows a new key, looks at the literal
 * spelling of the headers, and plays `verify`, which deletes its user again. The partner is made for this and
 * removed. Answers null, or what does not work.
 */
export async function smokeTest(url: string, registry: Registry, patience: Patience): Promise<string | null> {
  const { partner, credentials } = newPartner(
    {
      // A name that nobody has asked for: the service caches what it does not find.
      partner_id: `smoke-${randomId()}`,
      name: "Smoke test of a deployment",
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
    await until("GET /health/", url, "/health/", {}, patience);
    await until("A new key", url, "/api/partner/", headers, patience);
    await until(
      "The headers HTTP_AUTHORIZATION and HTTP_PARTNER_ID",
      url,
      "/api/partner/",
      literal,
      patience,
    );
    const { steps } = await verify({ base: url, partnerId: partner_id, key: auth_key }, () => {});
    const failed = steps.filter((step) => step.status === "failed");
    return failed.length === 0 ? null : failed.map(({ title, detail }) => `${title}: ${detail}`).join(" ");
  } catch (fault) {
    if (fault instanceof Broken) return fault.message;
    throw fault;
  } finally {
    await registry.remove(partner_id);
  }
}

/** Asks until the answer is 200. */
async function until(
  what: string,
  url: string,
  path: string,
  headers: Record<string, string>,
  { forMs, everyMs }: Patience,
): Promise<void> {
  const deadline = Date.now() + forMs;
  for (;;) {
    const got = await statusOf(url + path, headers, forMs);
    if (got === 200) return;
    if (Date.now() + everyMs > deadline) throw new Broken(`${what}: ${got} instead of 200.`);
    await delay(everyMs);
  }
}

async function statusOf(address: string, headers: Record<string, string>, withinMs: number) {
  try {
    const answer = await fetch(address, { headers, signal: AbortSignal.timeout(withinMs) });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return "no answer";
  }
}
