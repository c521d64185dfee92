import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { FULL_DATABASES_KEY, FULL_SHARE, MAX_DATABASE_BYTES } from "../../src/database/fullness.ts";
import { publishDatabaseSizes } from "../../src/usage/databaseSizes.ts";
import { base64, pingOf } from "../flows/partnerActs.ts";
import { ownerOf } from "../support/databases.ts";
import { problemOf, send } from "../support/http.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";

afterEach(() => vi.restoreAllMocks());

/** Replaces the size that D1 reports. */
function reportBytes(bytes: number) {
  const statement = { run: async () => ({ meta: { size_after: bytes } }) };
  vi.spyOn(env.DB, "prepare").mockReturnValue(statement as never);
}

test("above 97 % of 10 GB pings get 503 database_full, and reads, tasks and deletions work", async () => {
  const publish = async (bytes: number) => {
    reportBytes(bytes);
    const size = await publishDatabaseSizes(env);
    vi.restoreAllMocks();
    return size;
  };
  expect(await publish(FULL_SHARE * MAX_DATABASE_BYTES)).toEqual({
    database_bytes: 9_700_000_000,
    database_share: 0.97,
  });
  expect(await env.PARTNERS.get(FULL_DATABASES_KEY)).toBeNull();
  expect(await publish(9_800_000_000)).toEqual({ database_bytes: 9_800_000_000, database_share: 0.98 });
  expect(await env.PARTNERS.get(FULL_DATABASES_KEY)).toBe('["DB"]');

  const body = { activity_files: [pingOf({ summary_id: "ride", callback_url: base64(rideFile()) })] };
  const pingAsNew = async () => {
    let who = await newPartner();
    while (ownerOf(who).database !== "DB") who = await newPartner();
    return { who, response: await send(who, "POST", "/api/fit_partner_ping/", { body }) };
  };
  const { who, response } = await pingAsNew();
  expect(response.headers.get("Retry-After")).toBe("600");
  await problemOf(response, 503, "database_full");
  expect((await send(who, "GET", "/api/files/")).status).toBe(200);
  const task = { bulk_fit_transfer_complete: true, source: "watch", is_initial_import: false, user_id: "u" };
  expect((await send(who, "POST", "/api/task_partner/", { body: task })).status).toBe(202);
  expect((await send(who, "DELETE", "/api/users/u/")).status).toBe(202);

  await publish(1_000_000);
  expect(await env.PARTNERS.get(FULL_DATABASES_KEY)).toBe("[]");
  // KV serves its cached value for 30 s.
  const { response: later } = await vi.waitFor(
    async () => {
      const found = await pingAsNew();
      expect(found.response.status).toBe(202);
      return found;
    },
    { timeout: 40_000, interval: 1_000 },
  );
  expect(later.status).toBe(202);
}, 60_000);

test("a full database is published while another one is down, which keeps its published state", async () => {
  const other = env.DB_2;
  if (other === undefined) throw new Error("wrangler.toml declares DB_2");
  const down = vi.spyOn(other, "prepare").mockImplementation(() => {
    throw new Error("D1_ERROR: Network connection lost.");
  });
  reportBytes(9_800_000_000);
  await expect(publishDatabaseSizes(env)).rejects.toThrow("Network connection lost");
  expect(await env.PARTNERS.get(FULL_DATABASES_KEY)).toBe('["DB"]');
  down.mockRestore();

  vi.spyOn(env.DB, "prepare").mockImplementation(() => {
    throw new Error("D1_ERROR: Network connection lost.");
  });
  await expect(publishDatabaseSizes(env)).rejects.toThrow("Network connection lost");
  expect(await env.PARTNERS.get(FULL_DATABASES_KEY)).toBe('["DB"]');
});
