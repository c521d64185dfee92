import { afterEach, describe, expect, test, vi } from "vitest";
import { playOutside } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, settle } from "../support/world.ts";
import { HOST, ping, read, SOURCE, task } from "./partnerActs.ts";

afterEach(() => vi.restoreAllMocks());

/** Returns a partner with a running import of one file that waits for a host with status 500. */
async function waitingHistory() {
  const who = await newPartner();
  const outside = playOutside({
    [`${HOST}/broken`]: () => new Response("down", { status: 500 }),
    [`${HOST}/repaired`]: () => new Response(rideFile()),
  });
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/broken`, priority: 0 });
  const { import_id } = await task(who);
  await settle(collector);
  const filePath = `/api/files/${file?.file_id}/`;
  const importPath = `/api/imports/${import_id}/`;
  expect(await read(who, filePath)).toMatchObject({ status: "queued", attempts: 1 });
  expect(await read(who, importPath)).toMatchObject({ status: "running" });
  return { who, outside, collector, filePath, importPath };
}

describe("a file of a running import that waits for its host", () => {
  test("is imported immediately from a new URL pinged with priority 1, and counts in that import", async () => {
    const { who, collector, filePath, importPath } = await waitingHistory();
    const repaired = { summary_id: "ride", callback_url: `${HOST}/repaired`, priority: 1 as const };
    expect(await ping(who, repaired)).toMatchObject([{ status: "queued" }]);
    await settle(collector);
    expect(await read(who, filePath)).toMatchObject({ status: "imported" });
    expect(await read(who, importPath)).toMatchObject({
      status: "completed",
      files: { total: 1, imported: 1, skipped: 0, pending: 0 },
    });
  });

  test("is imported from a new URL pinged with priority 0 by the next task, in a new import", async () => {
    const { who, outside, collector, filePath, importPath } = await waitingHistory();
    const repaired = { summary_id: "ride", callback_url: `${HOST}/repaired`, priority: 0 as const };
    expect(await ping(who, repaired)).toMatchObject([{ status: "held" }]);
    await settle(collector);
    expect(outside.to(`${HOST}/repaired`)).toEqual([]);
    expect(await read(who, importPath)).toMatchObject({ status: "running" });
    const next = await task(who);
    expect(next.repeated).toBe(false);
    await settle(collector);
    expect(await read(who, filePath)).toMatchObject({ status: "imported", import_id: next.import_id });
    expect(await read(who, `/api/imports/${next.import_id}/`)).toMatchObject({ files: { imported: 1 } });
    expect(await read(who, importPath)).toMatchObject({
      status: "completed",
      files: { total: 1, skipped: 1, pending: 0 },
    });
  });
});
