import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { eventually } from "../support/eventually.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type PartnerClient } from "./partnerClient.ts";

const FILES = 24;
const START = 1_750_000_000;
const USER = "rider";

let service: ServiceProcess;
let host: FileHost;
let partner: PartnerClient;

beforeAll(async () => {
  [service, host] = await Promise.all([ServiceProcess.start(), startFileHost()]);
  partner = partnerClient(service.url, await service.createPartner("acme"));
}, 180_000);

afterAll(async () => {
  await Promise.all([service.stop(), host.close()]);
});

const pageSchema = z.object({
  data: z.array(z.object({ file_id: z.string(), deleted_at: z.string().optional() })),
  next_cursor: z.string().nullable(),
});

/** Follows the list of changes from the beginning. Returns the ids that remain. */
async function followChanges(): Promise<string[]> {
  const copy = new Set<string>();
  let cursor = "";
  do {
    const path = `/api/files/?updated_since=2026-01-01T00:00:00Z&include_deleted=true&limit=7${cursor}`;
    const page = pageSchema.parse(await (await partner.send("GET", path)).json());
    for (const { file_id, deleted_at } of page.data) {
      if (deleted_at === undefined) copy.add(file_id);
      else copy.delete(file_id);
    }
    cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
  } while (cursor !== "");
  return [...copy].toSorted();
}

/** Returns the status, or null when the service ended before its response. */
async function remove(fileId: string): Promise<number | null> {
  try {
    return (await partner.send("DELETE", `/api/files/${fileId}/`)).status;
  } catch {
    return null;
  }
}

test("a service that is killed in the middle of deletions deletes these files, and no others", async () => {
  const ping = (index: number, priority: 0 | 1) => ({
    summary_id: `ride-${index}`,
    callback_url: host.serve(rideFile({ startInSeconds: START + index * 86_400 }), { delayInMs: 150 }),
    priority,
    user_id: USER,
    start_time_in_seconds: String(START + index * 86_400),
  });
  const { files } = await partner.ping(...Array.from({ length: FILES }, (_, index) => ping(index, 0)));
  const ids = files.map((file) => file.file_id);
  const { import_id } = await partner.task({ user_id: USER, is_initial_import: false });
  await eventually("some files are imported", 60, async () =>
    (await partner.listFiles(`user_id=${USER}&status=imported`)).length > 0 ? true : undefined,
  );
  const unwanted = ids.filter((_, index) => index % 2 === 0);
  const wanted = ids.filter((_, index) => index % 2 === 1).toSorted();
  // Deletions begin one after another. The service is killed while some have a response and others wait.
  const first = unwanted.map(async (id, index) => {
    await new Promise((resolve) => setTimeout(resolve, index * 25));
    return remove(id);
  });
  await new Promise((resolve) => setTimeout(resolve, 120));
  await service.kill();
  const results = await Promise.all(first);
  await service.startAgain();
  // A deletion with a response stays. The partner sends the others again.
  for (const [index, id] of unwanted.entries()) {
    if (results[index] === 202) expect((await partner.send("GET", `/api/files/${id}/`)).status).toBe(404);
    else expect([202, 404]).toContain(await remove(id));
  }
  const completed = await partner.completedImport(import_id, 240);
  expect(completed.files.total).toBe(FILES);
  expect(completed.files.imported + completed.files.skipped + completed.files.failed).toBe(FILES);
  for (const id of unwanted) {
    expect((await partner.send("GET", `/api/files/${id}/`)).status).toBe(404);
    expect((await partner.send("GET", `/api/activities/${id}.0/`)).status).toBe(404);
  }
  const listed = async () =>
    (await partner.listFiles(`user_id=${USER}`)).map((file) => file.file_id).toSorted();
  expect(await listed()).toEqual(wanted);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(await followChanges()).toEqual(wanted);
  const activities = await partner.listActivities(`user_id=${USER}`);
  expect(activities.filter((activity) => unwanted.includes(activity.file_id))).toEqual([]);
  // A deleted file that is pinged again is imported.
  await partner.ping(ping(0, 1));
  expect(await partner.settledFile(unwanted[0] ?? "", 120)).toMatchObject({ status: "imported" });
}, 400_000);
