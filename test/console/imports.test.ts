import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { partnerClient, SOURCE, type PartnerClient } from "../conformance/partnerClient.ts";
import { startFileHost, type FileHost, type Serving } from "../support/fileHost.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { openConsole, signIn, visit, type ConsolePage } from "./consolePage.ts";

const chromium = inject("chromium");
const START = 1_760_000_000;

let service: ServiceProcess;
let host: FileHost;
let partner: PartnerClient;
let opened: ConsolePage;

/** Holds this many files of the user. Returns their URLs. */
async function hold(userId: string, count: number, serving: Serving = {}): Promise<string[]> {
  const items = Array.from({ length: count }, (_, index) => ({
    summary_id: `${userId}-${index}`,
    callback_url: host.serve(rideFile({ startInSeconds: START + index * 86_400 }), serving),
    priority: 0 as const,
    user_id: userId,
    start_time_in_seconds: String(START + index * 86_400),
  }));
  await partner.ping(...items);
  return items.map((item) => item.callback_url);
}

const started = async (userId: string) =>
  (await partner.task({ user_id: userId, is_initial_import: false })).import_id;

describe.skipIf(chromium === null)("The console", () => {
  beforeAll(async () => {
    [service, host] = await Promise.all([ServiceProcess.start(), startFileHost()]);
    const credentials = await service.createPartner("acme", "--local");
    partner = partnerClient(service.url, credentials);
    opened = await openConsole(chromium ?? "", service.url);
    await signIn(opened.page, credentials.partner_id, credentials.auth_key);
  }, 180_000);

  afterAll(async () => {
    await opened.close();
    await Promise.all([service.stop(), host.close()]);
  });

  test("cancels an import only after a confirmation, shows it until it has ended, and lists its skipped files", async () => {
    const { page } = opened;
    const FILES = 30;
    const urls = await hold("rider-1", FILES, { delayInMs: 3_000 });
    const importId = await started("rider-1");
    await visit(page, `imports/${importId}`, "Import");
    await page.getByRole("button", { name: "Cancel…" }).click();
    await page.getByText("Skip all files that are not imported yet?").waitFor();
    await page.getByRole("button", { name: "Continue importing" }).click();
    await page.locator(".lead .status").getByText("running").waitFor();
    expect((await partner.readImport(importId)).status).toBe("running");
    await expect.poll(() => urls.some((url) => host.asked(url) > 0), { timeout: 30_000 }).toBe(true);
    await page.getByRole("button", { name: "Cancel…" }).click();
    await page.getByRole("button", { name: "Cancel the import" }).click();
    await page.locator(".lead .status").getByText("cancelled").waitFor();
    expect(await page.getByRole("button", { name: "Cancel…" }).count()).toBe(0);
    await page.getByText("Files that were being imported are finished first.").waitFor();
    // The page updates without a reload: the note leaves it when the last importer has reported.
    await page.getByText(`${FILES} of ${FILES} files`).waitFor({ timeout: 60_000 });
    await page.getByText("Files that were being imported").waitFor({ state: "detached" });
    const { status, completed_at, files } = await partner.readImport(importId);
    expect(status).toBe("cancelled");
    expect(completed_at).not.toBeNull();
    expect(files.skipped).toBeGreaterThan(0);
    await page.getByRole("button", { name: `Skipped ${files.skipped}` }).click();
    const skipped = page.getByRole("region", { name: "Skipped files" });
    await expect.poll(async () => skipped.locator("tbody tr").count()).toBe(files.skipped);
    await page.getByText("No files failed.").waitFor();
    await page.getByRole("button", { name: "Retry failed and skipped files" }).waitFor();
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await skipped.getByRole("link").first().click();
    await page.locator(".note").getByText("import_cancelled").waitFor();
    await page.locator(".note").getByText("No action is needed.").waitFor();
    await page.locator(".timeline").getByText("Skipped, because its import was cancelled").waitFor();
    expect(requests.filter((url) => url.includes(`/api/imports/${importId}`))).toEqual([]);
    expect(await opened.violations()).toEqual([]);
  });

  test("says that an import could not be cancelled because it had completed", async () => {
    const { page } = opened;
    await hold("rider-2", 1, { delayInMs: 3_000 });
    const importId = await started("rider-2");
    await visit(page, `imports/${importId}`, "Import");
    await page.getByRole("button", { name: "Cancel…" }).click();
    await page.route(`**/api/imports/${importId}/`, async (route) => route.abort());
    await partner.completedImport(importId, 60);
    await page.unroute(`**/api/imports/${importId}/`);
    await page.evaluate(() => {
      const buttons = [...document.querySelectorAll("button")];
      buttons.find((button) => button.textContent === "Cancel the import")?.click();
    });
    await page.getByRole("alert").getByText("import_completed").waitFor();
    await page.locator(".lead .status").getByText("completed").waitFor();
  });

  test("offers the report of an import as a file, and no file when the report is incomplete", async () => {
    const { page } = opened;
    await hold("rider-3", 3);
    const importId = await started("rider-3");
    await partner.completedImport(importId, 60);
    await visit(page, `imports/${importId}`, "Import");
    const button = page.getByRole("button", { name: "Download the report" });
    const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
    expect(download.suggestedFilename()).toBe(`${importId}.ndjson`);
    const lines = (await readFile(await download.path(), "utf8"))
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatchObject({ type: "file", status: "imported", sport: "cycling" });
    expect(lines[3]).toMatchObject({
      type: "end",
      files: { total: 3, imported: 3 },
      first_start_time_in_seconds: START,
      last_start_time_in_seconds: START + 2 * 86_400,
    });

    const downloads: unknown[] = [];
    page.on("download", (found) => downloads.push(found));
    const error = { type: "error", code: "store_unavailable", detail: "A data store became unavailable." };
    for (const [body, text] of [
      [`${JSON.stringify(lines[0])}\n${JSON.stringify(error)}\n`, error.detail],
      [`${JSON.stringify(lines[0])}\n`, "The connection was closed too early."],
      [`${JSON.stringify(lines[0])}\n{"type":"e`, "The connection was closed too early."],
    ] as const) {
      await page.route("**/report/", async (route) => route.fulfill({ status: 200, body }));
      await button.click();
      const alert = page.getByRole("alert");
      await alert.getByText("The report is incomplete").waitFor();
      await alert.getByText(text).waitFor();
      await page.unroute("**/report/");
    }
    expect(downloads).toEqual([]);
  });

  test("explains in plain words why an import has no files, and leads to the held ones", async () => {
    const { page } = opened;
    await hold("rider-4", 2);
    const task = { user_id: "rider-4", source: "wacth", is_initial_import: false };
    const { import_id } = await partner.task(task);
    await visit(page, `imports/${import_id}`, "Import");
    const note = page.locator(".note");
    await note.getByText("No file was held for this user under wacth").waitFor();
    expect(await note.textContent()).toContain(`The user had held files under ${SOURCE}.`);
    expect(await note.textContent()).not.toContain("nothing_held");
    await visit(page, "imports?user_id=rider-4", "Imports");
    await page.locator("tbody").getByText("No file was held").waitFor();
    await visit(page, `imports/${import_id}`, "Import");
    await note.getByRole("link", { name: SOURCE }).click();
    await page.getByRole("heading", { level: 1, name: "Files" }).waitFor();
    await expect.poll(async () => page.locator("tbody tr").count()).toBe(2);

    const alone = await partner.task({ user_id: "rider-5", is_initial_import: false });
    await visit(page, `imports/${alone.import_id}`, "Import");
    await note.getByText("No other source of the user had held files either.").waitFor();
  });

  test("shows why the last attempt of a queued file failed, and when the next one is due", async () => {
    const { page } = opened;
    const { files } = await partner.ping({
      summary_id: "waiting",
      callback_url: host.serve(new Uint8Array(), { status: 503 }),
      priority: 1,
      user_id: "rider-6",
      start_time_in_seconds: String(START),
    });
    const id = files[0]?.file_id ?? "";
    await expect
      .poll(async () => (await partner.readFile(id)).last_error?.code, { timeout: 30_000 })
      .toBe("callback_http_error");
    await visit(page, `files/${id}`, "waiting");
    const note = page.locator(".note");
    await note.getByText("The last attempt failed:").waitFor();
    await note.getByText("callback_http_error").waitFor();
    expect(await note.textContent()).toMatch(/503.*The next attempt is (?:at .+|due now)\.$/s);
    expect(await page.getByRole("button", { name: "Retry" }).count()).toBe(0);
    await visit(page, "files?user_id=rider-6", "Files");
    await page.locator("tbody").getByText("callback_http_error").waitFor();
  });
});
