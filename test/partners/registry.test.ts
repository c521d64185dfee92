import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { partnerKey } from "../../src/partners/partner.ts";
import { readPartner } from "../../src/partners/registry.ts";
import { newPartner } from "../support/partner.ts";

test("changed settings are read, also after reads of other partners", async () => {
  const one = await newPartner();
  const other = await newPartner({ status: "suspended" });
  for (let round = 0; round < 2; round += 1) {
    expect(await readPartner(env.PARTNERS, one.partnerId)).toEqual(one.partner);
    expect(await readPartner(env.PARTNERS, other.partnerId)).toEqual(other.partner);
  }
  const late = await newPartner();
  const changed = { ...late.partner, callback_hosts: ["files.example.com"], keys: [] };
  await readPartner(env.PARTNERS, one.partnerId);
  await env.PARTNERS.put(partnerKey(late.partnerId), JSON.stringify(changed));
  expect(await readPartner(env.PARTNERS, late.partnerId)).toEqual(changed);
  await env.PARTNERS.delete(partnerKey(one.partnerId));
});

test("an unknown partner is null, and malformed settings throw", async () => {
  expect(await readPartner(env.PARTNERS, "nobody-of-that-name")).toBeNull();
  await env.PARTNERS.put(partnerKey("half-a-partner"), JSON.stringify({ partner_id: "half-a-partner" }));
  await expect(readPartner(env.PARTNERS, "half-a-partner")).rejects.toThrow();
});
