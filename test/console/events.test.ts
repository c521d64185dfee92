import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { partnerClient, type PartnerClient } from "../conformance/partnerClient.ts";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess, type PartnerCredentials } from "../support/serviceProcess.ts";
import { openConsole, signIn, visit, type ConsolePage } from "./consolePage.ts";

const chromium = inject("chromium");
const START = 1_760_000_000;

let service: ServiceProcess;
let host: FileHost;
let receiver: EventReceiver;
let other: EventReceiver;
let credentials: PartnerCredentials;
let partner: PartnerClient;
let opened: ConsolePage;

/** Imports a file of the user. The import has an event. */
async function importOf(client: PartnerClient, userId: string): Promise<void> {
  await client.ping({
    summary_id: userId,
    callback_url: host.serve(rideFile({ startInSeconds: START })),
    priority: 0,
    user_id: userId,
    start_time_in_seconds: String(START),
  });
  await client.task({ user_id: userId, is_initial_import: false, event_id: `event-${userId}` });
}

describe.skipIf(chromium === null)("Events and endpoints in the console", () => {
  beforeAll(async () => {
    [service, host, receiver, other] = await Promise.all([
      ServiceProcess.start(),
      startFileHost(),
      startEventReceiver(),
      startEventReceiver(),
    ]);
    credentials = await service.createPartner("acme", "--local", "--event-url", receiver.url);
    partner = partnerClient(service.url, credentials);
    opened = await openConsole(chromium ?? "", service.url);
    await opened.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await signIn(opened.page, credentials.partner_id, credentials.auth_key);
  }, 180_000);

  afterAll(async () => {
    await opened.close();
    await Promise.all([service.stop(), host.close(), receiver.close(), other.close()]);
  });

  test("shows a failing delivery as retrying, sends it now, and says what the receiver returned", async () => {
    const { page } = opened;
    // Attempts of an event_url are counted once it has been changed as an endpoint.
    await partner.send("PATCH", "/api/endpoints/ep_default/", { include_history: false });
    // The receiver has no secret yet, so it rejects the event.
    await importOf(partner, "rider-1");
    await visit(page, "events?status=pending", "Events");
    await page.getByText("retrying, 2 of 10", { exact: true }).waitFor({ timeout: 60_000 });
    await page.getByText("failing", { exact: true }).waitFor();
    await page.getByRole("img", { name: "0 of 2 attempts succeeded in 14 days" }).waitFor();
    await page.locator("tbody a").first().click();
    await page.getByRole("heading", { level: 1, name: /^Event bulk_fit/ }).waitFor();
    await page.locator(".lead").getByText("retrying, 2 of 10").waitFor();
    expect(await opened.violations()).toEqual([]);
    receiver.expect(credentials.webhook_secret);
    await page.getByRole("button", { name: "Send now" }).click();
    await page.getByText("Delivered. Your receiver returned 204.").waitFor();
    expect(await page.getByRole("region", { name: "Attempts" }).locator("tbody tr").count()).toBe(3);
    expect(receiver.received).toHaveLength(1);
  });

  test("copies a command without a secret, whose request the receiver accepts as the same event", async () => {
    const { page } = opened;
    await page.getByRole("button", { name: "Copy as curl" }).click();
    const command = await page.evaluate(async () => navigator.clipboard.readText());
    const secret = credentials.webhook_secret;
    expect(command).not.toContain(secret.replace("whsec_", ""));
    expect(await page.locator("main").textContent()).not.toContain(secret);
    const { stdout } = await promisify(execFile)("sh", ["-c", command], {
      env: { ...process.env, WEBHOOK_SECRET: secret },
    });
    expect(stdout).toMatch(/^HTTP\/1.1 204/);
    const [sent, copied] = receiver.received;
    expect(copied).toEqual(sent);
  });

  test("filters events by type", async () => {
    const { page } = opened;
    await visit(page, "events", "Events");
    await page.getByRole("button", { name: "Send a test event" }).click();
    const types = async () => page.getByRole("region", { name: "Events" }).locator("code").allTextContents();
    await expect.poll(types).toEqual(["test.ping", "bulk_fit_import.completed"]);
    await page.getByLabel("Type").selectOption("test.ping");
    await expect.poll(types).toEqual(["test.ping"]);
    expect(page.url()).toContain("type=test.ping");
    expect(await opened.violations()).toEqual([]);
  });

  test("adds an endpoint, reveals its secret once, verifies, holds and deletes it", async () => {
    const { page } = opened;
    await visit(page, "settings", "Settings");
    await page.getByRole("button", { name: "Add an endpoint…" }).click();
    await page.getByLabel("URL of your receiver").fill(other.url);
    await page.getByLabel("file.failed").check();
    expect(await opened.violations()).toEqual([]);
    await page.getByRole("button", { name: "Add the endpoint" }).click();
    const revealed = page.locator(".revealed code");
    const secret = (await revealed.textContent()) ?? "";
    expect(secret).toMatch(/^whsec_/);
    await page.getByRole("button", { name: "I stored it" }).click();
    expect(await page.locator("main").textContent()).not.toContain(secret);
    // Its receiver did not know the secret when the challenge came.
    await page.getByText("unverified", { exact: true }).waitFor();
    other.expect(secret);
    await page.getByRole("link", { name: other.url }).click();
    await page.getByRole("heading", { level: 1, name: other.url }).waitFor();
    expect(await page.getByLabel("file.failed").isChecked()).toBe(true);
    expect(await page.getByLabel("file.imported").isChecked()).toBe(false);
    await page.getByRole("button", { name: "Send the challenge" }).click();
    await page.locator(".lead").getByText("active", { exact: true }).waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Hold…" }).click();
    await page.getByRole("button", { name: "Hold events" }).click();
    await page.locator(".lead").getByText("on hold", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Rotate…" }).click();
    await page.getByRole("button", { name: "Create a new secret" }).click();
    await revealed.waitFor();
    expect(await revealed.textContent()).not.toBe(secret);
    await expect
      .poll(async () => page.getByRole("region", { name: "Signing secrets" }).locator("tbody tr").count())
      .toBe(2);
    expect(await opened.violations()).toEqual([]);
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Delete the endpoint" }).click();
    await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
    await page.getByRole("link", { name: receiver.url }).waitFor();
    await expect.poll(async () => page.getByRole("link", { name: other.url }).count()).toBe(0);
  });

  test("creates a key that is shown once and works, and deletes it", async () => {
    const { page } = opened;
    await visit(page, "settings", "Settings");
    await page.getByRole("button", { name: "Create a key…" }).click();
    await page.getByLabel("Label").fill("warehouse");
    await page.getByLabel("Scope").selectOption("read");
    await page.getByRole("button", { name: "Create the key" }).click();
    const key = (await page.locator(".revealed code").textContent()) ?? "";
    await page.getByRole("button", { name: "I stored it" }).click();
    expect(await page.locator("main").textContent()).not.toContain(key);
    const reader = partnerClient(service.url, { ...credentials, auth_key: key });
    expect((await reader.send("GET", "/api/partner/")).status).toBe(200);
    const row = page.getByRole("region", { name: "Keys" }).locator("tr", { hasText: "warehouse" });
    await row.getByText("read", { exact: true }).waitFor();
    expect(await opened.violations()).toEqual([]);
    await row.getByRole("button", { name: "Delete…" }).click();
    await row.getByRole("button", { name: "Delete the key" }).click();
    await page.getByText(/^Deleted warehouse/).waitFor();
    await row.waitFor({ state: "detached" });
  });

  test("changes the order of sources, and says from when it is in force", async () => {
    const { page } = opened;
    await page.getByLabel(/^Sources in the order/).fill("watch\nphone\n");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText(/^Saved\. In force from/).waitFor();
    const settings: unknown = await (await partner.send("GET", "/api/partner/")).json();
    expect(settings).toMatchObject({ source_order: ["watch", "phone"], callback_hosts: [] });
  });

  test("names on the overview what needs the partner, and opens the files of a day", async () => {
    const { page } = opened;
    await partner.ping({
      summary_id: "gone",
      callback_url: host.serve(new Uint8Array(), { status: 404 }),
      priority: 1,
      user_id: "rider-9",
      start_time_in_seconds: String(START),
    });
    await expect
      .poll(async () => (await partner.listFiles("status=failed")).length, { timeout: 30_000 })
      .toBe(1);
    await visit(page, "overview", "Overview");
    await page.getByRole("heading", { name: "1 thing needs you" }).waitFor();
    await page.locator(".needs").getByRole("link", { name: "1 file failed." }).waitFor();
    // The first challenge of the deleted endpoint was never delivered.
    await page.locator(".figure").getByText("3 of 4", { exact: true }).waitFor();
    expect(await opened.violations()).toEqual([]);
    const today = new Date().toISOString().slice(0, 10);
    await page.locator(".daybars a").last().click();
    await page.getByRole("heading", { level: 1, name: "Files" }).waitFor();
    expect(page.url()).toContain(`from=${today}&to=${today}`);
    await expect
      .poll(async () => page.locator("tbody a.name").allTextContents())
      .toEqual(expect.arrayContaining(["gone", "rider-1"]));
  });

  test("gives a newcomer a command whose first ping is accepted, and marks the step as done", async () => {
    const account = await service.createPartner("newcomer", "--local");
    const newcomer = await openConsole(chromium ?? "", service.url);
    await newcomer.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await signIn(newcomer.page, account.partner_id, account.auth_key);
    await newcomer.page.getByRole("button", { name: "Copy command" }).click();
    const command = await newcomer.page.evaluate(async () => navigator.clipboard.readText());
    expect(command).not.toContain(account.auth_key);
    expect(await newcomer.violations()).toEqual([]);
    await promisify(execFile)("sh", ["-c", command], {
      env: { ...process.env, PARTNER_KEY: account.auth_key },
    });
    await newcomer.page.getByText("A file has been received.").waitFor();
    await newcomer.close();
  });

  test("disables the test event of a partner without an endpoint, and says why", async () => {
    const quiet = await service.createPartner("quiet", "--local");
    const page = await openConsole(chromium ?? "", service.url);
    await signIn(page.page, quiet.partner_id, quiet.auth_key);
    await visit(page.page, "events", "Events");
    const button = page.page.getByRole("button", { name: "Send a test event" });
    expect(await button.isDisabled()).toBe(true);
    await page.page.getByText("No endpoint receives your events.").waitFor();
    await page.close();
  });
});
