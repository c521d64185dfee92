import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
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
    // Only an endpoint with settings of its own has a state.
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
    await page.setViewportSize({ width: 320, height: 900 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    await page.setViewportSize({ width: 1280, height: 900 });
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
    await expect.poll(types, { timeout: 20_000 }).toEqual(["test.ping", "bulk_fit_import.completed"]);
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
    expect(await page.getByLabel("file.failed").evaluate((box) => getComputedStyle(box).opacity)).toBe("1");
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
    await page.getByText(/^Saved\. In force by/).waitFor();
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
    // The first challenge of the deleted endpoint counts until its next attempt.
    await page
      .locator(".figure")
      .getByText(/^[34] of [34]$/)
      .waitFor();
    expect(await opened.violations()).toEqual([]);
    const today = new Date().toISOString().slice(0, 10);
    await page.locator(".daybars a").last().click();
    await page.getByRole("heading", { level: 1, name: "Files" }).waitFor();
    expect(page.url()).toContain(`from=${today}&to=${today}`);
    await expect
      .poll(async () => page.locator("tbody a.name").allTextContents())
      .toEqual(expect.arrayContaining(["gone", "rider-1"]));
    await visit(page, "overview", "Overview");
    await page.getByRole("link", { name: "callback_gone" }).click();
    await page.getByRole("heading", { level: 1, name: "Files" }).waitFor();
    expect(await page.getByLabel("Error").inputValue()).toBe("callback_gone");
    await expect.poll(async () => page.locator("td.main a.name").allTextContents()).toEqual(["gone"]);
    await page.getByLabel("Error").selectOption("not_fit");
    await page.getByText("No files match these filters.").waitFor();
  });

  test("names events that could not be delivered, but not those whose endpoint was deleted", async () => {
    const { page } = opened;
    const withoutEndpoint = async (without_endpoint: number) => {
      await page.unroute("**/api/overview/");
      await page.route("**/api/overview/", async (route) => {
        const response = await route.fetch();
        const overview = z.looseObject({ events: z.looseObject({}) }).parse(await response.json());
        const events = { ...overview.events, failed: 2, without_endpoint };
        await route.fulfill({ response, json: { ...overview, events } });
      });
      await visit(page, "users", "Users");
      await visit(page, "overview", "Overview");
      return page.locator(".needs").getByRole("link").allTextContents();
    };
    expect(await withoutEndpoint(2)).toEqual(["1 file failed."]);
    expect(await withoutEndpoint(1)).toEqual(["1 event could not be delivered.", "1 file failed."]);
    await page.unroute("**/api/overview/");
  });

  test("shows the usage of each day as a chart with a scale and as a table", async () => {
    const { page } = opened;
    await visit(page, "settings", "Settings");
    const usage = page.locator("section.usage");
    const today = usage.locator(".daybars li").last();
    await usage.getByText("The numbers of each day").click();
    const sum = usage.locator("tbody tr").first();
    await expect.poll(async () => sum.locator("td").allTextContents()).toEqual(["Sum", "1", "1", "0"]);
    expect(await today.locator(".unseen").textContent()).toMatch(/: 1 imported, 1 failed$/);
    expect(await usage.locator(".scale li").allTextContents()).toEqual(["2", "1", "0"]);
    const heights = await today
      .locator("i")
      .evaluateAll((parts) => parts.map((part) => part.getBoundingClientRect().height));
    const whole = await today.locator(".plot").evaluate((plot) => plot.getBoundingClientRect().height);
    expect(heights).toEqual([whole / 2, whole / 2]);
    await usage.getByRole("button", { name: "90 days" }).click();
    expect(await usage.locator(".daybars li").count()).toBe(90);
    await usage.getByRole("button", { name: "Deliveries" }).click();
    // Two attempts failed before the first event was delivered.
    await expect.poll(async () => sum.locator("td").allTextContents()).toEqual(["Sum", "1", "2"]);
    expect(await opened.violations()).toEqual([]);
  });

  test("ends the first steps when the receiver has accepted a test event and rejected a wrong signature", async () => {
    const { page } = opened;
    await visit(page, "overview", "Overview");
    await page.getByText("Pass the check (not done)").waitFor();
    await partner.send("POST", "/api/events/test/?signature=wrong");
    const rejected = async () =>
      (await partner.send("GET", "/api/events/?type=test.forged&status=delivered")).text();
    await expect.poll(rejected, { timeout: 20_000 }).toContain("evt_");
    await page.reload();
    await page.getByRole("heading", { name: "Files by day" }).waitFor();
    expect(await page.getByRole("heading", { name: "First steps" }).count()).toBe(0);
  });

  test("offers no change to a partner whose settings are locked, and says why", async () => {
    const { page } = opened;
    await page.route("**/api/partner/", async (route) => {
      const response = await route.fetch();
      const partnerOf = z.looseObject({}).parse(await response.json());
      await route.fulfill({ response, json: { ...partnerOf, self_service_locked: true } });
    });
    for (const [place, title] of [
      ["events", "Events"],
      ["settings", "Settings"],
    ] as const) {
      await visit(page, place, title);
      await page.getByText("An operator has locked your keys, endpoints and settings.").waitFor();
      await page.getByRole("button", { name: "Send a test event" }).waitFor();
      for (const name of ["Recover…", "Add an endpoint…", "Create a key…", "Save"])
        expect(await page.getByRole("button", { name }).count()).toBe(0);
    }
    await page.unroute("**/api/partner/");
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

  test("disables the test event of a partner without an endpoint, says why, and shows the use of its limits", async () => {
    const limits = ["--requests-per-minute", "600", "--files-per-minute", "300"];
    const quiet = await service.createPartner("quiet", "--local", ...limits);
    const page = await openConsole(chromium ?? "", service.url);
    await signIn(page.page, quiet.partner_id, quiet.auth_key);
    await visit(page.page, "events", "Events");
    const button = page.page.getByRole("button", { name: "Send a test event" });
    expect(await button.isDisabled()).toBe(true);
    await page.page.getByText("No endpoint receives your events.").waitFor();
    await visit(page.page, "settings", "Settings");
    await page.page.getByText(/^[1-9]\d* of 600 used$/).waitFor();
    await page.page.getByText("0 requests of today were rejected over a limit.").waitFor();
    await page.close();
  });
});
