import { createHash } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runNode } from "../cli/commandRun.ts";
import { eventually } from "../support/eventually.ts";
import { listenOnLoopback } from "../support/loopback.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type PartnerClient, type PingFields } from "./partnerClient.ts";

const FIRST_START_SECONDS = 1_750_000_000;
const DAY_SECONDS = 86_400;
const STEP_SECONDS = 60;

let service: ServiceProcess;
let saved: string;
let host: Awaited<ReturnType<typeof startHost>>;

beforeAll(async () => {
  service = await ServiceProcess.start();
  saved = await mkdtemp(path.join(tmpdir(), "saved-"));
  host = await startHost();
}, 120_000);
afterAll(async () => {
  await service.stop();
  await rm(saved, { recursive: true });
  await host.close();
});

/** Starts a host whose paths each return a ride of their own once, and 410 from the second GET on. */
async function startHost() {
  const served = new Map<string, number>();
  const bytesOf = (url: string) =>
    rideFile({ startInSeconds: FIRST_START_SECONDS + (served.size + 1) * DAY_SECONDS, seconds: url.length });
  const server = await listenOnLoopback((request, response) => {
    const url = request.url ?? "";
    const times = (served.get(url) ?? 0) + 1;
    if (times > 1) response.writeHead(410).end();
    else response.end(bytesOf(url));
    served.set(url, times);
  });
  return { url: server.url, served, close: async () => server.close() };
}

const pingOf = (who: string, summary_id: string, more: Partial<PingFields> = {}): PingFields => ({
  user_id: "athlete",
  summary_id,
  callback_url: `${host.url}/${who}/${summary_id}`,
  priority: 1,
  start_time_in_seconds: String(FIRST_START_SECONDS),
  ...more,
});

/** Returns all that a partner reads, with the hash of each file's bytes. */
async function everything(client: PartnerClient) {
  const files = await client.listFiles("");
  const originals: Record<string, string> = {};
  for (const { file_id } of files) {
    const response = await client.send("GET", `/api/files/${file_id}/original/`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    originals[file_id] = `${response.status} ${createHash("sha256").update(bytes).digest("hex")}`;
  }
  const imports = await client.listImports("");
  return { files, originals, activities: await client.listActivities(""), imports };
}

const everyFileSettled = async (client: PartnerClient, count: number) =>
  eventually("all files are imported and listed", STEP_SECONDS, async () => {
    const files = await client.listFiles("");
    return files.length === count && files.every(({ status }) => status === "imported") ? true : undefined;
  });

test(
  "databases that are restored from before are complete again after project-again, without a download",
  { timeout: 240_000 },
  async () => {
    const partners = await Promise.all(
      ["DB", "DB_2"].map(async (database) => {
        const name = database === "DB" ? "first" : "second";
        const credentials = await service.createPartner(name, "--database", database);
        return { name, client: partnerClient(service.url, credentials) };
      }),
    );
    for (const { name, client } of partners) {
      await client.ping(pingOf(name, "kept"), pingOf(name, "changed"));
      await everyFileSettled(client, 2);
    }
    const databases = path.join(service.state, "v3", "d1");
    await service.kill();
    await cp(databases, saved, { recursive: true });

    await service.startAgain();
    const lost = (name: string) => pingOf(name, "lost");
    for (const { name, client } of partners) {
      const overwritten = { callback_url: `${host.url}/${name}/changed-later`, overwrite_mode: true };
      await client.ping(lost(name), pingOf(name, "changed", overwritten));
      await client.ping(
        ...["history-1", "history-2"].map((summary_id) => pingOf(name, summary_id, { priority: 0 })),
      );
      const { import_id } = await client.task({ user_id: "athlete", is_initial_import: false });
      await client.completedImport(import_id, STEP_SECONDS);
      await everyFileSettled(client, 5);
    }
    const before = await Promise.all(partners.map(async ({ client }) => everything(client)));
    await service.kill();
    await rm(databases, { recursive: true });
    await cp(saved, databases, { recursive: true });

    await service.startAgain();
    for (const { name, client } of partners) {
      expect(await client.listFiles("")).toHaveLength(2);
      expect(await client.ping(lost(name))).toMatchObject({ files: [{ status: "duplicate" }] });
    }
    const again = ["src/cli/commands/projectAgain.ts", "--all", "--json", "--state", service.state];
    const { exitCode, out } = await runNode(again);
    // Lost: three files of each partner. Of the overwritten file, the newer version.
    expect({ exitCode, ...(JSON.parse(out) as object) }).toMatchObject({
      exitCode: 0,
      changed: 8,
      failed: 0,
    });

    expect(await Promise.all(partners.map(async ({ client }) => everything(client)))).toEqual(before);
    for (const { name, client } of partners) {
      const { files } = await client.ping(lost(name));
      expect(files).toMatchObject([{ status: "duplicate" }]);
      const read = await client.send("GET", `/api/files/${files[0]?.file_id}/original/`);
      expect(read.status).toBe(200);
    }
    expect(host.served.size).toBe(12);
    expect([...host.served.values()].every((times) => times === 1)).toBe(true);
  },
);

test(
  "npm run doctor tries all databases, and exits with code 1 for an id that does not exist",
  { timeout: 120_000 },
  async () => {
    const doctor = async (...args: string[]) =>
      runNode(["src/cli/commands/doctor.ts", ...args, "--state", service.state]);
    await service.createPartner("examined");
    const [examined, inspected, retried, resent] = await Promise.all([
      doctor(),
      doctor("inspect", "examined", "0".repeat(42)),
      doctor("retry", "examined", "0".repeat(42)),
      doctor("resend", "examined", "evt_none"),
    ]);
    expect(examined).toMatchObject({ exitCode: 0, err: "" });
    expect(examined.out).toMatch(/^Database DB:\n(ok .*\n)+Database DB_2:\n(ok .*\n)+$/);
    expect(inspected).toMatchObject({ exitCode: 1, out: "" });
    expect(inspected.err).toContain("The partner examined has no file or import with the id 000");
    expect(retried).toMatchObject({ exitCode: 1, out: "" });
    expect(retried.err).toContain("has no failed file, and no import with failed files, with the id 000");
    expect(resent).toMatchObject({ exitCode: 1, out: "" });
    expect(resent.err).toContain(
      "The partner examined has no event that can be sent now with the id evt_none",
    );

    await service.kill();
    expect(await doctor()).toEqual({
      exitCode: 1,
      out: "",
      err: `No service runs on the state folder ${service.state}. Start it, then run the command again.\n`,
    });
  },
);
