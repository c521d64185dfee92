import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { digestOf, newAuthKey } from "../../src/partners/partner.ts";
import { problemOf, send } from "../support/http.ts";
import { newPartner } from "../support/partner.ts";

const get = (headers: Record<string, string>) => send({ headers }, "GET", "/api/users/");

describe("authentication", () => {
  test("accepts both headers under the HTTP_ names of the partner documentation", async () => {
    const { authKey, partnerId, headers } = await newPartner();
    const literal = { HTTP_AUTHORIZATION: `Bearer ${authKey}`, HTTP_PARTNER_ID: partnerId };
    expect((await get(literal)).status).toBe(200);
    expect((await get({ ...literal, ...headers })).status).toBe(200);
    expect((await get({ Authorization: `Bearer ${authKey}`, HTTP_PARTNER_ID: partnerId })).status).toBe(200);
  });

  test("rejects two names of a header with different values, even if one value is right", async () => {
    const one = await newPartner();
    const other = await newPartner();
    await problemOf(
      await get({ ...one.headers, HTTP_PARTNER_ID: other.partnerId }),
      400,
      "conflicting_credentials",
    );
    await problemOf(
      await get({ ...one.headers, HTTP_AUTHORIZATION: `Bearer ${other.authKey}` }),
      400,
      "conflicting_credentials",
    );
  });

  test("ignores the case of the scheme and compares the key byte by byte", async () => {
    const { authKey, headers } = await newPartner();
    const withAuthorization = (Authorization: string) => get({ ...headers, Authorization });
    for (const scheme of ["bearer", "BEARER", "Bearer"]) {
      expect((await withAuthorization(`${scheme} ${authKey}`)).status).toBe(200);
    }
    const swapped = authKey.replace(/[a-z]/gi, (letter) =>
      letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
    );
    for (const wrong of [
      `Bearer ${swapped}`,
      `Bearer ${authKey}x`,
      `Bearer ${authKey.slice(0, -1)}`,
      `Basic ${authKey}`,
      authKey,
      "Bearer",
      `Bearer ${digestOf(authKey)}`,
    ]) {
      await problemOf(await withAuthorization(wrong), 401, "unauthorized");
    }
  });

  test("rejects a header that is sent twice", async () => {
    const { authKey, partnerId } = await newPartner();
    await problemOf(
      await get({ Authorization: `Bearer ${authKey}, Bearer ${authKey}`, "Partner-Id": partnerId }),
      401,
      "unauthorized",
    );
    await problemOf(
      await get({ Authorization: `Bearer ${authKey}`, "Partner-Id": `${partnerId}, ${partnerId}` }),
      401,
      "unauthorized",
    );
  });

  test("rejects a malformed partner id with 401 without reading the registry", async () => {
    const { headers } = await newPartner();
    const registryReads = vi.spyOn(env.PARTNERS, "get");
    for (const id of ["", " ", "../demo", "a".repeat(65), "de mo", "partner:demo"]) {
      await problemOf(await get({ ...headers, "Partner-Id": id }), 401, "unauthorized");
    }
    expect(registryReads).not.toHaveBeenCalled();
    registryReads.mockRestore();
  });

  test("returns the same response for an unknown partner as for a wrong key, after the same read of the registry", async () => {
    const { authKey, headers } = await newPartner();
    const registryReads = vi.spyOn(env.PARTNERS, "get");
    const unknown = await problemOf(
      await get({ ...headers, "Partner-Id": "nobody-has-this" }),
      401,
      "unauthorized",
    );
    const wrong = await problemOf(
      await get({ ...headers, Authorization: `Bearer ${newAuthKey()}` }),
      401,
      "unauthorized",
    );
    expect(registryReads).toHaveBeenCalledTimes(2);
    registryReads.mockRestore();
    expect({ ...unknown, request_id: "" }).toEqual({ ...wrong, request_id: "" });
    expect(JSON.stringify(wrong)).not.toContain(authKey);
  });

  test("accepts each of two valid keys and rejects an expired one", async () => {
    const [oldKey, newKey, deadKey] = [newAuthKey(), newAuthKey(), newAuthKey()];
    const key = (authKey: string, expires_at: string | null) => ({
      key_id: authKey.slice(0, 8),
      digest: digestOf(authKey),
      created_at: "2026-01-01T00:00:00.000Z",
      expires_at,
      label: null,
      scope: "full" as const,
    });
    const { headers } = await newPartner({
      keys: [
        key(oldKey, new Date(Date.now() + 60_000).toISOString()),
        key(newKey, null),
        key(deadKey, new Date(Date.now() - 1).toISOString()),
      ],
    });
    const status = async (authKey: string) =>
      (await get({ ...headers, Authorization: `Bearer ${authKey}` })).status;
    expect(await status(oldKey)).toBe(200);
    expect(await status(newKey)).toBe(200);
    expect(await status(deadKey)).toBe(401);
  });

  test("does not show that a partner is suspended if the key is wrong", async () => {
    const { headers } = await newPartner({ status: "suspended" });
    await problemOf(await get({ ...headers, Authorization: `Bearer ${newAuthKey()}` }), 401, "unauthorized");
  });
});
