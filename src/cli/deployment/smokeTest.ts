import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { randomId } from "../../identifiers.ts";
import { newAuthKey } from "../../partners/partner.ts";
import { newPartner } from "../newPartner.ts";
import { rideFile } from "../demo/outings.ts";
import type { Registry } from "../registries.ts";

const USER = "smoke-test";

export interface Patience {
  /** A new address, and a key that was just written to KV, take up to a minute; twice that is a fault. */
  forMs: number;
  everyMs: number;
}
export const DEPLOYED: Patience = { forMs: 120_000, everyMs: 3_000 };

/** What does not work; the message is one line for the operator. */
class Broken extends Error {}

/**
 * Tries a deployed service as a partner would: both spellings of the headers, a wrong key, a ride that must come
 * through queue, bucket and databases, and the deletion of its user. The partner is made for this and removed
 * again. Answers null, or what does not work.
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
    },
    new Date(),
  );
  const { partner_id, auth_key } = credentials;
  const headers = { Authorization: `Bearer ${auth_key}`, "Partner-Id": partner_id };
  const literal = { HTTP_AUTHORIZATION: `Bearer ${auth_key}`, HTTP_PARTNER_ID: partner_id };
  const status = async (path: string, init: RequestInit) =>
    (await fetch(url + path, { ...init, signal: AbortSignal.timeout(patience.forMs) })).status;

  await registry.write(partner);
  try {
    await until("GET /health/", 200, patience, async () => status("/health/", {}));
    await until("A new key", 200, patience, async () => status("/api/partner/", { headers }));
    expect(
      "The headers HTTP_AUTHORIZATION and HTTP_PARTNER_ID",
      200,
      await status("/api/partner/", { headers: literal }),
    );
    const wrong = { ...headers, Authorization: `Bearer ${newAuthKey()}` };
    expect("A wrong key", 401, await status("/api/partner/", { headers: wrong }));
    await importRide(url, headers, patience);
    expect(
      "DELETE /api/users/{user_id}/",
      202,
      await status(`/api/users/${USER}/`, { method: "DELETE", headers }),
    );
    return null;
  } catch (fault) {
    if (fault instanceof Broken) return fault.message;
    // What fetch throws when nobody answers; its text may name the address only.
    if (fault instanceof TypeError || fault instanceof DOMException) return `${url} does not answer.`;
    throw fault;
  } finally {
    await registry.remove(partner_id);
  }
}

const acceptedSchema = z.looseObject({ files: z.tuple([z.looseObject({ file_id: z.string() })]) });
const fileSchema = z.looseObject({ status: z.string(), activity_ids: z.array(z.string()) });

/** One live ride, in the ping itself, until its activity can be read. */
async function importRide(url: string, headers: Record<string, string>, patience: Patience): Promise<void> {
  const startInSeconds = Math.floor(Date.now() / 1000) - 3_600;
  const ride = rideFile({ startInSeconds, seconds: 600, secondsApart: 10, effort: 1 });
  const pinged = await fetch(`${url}/api/fit_partner_ping/`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify({
      activity_files: [
        {
          file_type: "FIT",
          activity_name: null,
          priority: 1,
          user_id: USER,
          source: "smoke-test",
          overwrite_mode: false,
          start_time_in_seconds: String(startInSeconds),
          callback_url: Buffer.from(ride).toString("base64"),
          summary_id: "ride",
        },
      ],
    }),
    signal: AbortSignal.timeout(patience.forMs),
  });
  expect("POST /api/fit_partner_ping/", 202, pinged.status);
  const [{ file_id }] = acceptedSchema.parse(await pinged.json()).files;
  await until("The import of a live ride", "imported", patience, async () => {
    const answer = await fetch(`${url}/api/files/${file_id}/`, { headers });
    return answer.ok ? fileSchema.parse(await answer.json()).status : answer.status;
  });
  const activity = await fetch(`${url}/api/activities/${file_id}.0/`, { headers });
  await activity.arrayBuffer();
  expect("GET /api/activities/{activity_id}/", 200, activity.status);
}

function expect(what: string, wanted: string | number, got: string | number): void {
  if (got !== wanted) throw new Broken(`${what}: ${got} instead of ${wanted}.`);
}

async function until(
  what: string,
  wanted: string | number,
  { forMs, everyMs }: Patience,
  look: () => Promise<string | number>,
): Promise<void> {
  const deadline = Date.now() + forMs;
  for (;;) {
    const got = await look().catch((fault: unknown) => {
      if (fault instanceof TypeError || fault instanceof DOMException) return "no answer";
      throw fault;
    });
    if (got === wanted) return;
    if (Date.now() + everyMs > deadline) return expect(what, wanted, got);
    await delay(everyMs);
  }
}
