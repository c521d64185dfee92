import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { wholeInvocation } from "../../src/database/databases.ts";
import { changePartner, publishNewest } from "../../src/partners/change.ts";
import { newAuthKey, partnerKey, type Partner } from "../../src/partners/partner.ts";
import { readPartner } from "../../src/partners/registry.ts";
import { revokeKey, rotateKey } from "../../src/partners/rotate.ts";
import { partnerStores } from "../../src/partners/stores.ts";
import { sweepSettings } from "../../src/partners/sweep.ts";
import { databaseOf } from "../support/databases.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const HOUR_MS = 3_600_000;

async function change(who: TestPartner, edit: (newest: Partner) => Partner) {
  const changed = await changePartner(partnerStores(env, who.partner), who.partner, (newest) => ({
    ok: true as const,
    partner: edit(newest),
  }));
  if (!changed.ok) throw new Error("the partner was not changed");
  return changed;
}

const rotate = async (who: TestPartner) =>
  change(who, (newest) => rotateKey(newest, newAuthKey(), HOUR_MS, new Date()).partner);

async function published(who: TestPartner): Promise<Partner> {
  const partner = await readPartner(env.PARTNERS, who.partnerId);
  if (partner === null) throw new Error("the partner is not in KV");
  return partner;
}

const idsOf = ({ keys }: Partner) => new Set(keys.map(({ key_id }) => key_id));

const sweep = async () => sweepSettings(env, Date.now(), wholeInvocation());

/** Ends the claim of a publisher that was killed, as its time would. */
const endClaim = async (who: TestPartner) =>
  databaseOf(who)
    .prepare("UPDATE partner_settings SET publishing_until = 1 WHERE partner_id = ?")
    .bind(who.partnerId)
    .run();

test("ten simultaneous rotations are all kept", async () => {
  const who = await newPartner();
  const changes = await Promise.all(Array.from({ length: 10 }, async () => rotate(who)));
  const added = changes.map(({ partner }) => partner.keys.at(-1)?.key_id);
  expect(new Set(added).size).toBe(10);
  await sweep();
  expect(idsOf(await published(who))).toEqual(new Set([...idsOf(who.partner), ...added]));
  expect((await published(who)).revision).toBe(10);
});

test("a change of settings and a simultaneous revocation of a key are both kept", async () => {
  const who = await newPartner();
  const [first] = who.partner.keys;
  const { partner } = await rotate(who);
  await Promise.all([
    change(who, (newest) => ({ ...newest, name: "Renamed" })),
    change(who, (newest) => revokeKey(newest, first?.key_id ?? "", new Date()) ?? newest),
  ]);
  await sweep();
  expect(await published(who)).toMatchObject({ name: "Renamed", revision: 3 });
  expect(idsOf(await published(who))).toEqual(new Set([partner.keys.at(-1)?.key_id]));
});

test("a change whose publisher is killed before it writes to KV is published by the clock", async () => {
  const who = await newPartner();
  vi.spyOn(env.PARTNERS, "put").mockRejectedValue(new Error("KV PUT failed: 500"));
  vi.spyOn(globalThis, "setTimeout").mockImplementation((callback: () => void) => {
    queueMicrotask(callback);
    return 0 as unknown as ReturnType<typeof setTimeout>;
  });
  const { partner, inForceAt } = await rotate(who);
  vi.restoreAllMocks();
  expect(inForceAt).toBeGreaterThan(Date.now() + 100_000);
  expect(idsOf(await published(who))).toEqual(idsOf(who.partner));
  await sweep();
  expect(await published(who)).toMatchObject({ revision: 0 });
  await endClaim(who);
  await sweep();
  expect(await published(who)).toEqual(partner);
});

test("a change whose publisher is killed after it wrote to KV is published again", async () => {
  const who = await newPartner();
  const { partner } = await rotate(who);
  await databaseOf(who)
    .prepare("UPDATE partner_settings SET published_revision = -1, publishing_until = 1 WHERE partner_id = ?")
    .bind(who.partnerId)
    .run();
  expect(await sweep()).toBeGreaterThan(0);
  expect(await published(who)).toEqual(partner);
  expect(await sweep()).toBe(0);
});

test("a publisher that writes after its claim has expired does not leave older settings in KV", async () => {
  const who = await newPartner();
  const put = env.PARTNERS.put.bind(env.PARTNERS);
  let release = () => {};
  const late = new Promise<void>((resolve) => {
    release = resolve;
  });
  const begun = new Promise<void>((resolve) => {
    vi.spyOn(env.PARTNERS, "put").mockImplementationOnce(async (key: string, value: unknown) => {
      resolve();
      await late;
      await put(key, String(value));
    });
  });
  const first = rotate(who);
  await begun;
  await endClaim(who);
  const second = await rotate(who);
  expect(await published(who)).toEqual(second.partner);
  release();
  await first;
  await sweep();
  expect(await published(who)).toEqual(second.partner);
});

test("a revoked key does not return when the database is restored to an earlier time", async () => {
  const who = await newPartner();
  const [first] = who.partner.keys;
  await rotate(who);
  const row = await databaseOf(who)
    .prepare("SELECT * FROM partner_settings WHERE partner_id = ?")
    .bind(who.partnerId)
    .first<{ revision: number; settings: string }>();
  const { partner } = await change(
    who,
    (newest) => revokeKey(newest, first?.key_id ?? "", new Date()) ?? newest,
  );
  const restore = async (publishedRevision: number) =>
    databaseOf(who)
      .prepare(
        "UPDATE partner_settings SET revision = ?2, settings = ?3, published_revision = ?4 WHERE partner_id = ?1",
      )
      .bind(who.partnerId, row?.revision, row?.settings, publishedRevision)
      .run();

  await restore(0);
  await sweep();
  expect(await published(who)).toEqual(partner);

  await restore(row?.revision ?? 0);
  const stale = await publishNewest(partnerStores(env, who.partner), who.partnerId);
  expect(stale).toBe(true);
  const changed = await change({ ...who, partner: await published(who) }, (newest) => ({
    ...newest,
    name: "After",
  }));
  expect(idsOf(changed.partner)).toEqual(idsOf(partner));
  expect(await published(who)).toEqual(changed.partner);
});

test("a rejected edit stores nothing", async () => {
  const who = await newPartner();
  const refused = { ok: false, reason: "no" } as const;
  expect(await changePartner(partnerStores(env, who.partner), who.partner, () => refused)).toBe(refused);
  expect(await published(who)).toEqual(who.partner);
  expect(await env.PARTNERS.get(partnerKey(who.partnerId))).toBe(JSON.stringify(who.partner));
});
