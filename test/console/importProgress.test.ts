import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { partnerClient, type PartnerClient } from "../conformance/partnerClient.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { listenOnLoopback } from "../support/loopback.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { openConsole, signIn, visit, type ConsolePage } from "./consolePage.ts";

const chromium = inject("chromium");
const START = 1_760_000_000;
const RIDE = rideFile({ startInSeconds: START });

/** A host whose files can be made to exist. Until then it responds with 404. */
async function startMovingHost() {
  const existing = new Set<string>();
  const server = await listenOnLoopback((request, response) => {
    if (existing.has(request.url ?? "")) response.writeHead(200).end(RIDE);
    else response.writeHead(404).end();
  });
  return { url: server.url, add: (path: string) => existing.add(path), close: async () => server.close() };
}

let service: ServiceProcess;
let host: FileHost;
let moving: Awaited<ReturnType<typeof startMovingHost>>;
let partner: PartnerClient;
let opened: ConsolePage;

const held = (userId: string, name: string, callback_url: string) => ({
  summary_id: name,
  callback_url,
  priority: 0 as const,
  user_id: userId,
  start_time_in_seconds: String(START),
});

describe.skipIf(chromium === null)("An import in the console", () => {
  beforeAll(async () => {
    [service, host, moving] = await Promise.all([ServiceProcess.start(), startFileHost(), startMovingHost()]);
    const credentials = await service.createPartner("acme", "--local");
    partner = partnerClient(service.url, credentials);
    opened = await openConsole(chromium ?? "", service.url);
    await signIn(opened.page, credentials.partner_id, credentials.auth_key);
  }, 180_000);

  afterAll(async () => {
    await opened.close();
    await Promise.all([service.stop(), host.close(), moving.close()]);
  });

  test("says how many files a retry queued, follows them until the last one ends, and keeps saying what came of them", async () => {
    const { page } = opened;
    const names = ["a", "b", "c"];
    await partner.ping(
      ...names.map((name) => held("rider-1", name, `${moving.url}/${name}`)),
      held("rider-1", "text", host.serve(new TextEncoder().encode("Felt good on the climb."))),
    );
    const { import_id } = await partner.task({ user_id: "rider-1", is_initial_import: false });
    await partner.completedImport(import_id, 60);
    await visit(page, `imports/${import_id}`, "Import of 4 files");
    moving.add("/a");
    moving.add("/b");
    await page.getByRole("button", { name: "Retry 3 failed files" }).click();
    const note = page.locator(".retrynote");
    await note.getByText("3 files queued again").waitFor();
    await note
      .getByText("Retry of 3 files finished: 2 imported, 1 failed again.")
      .waitFor({ timeout: 30_000 });
    await page.getByRole("button", { name: "Imported 2" }).waitFor();
    expect((await partner.readImport(import_id)).files).toMatchObject({ imported: 2, failed: 2 });
    // What was said stays, and nothing else is said about who pinged.
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await expect.poll(() => requests.length, { interval: 2_500 }).toBe(0);
    expect(await note.textContent()).toContain("2 imported, 1 failed again");
    expect(await page.locator("main").textContent()).not.toContain("pinged again");
    expect(await opened.violations()).toEqual([]);
  });

  test("says why a retry was refused", async () => {
    const { page } = opened;
    await partner.ping(held("rider-2", "gone", `${moving.url}/never`));
    const { import_id } = await partner.task({ user_id: "rider-2", is_initial_import: false });
    await partner.completedImport(import_id, 60);
    await visit(page, `imports/${import_id}`, "Import of 1 file");
    await page.getByRole("button", { name: "Retry 1 failed file" }).click();
    await page.locator(".retrynote").getByText("finished: 1 failed again.").waitFor({ timeout: 30_000 });
    await page.getByRole("button", { name: "Retry 1 failed file" }).click();
    await page.getByRole("alert").getByText("A file can be retried once per minute.").waitFor();
  });

  test("groups failures by their error with one piece of advice, and lists the files of each status", async () => {
    const { page } = opened;
    const text = (words: string) => host.serve(new TextEncoder().encode(words));
    await partner.ping(
      ...Array.from({ length: 7 }, (_, index) =>
        held("rider-3", `gone-${index}`, `${moving.url}/no-${index}`),
      ),
      ...Array.from({ length: 2 }, (_, index) =>
        held("rider-3", `text-${index}`, text(`Hello ${index} ${index}`)),
      ),
      held("rider-3", "ride", host.serve(RIDE)),
    );
    const { import_id } = await partner.task({ user_id: "rider-3", is_initial_import: false });
    await partner.completedImport(import_id, 60);
    await visit(page, `imports/${import_id}`, "Import of 10 files");
    const groups = page.getByRole("list", { name: "Failures by error" });
    await groups.locator(".failure").nth(1).waitFor();
    expect(await groups.locator(".failure > strong").allTextContents()).toEqual(["7", "2"]);
    expect(await groups.getByText("What to do:").count()).toBe(2);
    expect(await groups.getByText("Ping again with the FIT file.").count()).toBe(1);
    expect(await groups.getByRole("link", { name: "gone-3" }).isVisible()).toBe(false);
    await groups.getByText("7 files").click();
    expect(await groups.getByRole("link", { name: "gone-3" }).isVisible()).toBe(true);
    await page.getByRole("button", { name: "Imported 1" }).click();
    const imported = page.getByRole("region", { name: "Imported files" });
    await expect.poll(async () => imported.locator("tbody tr").allTextContents()).toEqual(["rideimported1–"]);
    expect(page.url()).toContain("?files=imported");
  });

  test("shows its pace, the time that is left and its stages while it runs", async () => {
    const { page } = opened;
    await partner.ping(
      ...Array.from({ length: 60 }, (_, index) =>
        held("rider-4", `slow-${index}`, host.serve(RIDE, { delayInMs: 1_500 })),
      ),
    );
    const { import_id } = await partner.task({
      user_id: "rider-4",
      is_initial_import: true,
      event_id: "e-1",
    });
    await visit(page, `imports/${import_id}`, "Import of 60 files");
    const pace = page.locator(".pace");
    await pace.getByText(/^Running for \d+(\.\d)? s/).waitFor();
    await pace
      .getByText(/files? per (second|minute) · about .* left at this pace/)
      .waitFor({ timeout: 60_000 });
    const stages = page.locator(".stages li");
    expect(await stages.filter({ hasText: "Imported" }).textContent()).toContain("in progress");
    expect(await stages.filter({ hasText: "Training plan" }).textContent()).toContain("after the import");
    await page.locator(".lead .status").getByText("completed", { exact: true }).waitFor({ timeout: 60_000 });
    expect(await pace.count()).toBe(0);
    expect(await stages.filter({ hasText: "Imported" }).textContent()).toMatch(/60 of 60 files, in \d+/);
  });
});
