import { expect, test } from "vitest";
import { digestOf, newAuthKey, newWebhookSecret } from "../../src/partners/partner.ts";
import { send } from "../support/http.ts";
import { newPartner } from "../support/partner.ts";
import { read } from "../flows/partnerActs.ts";
import { guardsItself } from "./strangers.ts";

guardsItself("reading the settings", {
  method: "GET",
  paths: () => Promise.resolve({ path: "/api/partner/", unknown: null }),
});

test("a partner reads its settings with the ids of its keys and secrets, never with the keys and secrets", async () => {
  const who = await newPartner({
    name: "Acme Watches",
    event_url: "https://partner.example.com/events",
    callback_hosts: ["files.example.com"],
    source_order: ["watch"],
    prefetch_held: true,
    limits: { requests_per_minute: 600, files_per_minute: null },
    quotas: { files: 1_000, stored_bytes: null },
  });
  const [key] = who.partner.keys;
  const [secret] = who.partner.webhook_secrets;
  const settings = await read(who, "/api/partner/");
  expect(settings).toEqual({
    partner_id: who.partnerId,
    name: "Acme Watches",
    status: "active",
    created_at: who.partner.created_at,
    self_service_locked: false,
    keys: [
      { key_id: key?.key_id, label: null, scope: "full", created_at: key?.created_at, expires_at: null },
    ],
    event_url: "https://partner.example.com/events",
    webhook_secrets: [{ secret_id: secret?.secret_id, created_at: secret?.created_at, expires_at: null }],
    callback_hosts: ["files.example.com"],
    source_order: ["watch"],
    prefetch_held: true,
    limits: { requests_per_minute: 600, files_per_minute: null },
    quotas: { files: 1_000, stored_bytes: null },
    usage: { files: 0, removal_bytes: 0, stored_bytes: 0 },
  });
  const text = await (await send(who, "GET", "/api/partner/")).text();
  for (const hidden of [who.authKey, digestOf(who.authKey), secret?.secret ?? "whsec_"]) {
    expect(text).not.toContain(hidden);
  }
});

test("expired keys and secrets are not listed", async () => {
  const ended = new Date(Date.now() - 1).toISOString();
  const ending = new Date(Date.now() + 60_000).toISOString();
  const created_at = "2026-01-01T00:00:00.000Z";
  const key = (key_id: string, authKey: string, expires_at: string | null) => ({
    key_id,
    digest: digestOf(authKey),
    created_at,
    expires_at,
    label: null,
    scope: "full" as const,
  });
  const secret = (secret_id: string, expires_at: string | null) => ({
    secret_id,
    secret: newWebhookSecret(),
    created_at,
    expires_at,
  });
  const authKey = newAuthKey();
  const who = await newPartner({
    keys: [key("ended", newAuthKey(), ended), key("ending", newAuthKey(), ending), key("new", authKey, null)],
    webhook_secrets: [secret("ended", ended), secret("ending", ending), secret("new", null)],
  });
  const settings = await read(
    { ...who, headers: { ...who.headers, Authorization: `Bearer ${authKey}` } },
    "/api/partner/",
  );
  expect(settings).toMatchObject({
    keys: [
      { key_id: "ending", expires_at: ending },
      { key_id: "new", expires_at: null },
    ],
    webhook_secrets: [
      { secret_id: "ending", expires_at: ending },
      { secret_id: "new", expires_at: null },
    ],
  });
});
