import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { triathlonFile } from "../../src/cli/demo/workouts.ts";
import { SPORTS } from "../../src/console/sports.ts";
import { SPORT_NAMES } from "../../src/fit/index.ts";
import { partnerClient, type PartnerClient } from "../conformance/partnerClient.ts";
import { eventually } from "../support/eventually.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess, type PartnerCredentials } from "../support/serviceProcess.ts";
import { openConsole, signIn, visit, type ConsolePage } from "./consolePage.ts";

const chromium = inject("chromium");
const START = 1_760_000_000;
/** Held files, more than six pages of the list. */
const HELD = 400;
/** Maximum size of script and style together, compressed. */
const MOST_BYTES = 120 * 1024;
const LAYOUT_SHIFT = 0.1;

let service: ServiceProcess;
let host: FileHost;
let credentials: PartnerCredentials;
let partner: PartnerClient;
let opened: ConsolePage;
let triathlonId: string;
let importId: string;
let eventId: string;

const item = (summary_id: string, user_id: string, callback_url: string, priority: 0 | 1) => ({
  summary_id,
  user_id,
  callback_url,
  priority,
  start_time_in_seconds: String(START),
});

async function imported(name: string, userId: string, bytes: Uint8Array): Promise<string> {
  const { files } = await partner.ping(item(name, userId, host.serve(bytes), 1));
  const id = files[0]?.file_id ?? "";
  await partner.settledFile(id);
  return id;
}

const heading = async (page: Page, name: string | RegExp) =>
  page.getByRole("heading", { level: 1, name }).waitFor();

/** Types a text into the search. */
async function search(page: Page, text: string): Promise<void> {
  await page.keyboard.press("/");
  await page.getByRole("combobox", { name: "Search" }).fill(text);
}

describe.skipIf(chromium === null)("The console", () => {
  beforeAll(async () => {
    [service, host] = await Promise.all([ServiceProcess.start(), startFileHost()]);
    credentials = await service.createPartner("acme", "--local");
    partner = partnerClient(service.url, credentials);
    await partner.ping(
      ...Array.from({ length: HELD }, (_, index) =>
        item(`Held-${index}.`, `holder-${index % 2}`, "http://127.0.0.1:9/never.fit", 0),
      ),
    );
    triathlonId = await imported(
      "triathlon",
      "athlete",
      triathlonFile({ startInSeconds: START, seconds: 3_600, secondsApart: 10, effort: 1 }),
    );
    await partner.ping(item("history", "reader", host.serve(rideFile()), 0));
    const task = await partner.task({ user_id: "reader", is_initial_import: false, event_id: "e-1" });
    importId = task.import_id;
    await partner.completedImport(importId, 60);
    eventId = await eventually(
      "the import has an event",
      30,
      async () => (await partner.listEvents())[0]?.id,
    );
    opened = await openConsole(chromium ?? "", service.url);
    await signIn(opened.page, credentials.partner_id, credentials.auth_key);
  }, 180_000);

  afterAll(async () => {
    await opened.close();
    await Promise.all([service.stop(), host.close()]);
  });

  test("opens a file, an activity, an import and an event as soon as their id is in the search", async () => {
    const { page } = opened;
    for (const [text, place, title] of [
      [triathlonId, `files/${triathlonId}`, "triathlon"],
      [` ${triathlonId}.2 `, `activities/${triathlonId}.2`, /./],
      [`GET /api/imports/${importId}/`, `imports/${importId}`, "Import"],
      [eventId, `events/${eventId}`, "Event"],
    ] as const) {
      await visit(page, "overview", "Overview");
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "Search" }).fill(text);
      await page.waitForURL(`**/#/${place}`);
      await heading(page, title);
      expect(await page.getByRole("dialog").count()).toBe(0);
    }
    await search(page, `${triathlonId}.9`);
    await page.getByText("No file, activity, import or event has this id.").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });

  test("finds files by a part of their name, users by the beginning of their id, and pages, by keyboard alone", async () => {
    const { page } = opened;
    await search(page, "eld-333.");
    await page.getByRole("option", { name: "Held-333." }).waitFor();
    await page.keyboard.press("Enter");
    await heading(page, "Held-333.");

    await search(page, "holder");
    await page.getByRole("option", { name: "holder-1" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await heading(page, "holder-1");

    // On the page of a user, the search can be limited to the user's files.
    await search(page, "held-2.");
    await page.getByText("No user or page has this name, and no file among").waitFor();
    await page.getByLabel("Only files of holder-1").uncheck();
    await page.getByRole("option", { name: "Held-2." }).waitFor();
    await page.getByRole("combobox", { name: "Search" }).fill("acti");
    await page.getByRole("option", { name: "Activities" }).click();
    await heading(page, "Activities");
  });

  test("says that a name is not among the newest 20,000 files, after a bounded number of requests", async () => {
    const { page } = opened;
    await visit(page, "overview", "Overview");
    let requests = 0;
    await page.route("**/api/files/?*name_contains=*", async (route) => {
      requests += 1;
      await route.fulfill({ json: { data: [], next_cursor: "more" } });
    });
    await search(page, "nowhere");
    await page.getByText("no file among the newest 20,000 files").waitFor();
    expect(requests).toBe(10);
    await page.unroute("**/api/files/?*name_contains=*");
    await page.keyboard.press("Escape");
  });

  test("lists only the files with a part of a name, also those that were not on the page", async () => {
    const { page } = opened;
    await visit(page, "files", "Files");
    await page.getByLabel("Name", { exact: true }).fill("held-399.");
    await page.keyboard.press("Enter");
    await expect.poll(async () => page.locator("tbody tr").count()).toBe(1);
    expect(page.url()).toContain("name=held-399.");
    await page.getByLabel("Received to").fill("2020-01-01");
    await page.getByText("No files match these filters.").waitFor();
    await page.getByRole("link", { name: "Clear filters" }).click();
    await expect.poll(async () => page.locator("tbody tr").count()).toBe(50);
    await page.getByLabel("User").fill("holder-");
    await expect.poll(async () => page.locator("datalist option").count()).toBe(2);
  });

  test("shows the rows, the filters and the place of a list again on Back", async () => {
    const { page } = opened;
    await visit(page, "files?status=held", "Files");
    for (const rows of [100, 150]) {
      await page.getByRole("button", { name: "Show more" }).click();
      await expect.poll(async () => page.locator("tbody tr").count()).toBe(rows);
    }
    await page.evaluate(() => scrollTo(0, 3_500));
    await expect.poll(async () => page.evaluate(() => scrollY)).toBe(3_500);
    const link = page.locator("tbody tr").nth(100).getByRole("link").first();
    const name = (await link.textContent()) ?? "";
    await link.evaluate((element) => {
      if (element instanceof HTMLElement) element.click();
    });
    await heading(page, name);
    expect(await page.evaluate(() => scrollY)).toBe(0);
    await page.goBack();
    await heading(page, "Files");
    expect(await page.locator("tbody tr").count()).toBe(150);
    await expect.poll(async () => page.evaluate(() => scrollY)).toBe(3_500);
    expect(page.url()).toContain("status=held");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(name);
  });

  test("gives its session to a new tab, which leaves nothing behind, and ends both with one sign-out", async () => {
    const own = await openConsole(chromium ?? "", service.url);
    await signIn(own.page, credentials.partner_id, credentials.auth_key);
    const second = await own.page.context().newPage();
    await second.goto(`${service.url}/console/#/users`);
    await heading(second, "Users");
    expect(second.url()).not.toContain(credentials.auth_key);
    expect(await second.evaluate(() => JSON.stringify(localStorage) + document.cookie)).toBe("{}");
    await second.getByRole("button", { name: "Sign out" }).click();
    await second.getByText("You signed out.").waitFor();
    await own.page.getByText("You signed out in another tab.").waitFor();
    const third = await own.page.context().newPage();
    await third.goto(`${service.url}/console/`);
    await heading(third, "Sign in");
    await own.close();
  });

  test("says that the key has ended when the service no longer accepts it", async () => {
    const own = await openConsole(chromium ?? "", service.url);
    await signIn(own.page, credentials.partner_id, credentials.auth_key);
    await own.page.route("**/api/**", async (route) =>
      route.fulfill({ status: 401, json: { code: "unauthorized", title: "", detail: "" } }),
    );
    await own.page.getByRole("link", { name: "Files" }).click();
    await own.page.getByText("the key has expired or was revoked").waitFor();
    await own.close();
  });

  test("shows a user with sources, a calendar and the legs of a triathlon as one, and deletes it once confirmed", async () => {
    const { page } = opened;
    await visit(page, "activities", "Activities");
    await page.locator("tbody").getByRole("link", { name: "athlete" }).first().click();
    await heading(page, "athlete");
    const sources = page.getByRole("region", { name: "Sources" });
    await sources.waitFor();
    expect(await sources.locator("tbody tr").allTextContents()).toEqual([
      expect.stringMatching(/^watch510000/),
    ]);
    await page.getByText("October 2025").waitFor();
    const day = page.locator(".calendar a", { hasText: "5 activities" });
    expect(await day.textContent()).toMatch(/^9: 5 activities, /);
    const table = page.getByRole("region", { name: "Activities" });
    // The files were received today, in another month than the rides.
    await visit(page, `users/athlete?month=${new Date().toISOString().slice(0, 7)}`, "athlete");
    const received = page.locator(".calendar .received");
    await received.getByRole("link", { name: "1 file" }).click();
    await heading(page, "Files");
    expect(new URL(page.url()).hash).toMatch(/user_id=athlete&from=(\d{4}-\d\d-\d\d)&to=\1$/);
    await expect.poll(async () => page.locator("tbody tr").count()).toBe(1);
    await visit(page, "users/athlete?month=2025-10", "athlete");
    await expect.poll(async () => table.locator("tbody tr").count()).toBe(6);
    expect(await table.locator("tr.sum").textContent()).toContain("swimming → cycling → running");
    expect(await table.locator("tr.leg").allTextContents()).toEqual([
      expect.stringMatching(/^Leg 1 of 5swimming/),
      expect.stringMatching(/^Leg 2 of 5transition/),
      expect.stringMatching(/^Leg 3 of 5cycling/),
      expect.stringMatching(/^Leg 4 of 5transition/),
      expect.stringMatching(/^Leg 5 of 5running/),
    ]);
    // Another month changes the calendar only: the page stays as it is.
    await page.route("**/api/users/athlete/", () => undefined);
    await page.evaluate(() => scrollTo(0, 100));
    await page.getByRole("link", { name: "Previous month" }).evaluate((link) => {
      if (link instanceof HTMLElement) link.click();
    });
    await page.getByText("September 2025", { exact: true }).waitFor();
    expect(await page.evaluate(() => scrollY)).toBe(100);
    await page.unroute("**/api/users/athlete/");
    await page.getByText("No activities in September 2025.").waitFor();

    await imported("ride", "leaving", rideFile());
    await visit(page, "users/leaving", "leaving");
    await page.getByRole("button", { name: "Delete the user…" }).click();
    await page.getByRole("button", { name: "Keep the user" }).click();
    expect((await partner.send("GET", "/api/users/leaving/")).status).toBe(200);
    await page.getByRole("button", { name: "Delete the user…" }).click();
    await page.getByRole("button", { name: "Delete the user", exact: true }).click();
    await heading(page, "Users");
    expect((await partner.send("GET", "/api/users/leaving/")).status).toBe(404);
  });

  test("shows a file's sessions with sport and distance, and offers its original bytes", async () => {
    const { page } = opened;
    await visit(page, `files/${triathlonId}`, "triathlon");
    await page.getByText("Session 3 · cycling · ").waitFor();
    expect(await page.title()).toBe("triathlon · File · Partner console");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download original" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`${triathlonId}.fit`);
    const bytes = triathlonFile({ startInSeconds: START, seconds: 3_600, secondsApart: 10, effort: 1 });
    expect(Buffer.compare(await readFile(await download.path()), Buffer.from(bytes))).toBe(0);
  });

  test("says that a failed file is queued again, then what came of the next attempt, and counts the attempts on", async () => {
    const { page } = opened;
    const { files } = await partner.ping(
      item("lost", "athlete", host.serve(new Uint8Array(), { status: 404 }), 1),
    );
    const id = files[0]?.file_id ?? "";
    await partner.settledFile(id);
    await visit(page, `files/${id}`, "lost");
    // Keeps the page from polling the result before the test has read the first word.
    await page.clock.install();
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByText(/Queued again\. Attempt 2 follows\.|Attempt 2 failed as well\./).waitFor();
    await expect
      .poll(
        async () => {
          await page.clock.runFor(2_000);
          return page.getByText("Attempt 2 failed as well.").count();
        },
        { timeout: 30_000 },
      )
      .toBe(1);
    await page.getByText("attempt 2").first().waitFor();
    expect(await page.locator(".times").last().textContent()).toMatch(/\+\d/);
    await page.clock.resume();
  });

  test("shows the exact time with its zone on hover and on focus, and copies an id", async () => {
    const own = await openConsole(chromium ?? "", service.url);
    const { page } = own;
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await signIn(page, credentials.partner_id, credentials.auth_key);
    await visit(page, `files/${triathlonId}`, "triathlon");
    const tip = page.getByRole("tooltip");
    const received = page.locator(".facts time").first();
    expect(await received.textContent()).toMatch(/^(just now|\d+ min ago)$/);
    await received.hover();
    expect(await tip.textContent()).toMatch(/\d{4}, \d\d:\d\d:\d\d (?:UTC|GMT|[A-Z]{3,4})/);
    await page.keyboard.press("Escape");
    expect(await tip.count()).toBe(0);
    await received.focus();
    await tip.waitFor();
    await visit(page, "files", "Files");
    await page.locator("tbody a").first().focus();
    await tip.waitFor();
    await visit(page, `files/${triathlonId}`, "triathlon");
    await page.getByRole("button", { name: "Copy the file id" }).click();
    await page.getByText("Copied").waitFor();
    expect(await page.evaluate(async () => navigator.clipboard.readText())).toBe(triathlonId);
    await own.close();
  });

  test("shows lists as whole rows on a phone, with one row of navigation, and never scrolls sideways at 320 px", async () => {
    const own = await openConsole(chromium ?? "", service.url, { width: 320 });
    const { page } = own;
    await signIn(page, credentials.partner_id, credentials.auth_key);
    for (const [place, title] of [
      ["overview", "Overview"],
      ["imports", "Imports"],
      ["files", "Files"],
      [`files/${triathlonId}`, "triathlon"],
      ["activities", "Activities"],
      ["users", "Users"],
      ["users/athlete", "athlete"],
      ["events", "Events"],
    ] as const) {
      await visit(page, place, title);
      expect([place, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([place, 320]);
      const cut = await page
        .locator(".table:not(.scrolls)")
        .evaluateAll((tables) => tables.filter((table) => table.scrollWidth > table.clientWidth).length);
      expect([place, cut]).toEqual([place, 0]);
      const tops = await page
        .locator("nav li")
        .evaluateAll((items) => new Set(items.map((one) => one.getBoundingClientRect().top)).size);
      expect([place, tops]).toEqual([place, 1]);
    }
    await visit(page, "events", "Events");
    const { left, right } = await page.locator("nav [aria-current]").evaluate((link) => {
      const place = link.getBoundingClientRect();
      return { left: place.left, right: place.right };
    });
    expect(left).toBeGreaterThanOrEqual(0);
    expect(right).toBeLessThanOrEqual(321);
    await own.close();
  });

  test("has no accessibility violation in the search and the views of users, at any width, light or dark", async () => {
    const own = await openConsole(chromium ?? "", service.url);
    const { page } = own;
    const audit = async (place: string) => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([colorScheme, place, await own.violations()]).toEqual([colorScheme, place, []]);
      }
    };
    await signIn(page, credentials.partner_id, credentials.auth_key);
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 });
      for (const [place, title] of [
        ["users", "Users"],
        ["users/athlete", "athlete"],
        [`files/${triathlonId}`, "triathlon"],
        ["activities", "Activities"],
      ] as const) {
        await visit(page, place, title);
        await audit(`${place} at ${width}`);
      }
      await search(page, "held");
      await page.getByRole("option").first().waitFor();
      await audit(`search at ${width}`);
      await page.keyboard.press("Escape");
    }
    expect(own.errors).toEqual([]);
    expect(own.foreignRequests).toEqual([]);
    await own.close();
  });

  test("does not shift its layout while a page loads", async () => {
    const { page } = opened;
    await page.evaluate(() => {
      const shifts: number[] = [];
      Object.assign(globalThis, { shifts });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) shifts.push((entry as unknown as { value: number }).value);
      }).observe({ type: "layout-shift" });
    });
    for (const [place, title] of [
      ["files", "Files"],
      [`files/${triathlonId}`, "triathlon"],
      ["activities", "Activities"],
      ["users/athlete", "athlete"],
      ["users", "Users"],
    ] as const) {
      await page.evaluate(() => ((globalThis as unknown as { shifts: number[] }).shifts.length = 0));
      await visit(page, place, title);
      await page.evaluate(async () => new Promise((resolve) => requestAnimationFrame(resolve)));
      const shifted = await page.evaluate(() =>
        (globalThis as unknown as { shifts: number[] }).shifts.reduce((sum, one) => sum + one, 0),
      );
      expect([place, shifted < LAYOUT_SHIFT]).toEqual([place, true]);
    }
  });

  test("is at most 120 KB of script and style, compressed", async () => {
    let size = 0;
    for (const name of ["app.js", "style.css"]) {
      const bytes = await (await fetch(`${service.url}/console/${name}`)).arrayBuffer();
      size += gzipSync(bytes).length;
    }
    expect(size).toBeLessThan(MOST_BYTES);
  });

  test("has an icon, also at /favicon.ico", async () => {
    const icon = await fetch(`${service.url}/favicon.ico`);
    expect(icon.status).toBe(200);
    const bytes = new Uint8Array(await icon.arrayBuffer());
    expect([...bytes.subarray(0, 6)]).toEqual([0, 0, 1, 0, 1, 0]);
    const page = await (await fetch(`${service.url}/console/`)).text();
    const [, address = ""] = /rel="icon" href="([^"]+)"/.exec(page) ?? [];
    expect((await fetch(service.url + address)).headers.get("content-type")).toContain("image/svg+xml");
  });
});

test("The sports of the console's filter are those that an activity can have", () => {
  expect(SPORTS.toSorted()).toEqual(SPORT_NAMES.toSorted());
});
