import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, expect, test, vi } from "vitest";
import { deliverDue } from "../../src/deliveries/deliver.ts";
import { sendTestEvent } from "../../src/deliveries/sendEvent.ts";
import { newAuthKey, newWebhookSecret, partnerKey, type Partner } from "../../src/partners/partner.ts";
import { revokeKey, rotateKey, rotateSecret } from "../../src/partners/rotate.ts";
import { problemOf, send } from "../support/http.ts";
import { playOutside, type Sent } from "../support/outside.ts";
import { ownerOf } from "../support/databases.ts";
import { newPartner } from "../support/partner.ts";

const RECEIVER = "https://hooks.example.com/in";
const HOUR_MS = 3_600_000;
const now = new Date("2026-11-25T12:00:00Z");

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const register = async (partner: Partner) =>
  env.PARTNERS.put(partnerKey(partner.partner_id), JSON.stringify(partner));

/** Sends a request with this key at a given time. */
async function requestWith(partnerId: string, authKey: string, atMs: number): Promise<Response> {
  vi.useFakeTimers({ toFake: ["Date"], now: atMs });
  return send(
    { headers: { Authorization: `Bearer ${authKey}`, "Partner-Id": partnerId } },
    "GET",
    "/api/users/",
  );
}

test("after a rotation both keys work until the old one expires, then only the new one", async () => {
  const { partner, partnerId, authKey } = await newPartner();
  const newKey = newAuthKey();
  const rotated = rotateKey(partner, newKey, 24 * HOUR_MS, now);
  await register(rotated.partner);
  const end = now.getTime() + 24 * HOUR_MS;
  for (const key of [authKey, newKey]) {
    expect((await requestWith(partnerId, key, now.getTime())).status).toBe(200);
    expect((await requestWith(partnerId, key, end - 1)).status).toBe(200);
  }
  await problemOf(await requestWith(partnerId, authKey, end), 401, "unauthorized");
  expect((await requestWith(partnerId, newKey, end)).status).toBe(200);

  // A second rotation does not extend an earlier expiry, and removes expired keys.
  const again = rotateKey(rotated.partner, newAuthKey(), 48 * HOUR_MS, new Date(end - HOUR_MS));
  expect(again.old.map(({ expires_at }) => Date.parse(expires_at))).toEqual([end, end + 47 * HOUR_MS]);
  expect(rotateKey(again.partner, newAuthKey(), 0, new Date(end)).partner.keys).toHaveLength(3);
});

test("a key that is revoked, or rotated without an overlap, is rejected at once", async () => {
  const { partner, partnerId, authKey } = await newPartner();
  const newKey = newAuthKey();
  const atOnce = rotateKey(partner, newKey, 0, now);
  expect(atOnce.old).toEqual([]);
  await register(atOnce.partner);
  await problemOf(await requestWith(partnerId, authKey, now.getTime()), 401, "unauthorized");
  expect((await requestWith(partnerId, newKey, now.getTime())).status).toBe(200);

  const revoked = revokeKey(atOnce.partner, atOnce.new_id, now);
  expect(revoked?.keys.map(({ key_id }) => key_id)).not.toContain(atOnce.new_id);
  expect(revokeKey(atOnce.partner, "key_of_nobody", now)).toBeNull();
});

test("while a secret is rotated, events have a signature of the old and one of the new secret", async () => {
  const { partner } = await newPartner({ event_url: RECEIVER });
  const oldSecret = partner.webhook_secrets[0]?.secret ?? "";
  const newSecret = newWebhookSecret();
  await register(rotateSecret(partner, newSecret, 24 * HOUR_MS, now).partner);
  const outside = playOutside({ [RECEIVER]: () => new Response(null, { status: 204 }) });

  const deliveredAt = async (atMs: number): Promise<Sent | undefined> => {
    const delivery_id = (await sendTestEvent(env, partner, { endpoint_id: "ep_default" }, atMs)) ?? "";
    await deliverDue(env, { ...ownerOf(partner), delivery_id }, { now: () => atMs, random: () => 0 });
    return outside.to(RECEIVER).at(-1);
  };
  const verifies = (secret: string, event: Sent | undefined, atMs: number): boolean => {
    vi.useFakeTimers({ toFake: ["Date"], now: atMs });
    try {
      new Webhook(secret).verify(event?.body ?? "", Object.fromEntries(event?.headers ?? []));
      return true;
    } catch {
      return false;
    } finally {
      vi.useRealTimers();
    }
  };

  const end = now.getTime() + 24 * HOUR_MS;
  const during = await deliveredAt(end - 1);
  expect(during?.headers.get("webhook-signature")?.split(" ")).toHaveLength(2);
  expect([oldSecret, newSecret].map((secret) => verifies(secret, during, end - 1))).toEqual([true, true]);
  const after = await deliveredAt(end);
  expect(after?.headers.get("webhook-signature")?.split(" ")).toHaveLength(1);
  expect([oldSecret, newSecret].map((secret) => verifies(secret, after, end))).toEqual([false, true]);
});
