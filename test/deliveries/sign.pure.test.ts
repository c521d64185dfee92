import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { signedHeaders } from "../../src/deliveries/sign.ts";
import { newWebhookSecret } from "../../src/partners/partner.ts";

const body = JSON.stringify({ type: "bulk_fit_import.completed", data: { user_id: "Jürgen ☃ 🚴" } });
const id = "evt_0123";

test("A Standard Webhooks library verifies our signature", () => {
  const secret = newWebhookSecret();
  const headers = signedHeaders({ id, atMs: Date.now(), body, secrets: [secret] });
  expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
  expect(() => new Webhook(newWebhookSecret()).verify(body, headers)).toThrow();
});

test("The signature matches the example in the specification", () => {
  const headers = signedHeaders({
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    atMs: 1_614_265_330_999,
    body: '{"test": 2432232314}',
    secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
  });
  expect(headers).toEqual({
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test("During a rotation, a receiver can verify with the old secret or with the new one", () => {
  const secrets = [newWebhookSecret(), newWebhookSecret()];
  const headers = signedHeaders({ id, atMs: Date.now(), body, secrets });
  expect(headers["webhook-signature"].split(" ")).toHaveLength(2);
  for (const secret of secrets) new Webhook(secret).verify(body, headers);
});
