import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { rideFile as demoRide, runFile } from "../../src/cli/demo/workouts.ts";
import { partnerClient, type PartnerClient } from "../conformance/partnerClient.ts";
import { startEventReceiver, type EventReceiver } from "../support/eventReceiver.ts";
import { activityFile, T0 } from "../support/fitBuilder.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { ServiceProcess, type PartnerCredentials } from "../support/serviceProcess.ts";
import { openConsole, signIn, visit, type ConsolePage } from "./consolePage.ts";

const chromium = inject("chromium");
const START = 1_760_000_000;

let service: ServiceProcess;
let host: FileHost;
let receiver: EventReceiver;
let credentials: PartnerCredentials;
let partner: PartnerClient;
let shared: ConsolePage;
let rideId: string;
let runId: string;

const ride = (startInSeconds: number) =>
  demoRide({ startInSeconds, seconds: 1_200, secondsApart: 5, effort: 1 });

/** Returns the id of the file whose URL returned 404. */
async function lostFileId(): Promise<string> {
  const failed = await partner.listFiles("status=failed");
  return failed.find(({ summary_id }) => summary_id === "lost")?.file_id ?? "";
}

async function open(options: Parameters<typeof openConsole>[2] = {}): Promise<ConsolePage> {
  const opened = await openConsole(chromium ?? "", service.url, options);
  await signIn(opened.page, credentials.partner_id, credentials.auth_key);
  return opened;
}

/** Fields of an activity that a partner can edit. */
const editedActivity = z.object({
  activity_name: z.string().nullable(),
  sport: z.string(),
  sub_sport: z.string().nullable(),
  exclude_from_training: z.boolean(),
  edited: z.array(z.string()),
});

describe.skipIf(chromium === null)("The console", () => {
  beforeAll(async () => {
    [service, host, receiver] = await Promise.all([
      ServiceProcess.start(),
      startFileHost(),
      startEventReceiver(),
    ]);
    credentials = await service.createPartner("acme", "--local", "--event-url", receiver.url);
    receiver.expect(credentials.webhook_secret);
    partner = partnerClient(service.url, credentials);
    const { files } = await partner.ping({
      summary_id: "ride-1",
      callback_url: host.serve(ride(START)),
      priority: 1,
      user_id: "rider-1",
      start_time_in_seconds: String(START),
    });
    rideId = files[0]?.file_id ?? "";
    // The demo's runs have beat-to-beat intervals.
    const run = { startInSeconds: START, seconds: 1_200, secondsApart: 2, effort: 1 };
    const pinged = await partner.ping({
      summary_id: "run-1",
      callback_url: host.serve(runFile(run)),
      priority: 1,
      user_id: "rider-3",
      start_time_in_seconds: String(START),
    });
    runId = pinged.files[0]?.file_id ?? "";
    await partner.ping({
      summary_id: "lost",
      callback_url: host.serve(new Uint8Array(), { status: 404 }),
      priority: 1,
      user_id: "rider-1",
      start_time_in_seconds: String(START),
    });
    shared = await openConsole(chromium ?? "", service.url);
  }, 180_000);

  afterAll(async () => {
    await shared.close();
    await Promise.all([service.stop(), host.close(), receiver.close()]);
  });

  test("rejects a wrong key with advice, and signs in with the right key by keyboard alone", async () => {
    const { page } = shared;
    await page.getByLabel("Partner id").focus();
    await page.keyboard.type("acme");
    await page.keyboard.press("Tab");
    await page.keyboard.type("aep_wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("The partner id and the key do not match").waitFor();
    await page.getByLabel("Key").fill("");
    await page.getByLabel("Key").focus();
    await page.keyboard.type(credentials.auth_key);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    expect(page.url()).not.toContain(credentials.auth_key);
    // Navigation by Tab and Enter moves the focus to the heading of the new page.
    await page.getByRole("link", { name: "Overview", exact: true }).focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Imports" }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Imports");
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "Imports" }).waitFor();
  });

  test("updates a running import until it ends, without a reload", async () => {
    const { page } = shared;
    for (let index = 0; index < 30; index += 1) {
      await partner.ping({
        summary_id: `history-${index}`,
        callback_url: host.serve(ride(START + 10_000 * (index + 1)), { delayInMs: 1_500 }),
        priority: 0,
        user_id: "rider-2",
        start_time_in_seconds: String(START),
      });
    }
    const { import_id } = await partner.task({
      user_id: "rider-2",
      is_initial_import: false,
      event_id: "e-1",
    });
    await visit(page, `imports/${import_id}`, "Import");
    const bar = page.getByRole("progressbar");
    await page.getByText("running", { exact: true }).waitFor();
    expect(Number(await bar.getAttribute("aria-valuenow"))).toBeLessThan(30);
    await page.getByText("completed", { exact: true }).waitFor({ timeout: 60_000 });
    await page
      .getByText(/^30 of 30 files/)
      .first()
      .waitFor();
    expect(await bar.getAttribute("aria-valuenow")).toBe("30");
  });

  test("shows why a file failed, retries it, and shows both in the timeline", async () => {
    const { page } = shared;
    await visit(page, "files?status=failed", "Files");
    await page.getByRole("link", { name: "lost" }).click();
    await page.getByRole("heading", { level: 1, name: "lost" }).waitFor();
    await page.locator(".problem").getByText("callback_gone").waitFor();
    await page.getByRole("button", { name: "Retry" }).click();
    await page.locator(".timeline").getByText("Retry requested").waitFor();
    await expect.poll(async () => page.locator(".timeline .failed").count(), { timeout: 30_000 }).toBe(2);
  });

  test("deletes a file only after a confirmation, and its activities with it", async () => {
    const { page } = shared;
    const { files } = await partner.ping({
      summary_id: "unwanted",
      callback_url: host.serve(ride(START + 50_000)),
      priority: 1,
      user_id: "rider-9",
      start_time_in_seconds: String(START + 50_000),
    });
    const id = files[0]?.file_id ?? "";
    await visit(page, `files/${id}`, "unwanted");
    await page.getByRole("link", { name: "Session 1" }).waitFor();
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Keep it" }).click();
    expect((await partner.send("GET", `/api/files/${id}/`)).status).toBe(200);
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Delete the file" }).click();
    await page.getByRole("heading", { level: 1, name: "Files" }).waitFor();
    await page.getByText("No files match these filters.").waitFor();
    expect((await partner.send("GET", `/api/files/${id}/`)).status).toBe(404);
    expect((await partner.send("GET", `/api/activities/${id}.0/`)).status).toBe(404);
  });

  test("renames a file, and edits the sports and the exclusion of an activity, until each edit is undone", async () => {
    const { page } = shared;
    const { files } = await partner.ping({
      summary_id: "edited",
      callback_url: host.serve(ride(START + 60_000)),
      priority: 1,
      user_id: "rider-8",
      start_time_in_seconds: String(START + 60_000),
    });
    const id = files[0]?.file_id ?? "";
    await partner.settledFile(id);
    const stored = async () =>
      editedActivity.parse(await (await partner.send("GET", `/api/activities/${id}.0/`)).json());
    const original = await stored();
    expect(original).toMatchObject({ activity_name: "Morning ride", edited: [] });

    const form = (label: string) =>
      page.locator("form.edit").filter({ has: page.getByLabel(label, { exact: true }) });
    const save = async (label: string, value: string) => {
      await form(label).getByRole("textbox").fill(value);
      await form(label).getByRole("button", { name: "Save" }).click();
    };
    const undo = async (label: string) => {
      await form(label).getByRole("button", { name: "Undo edit" }).click();
      await form(label).getByRole("button", { name: "Undo edit" }).waitFor({ state: "detached" });
    };
    const saved = async (label: string) => form(label).getByRole("button", { name: "Undo edit" }).waitFor();

    await visit(page, `files/${id}`, "edited");
    expect(await form("Name").getByRole("button", { name: "Save" }).isDisabled()).toBe(true);
    await save("Name", "Sunday ride");
    await saved("Name");
    expect(await stored()).toMatchObject({ activity_name: "Sunday ride", edited: ["activity_name"] });
    await undo("Name");
    expect(await form("Name").getByRole("textbox").inputValue()).toBe("Morning ride");

    await visit(page, `activities/${id}.0`, "Morning ride");
    await save("Sport", "quidditch");
    await form("Sport").getByText("/docs/#sports").waitFor();
    await save("Sport", "running");
    await saved("Sport");
    expect(await form("Sport").getByText("/docs/#sports").count()).toBe(0);
    await save("Sub-sport", "trail");
    await saved("Sub-sport");
    const excluded = page.getByLabel("Exclude from training");
    await excluded.click();
    await expect.poll(stored).toMatchObject({
      sport: "running",
      sub_sport: "trail",
      exclude_from_training: true,
      edited: ["sport", "sub_sport", "exclude_from_training"],
    });
    await page.getByText(/^Running, trail/).waitFor();
    await undo("Sport");
    await undo("Sub-sport");
    await excluded.click();
    await expect.poll(stored).toEqual(original);
  });

  test("offers and mentions a retry only where one can succeed", async () => {
    const { files } = await partner.ping({
      summary_id: "notes",
      callback_url: host.serve(new TextEncoder().encode("Felt good on the climb.")),
      priority: 1,
      user_id: "rider-1",
      start_time_in_seconds: String(START),
    });
    const notes = await partner.settledFile(files[0]?.file_id ?? "");
    const opened = await open();
    const { page } = opened;
    await visit(page, `files/${notes.file_id}`, "notes");
    const problem = page.locator(".problem");
    await problem.getByText("not_fit").waitFor();
    expect(await problem.textContent()).toContain("Ping again with the FIT file.");
    expect(await problem.textContent()).not.toMatch(/retry|tried again/i);
    expect(await page.getByRole("button", { name: "Retry" }).count()).toBe(0);
    await visit(page, `files/${await lostFileId()}`, "lost");
    await problem.getByText("A retry uses the same URL").waitFor();
    expect(await page.getByRole("button", { name: "Retry" }).count()).toBe(1);
    await opened.close();
  });

  test("shows a partner without an endpoint that events are not sent, not that deliveries fail", async () => {
    const account = await service.createPartner("quiet", "--local");
    const quiet = partnerClient(service.url, account);
    const { files } = await quiet.ping({
      summary_id: "first",
      callback_url: host.serve(ride(START)),
      priority: 0,
      user_id: "reader",
      start_time_in_seconds: String(START),
    });
    await quiet.task({ user_id: "reader", is_initial_import: false, event_id: "e-1" });
    await quiet.settledFile(files[0]?.file_id ?? "");
    await expect
      .poll(async () => (await quiet.listEvents()).map(({ status }) => status), { timeout: 30_000 })
      .toEqual(["failed"]);
    const opened = await openConsole(chromium ?? "", service.url);
    const { page } = opened;
    await signIn(page, account.partner_id, account.auth_key);
    const figure = page.locator(".figures a[href^='#/events']");
    await figure.getByText("No endpoint. Read them here.").waitFor();
    expect(await figure.textContent()).toMatch(/^Events not sent1/);
    expect(await figure.getAttribute("class")).toBe("");
    await opened.close();
  });

  test("shows each row of a list once, even when rows arrive and leave while several pages are shown", async () => {
    const account = await service.createPartner("crowd", "--local");
    const crowd = partnerClient(service.url, account);
    const hold = async (...summaryIds: string[]) =>
      crowd.ping(
        ...summaryIds.map((summary_id) => ({
          summary_id,
          callback_url: host.serve(ride(START)),
          priority: 0 as const,
          user_id: summary_id.startsWith("going") ? "runner" : "walker",
          start_time_in_seconds: String(START),
        })),
      );
    const staying = Array.from({ length: 60 }, (_, index) => `staying-${index}.`);
    await hold(...staying);
    await hold(...Array.from({ length: 5 }, (_, index) => `going-${index}.`));
    const opened = await openConsole(chromium ?? "", service.url);
    const { page } = opened;
    await page.clock.install();
    await signIn(page, account.partner_id, account.auth_key);
    await visit(page, "files?status=held", "Files");
    const shown = async () => page.locator("tbody tr td:first-child a").allTextContents();
    await page.getByRole("button", { name: "Show more" }).click();
    await expect.poll(async () => (await shown()).length).toBe(65);
    await hold("new-0.", "new-1.", "new-2.");
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.clock.runFor(30_000);
    await crowd.task({ user_id: "runner", is_initial_import: false });
    await page.clock.runFor(30_000);
    const rows = await shown();
    expect(rows.toSorted()).toEqual([...new Set(rows)].toSorted());
    expect(staying.filter((name) => !rows.includes(name))).toEqual([]);
    expect(requests).toEqual([]);
    // Lists include a new file a moment after the response to its ping.
    await expect
      .poll(async () => (await crowd.listFiles("user_id=walker")).map((file) => file.summary_id))
      .toContain("new-2.");
    await page.getByRole("button", { name: "Refresh" }).click();
    await expect
      .poll(async () => (await shown()).slice(0, 3).toSorted())
      .toEqual(["new-0.", "new-1.", "new-2."]);
    await opened.close();
  });

  test("polls the failures of an import until the import ends", async () => {
    const { files } = await partner.ping({
      summary_id: "gone",
      callback_url: host.serve(new Uint8Array(), { status: 404 }),
      priority: 0,
      user_id: "rider-3",
      start_time_in_seconds: String(START),
    });
    const { import_id } = await partner.task({ user_id: "rider-3", is_initial_import: false });
    const opened = await openConsole(chromium ?? "", service.url);
    const { page } = opened;
    await page.clock.install();
    await signIn(page, credentials.partner_id, credentials.auth_key);
    await visit(page, `imports/${import_id}`, "Import");
    await expect
      .poll(async () => {
        await page.clock.runFor(2_000);
        return page
          .getByRole("list", { name: "Failures by error" })
          .locator(`a[href="#/files/${files[0]?.file_id}"]`)
          .count();
      })
      .toBe(1);
    await page.getByText("completed with failures", { exact: true }).waitFor();
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await expect
      .poll(async () => {
        requests.length = 0;
        await page.clock.runFor(60_000);
        return requests;
      })
      .toEqual([]);
    await opened.close();
  });

  test("shows an address with invalid encoding as not found", async () => {
    const opened = await open();
    const { page } = opened;
    await visit(page, "files/%", "File");
    await page.getByRole("alert").getByText("not_found").waitFor();
    await page.reload();
    await page.getByRole("alert").getByText("not_found").waitFor();
    await page.evaluate(() => location.assign("#/%E0%A4%A"));
    await page.getByText("The console has no page at this address.").waitFor();
    await opened.close();
  });

  test("draws a route and charts with a shared cursor", async () => {
    const { page } = shared;
    await visit(page, `activities/${rideId}.0`, /./);
    await page.getByText("Plain").click();
    const line = page.locator(".route > svg .line");
    expect((await line.getAttribute("d"))?.length ?? 0).toBeGreaterThan(1_000);
    const painted = async () =>
      page.locator(".chart canvas").evaluateAll((canvases) =>
        canvases.map((canvas) => {
          if (!(canvas instanceof HTMLCanvasElement)) return 0;
          const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
          const colors = new Set<string>();
          for (let at = 0; at < pixels.length; at += 4) {
            if (Number(pixels[at + 3]) > 200) colors.add([pixels[at], pixels[at + 1], pixels[at + 2]].join());
          }
          return colors.size;
        }),
      );
    const charts = await painted();
    expect(charts).toHaveLength(4);
    for (const colors of charts) expect(colors).toBeGreaterThan(3);
    // Counts the pixels of the route in the accent colour of the page.
    const shot = await page.locator(".route > svg").screenshot();
    const marked = await page.evaluate(async (base64) => {
      const image = new Image();
      image.src = `data:image/png;base64,${base64}`;
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      const context = canvas.getContext("2d");
      context?.drawImage(image, 0, 0);
      const pixels = context?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      let accent = 0;
      for (let at = 0; at < pixels.length; at += 4) {
        if (pixels[at] === 11 && pixels[at + 1] === 87 && pixels[at + 2] === 184) accent += 1;
      }
      return accent;
    }, shot.toString("base64"));
    expect(marked).toBeGreaterThan(300);

    const box = await page.locator(".u-over").first().boundingBox();
    if (box === null) throw new Error("no chart");
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.locator(".route .here").waitFor();
    const cursors = async () =>
      page
        .locator(".u-cursor-x")
        .evaluateAll((lines) => lines.map((line) => getComputedStyle(line).transform));
    await expect.poll(async () => new Set(await cursors()).size).toBe(1);
    expect((await cursors())[0]).not.toBe("none");
    const before = await page.locator(".cursor output").textContent();
    await page.getByText("over distance").click();
    await page.getByLabel("Position in the activity").focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(async () => page.locator(".cursor output").textContent()).not.toBe(before);
    expect(await page.locator(".cursor output").textContent()).toContain("km");
  });

  test("offers a chart for each other stream of the activity", async () => {
    const { page } = shared;
    await visit(page, "try", "Try it");
    const file = activityFile();
    for (let second = 0; second < 60; second++) {
      file.record(second, [
        [7, "uint16", 200],
        [41, "uint16", 2_500 + second],
      ]);
    }
    await page.locator("input[type=file]").setInputFiles({
      name: "run.fit",
      mimeType: "application/vnd.ant.fit",
      buffer: Buffer.from(file.build()),
    });
    await page.getByText("run.fit: 1 activity.").waitFor();
    expect(await page.locator(".chart").count()).toBe(1);
    await page.getByLabel("Stance time", { exact: true }).check();
    await page.getByRole("img", { name: "Stance time over time: 250 to 256 ms" }).waitFor();
    await page.getByLabel("Power", { exact: true }).uncheck();
    expect(await page.locator(".chart").count()).toBe(1);
    expect(await page.getByLabel("Step length").count()).toBe(0);
  });

  test("shows the athlete, time in zones, strength sets and the lap fields that a file contains", async () => {
    const { page } = shared;
    await visit(page, "try", "Try it");
    const file = activityFile()
      .message(3, [
        [4, "uint16", 685],
        [8, "uint8", 0],
      ])
      .message(216, [
        [0, "uint16", 18],
        [1, "uint16", 0],
        [2, "uint32", [90_000, 510_000]],
        [6, "uint8", [130]],
      ])
      .message(225, [
        [5, "uint8", 1],
        [3, "uint16", 12],
        [7, "uint16", [0]],
        [8, "uint16", [1]],
      ])
      .lap([
        [2, "uint32", T0],
        [23, "enum", 2],
      ])
      .session();
    await page.locator("input[type=file]").setInputFiles({
      name: "gym.fit",
      mimeType: "application/vnd.ant.fit",
      buffer: Buffer.from(file.build()),
    });
    await page.getByText("gym.fit: 1 activity.").waitFor();
    await page.getByText("68.5\u00a0kg").waitFor();
    expect(await page.getByText("Resting heart rate").count()).toBe(0);
    const zones = page.getByRole("region", { name: "Time in heart rate zones" });
    expect(await zones.locator("tbody tr").allTextContents()).toEqual([
      "–130\u00a0bpm1:30",
      "130\u00a0bpm–8:30",
    ]);
    expect(await page.getByText("Time in power zones").count()).toBe(0);
    const sets = page.getByRole("region", { name: "Strength sets" });
    expect(await sets.locator("tbody tr").allTextContents()).toEqual(["1activebarbell bench press12"]);
    const laps = page.getByRole("region", { name: "Laps" });
    expect(await laps.locator("th").allTextContents()).toEqual(["Lap", "Intensity"]);
  });

  test("shows beat-to-beat intervals as a chart, offers them as CSV, and reads them only where they are", async () => {
    const opened = await open();
    const { page } = opened;
    const read: string[] = [];
    page.on("request", (request) => read.push(new URL(request.url()).pathname));
    await visit(page, `activities/${rideId}.0`, /./);
    await page.locator(".chart canvas").nth(3).waitFor();
    expect(await page.locator(".beats").count()).toBe(0);
    expect(read.filter((path) => path.endsWith("/rr/"))).toEqual([]);
    await visit(page, `activities/${runId}.0`, /./);
    const beats = page.locator(".beats");
    await beats.getByText(/^[\d,]+ intervals of hrv messages/).waitFor();
    await beats.getByRole("img", { name: /^R-R interval over time: \d+ to \d+/ }).waitFor();
    expect(await beats.locator("canvas").count()).toBe(1);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      beats.getByRole("button", { name: "Download the intervals as CSV" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`${runId}.0-rr.csv`);
    const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
    expect(lines[0]).toBe("time_in_seconds,interval_in_seconds");
    expect(lines.length).toBeGreaterThan(2_000);
    expect(lines.at(-1)).toMatch(/^11\d\d(\.\d+)?,0\.\d+$|^1200,0\.\d+$/);
    expect(opened.errors).toEqual([]);
    await opened.close();
  });

  test("shows the activities of a dropped file, and why another file is not accepted", async () => {
    const { page } = shared;
    await visit(page, "try", "Try it");
    const drop = async (bytes: Uint8Array, name: string) => {
      const data = await page.evaluateHandle(
        ([content, fileName]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(content)], fileName));
          return transfer;
        },
        [[...bytes], name] as const,
      );
      await page.dispatchEvent(".drop", "drop", { dataTransfer: data });
    };
    await drop(ride(START), "ride.fit");
    await page.getByText("ride.fit: 1 activity.").waitFor();
    await page.locator(".chart canvas").nth(3).waitFor();
    expect(await page.locator(".chart canvas").count()).toBe(4);
    await drop(new Uint8Array(200), "zeros.fit");
    await page.getByRole("alert").getByText("not_fit").waitFor();
    // The browser logs the 422 as an error.
    await expect.poll(() => shared.errors.length).toBeGreaterThan(0);
  });

  test("passes the check of an integration that verifies signatures, and offers the report as JSON", async () => {
    const { page } = shared;
    await visit(page, "check", "Check my integration");
    await page.getByRole("button", { name: "Run the check" }).click();
    await page.getByText("All 13 steps passed.").waitFor({ timeout: 100_000 });
    expect(await page.locator(".steps .status").allTextContents()).toEqual(
      Array.from({ length: 13 }, () => "passed"),
    );
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download the report as JSON" }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^integration-acme-.*\.json$/);
  });

  describe("in each view, light and dark,", () => {
    let audited: ConsolePage;

    beforeAll(async () => {
      audited = await openConsole(chromium ?? "", service.url);
    });

    afterAll(async () => audited.close());

    /** Opens the place once. The schemes and widths share the page. */
    async function audit(place: string, title: string | RegExp): Promise<void> {
      const { page } = audited;
      await page.setViewportSize({ width: 1280, height: 900 });
      if (place !== "") await visit(page, place, title);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([colorScheme, await audited.violations()]).toEqual([colorScheme, []]);
      }
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    }

    test("has no serious accessibility violation in the sign-in", async () => {
      await audit("", "Sign in");
      await signIn(audited.page, credentials.partner_id, credentials.auth_key);
    });

    test.for([
      ["overview", "Overview", (): string => "overview"],
      ["imports", "Imports", (): string => "imports"],
      [
        "import",
        "Import",
        async (): Promise<string> => `imports/${(await partner.listFiles("user_id=rider-2"))[0]?.import_id}`,
      ],
      ["files", "Files", (): string => "files"],
      ["failed file", "lost", async (): Promise<string> => `files/${await lostFileId()}`],
      ["activities", "Activities", (): string => "activities"],
      ["ride", /./, (): string => `activities/${rideId}.0`],
      ["run", /./, (): string => `activities/${runId}.0`],
      ["events", "Events", (): string => "events"],
      ["event", "Event", async (): Promise<string> => `events/${(await partner.listEvents())[0]?.id}`],
      ["settings", "Settings", (): string => "settings"],
      ["try", "Try it", (): string => "try"],
      ["check", "Check my integration", (): string => "check"],
    ] as const)(
      "has no serious accessibility violation in the view %s, and never scrolls sideways at 360 px",
      async ([, title, place]) => audit(await place(), title),
    );

    test("logs no error, and sends requests to the service only", () => {
      expect(audited.errors).toEqual([]);
      expect(audited.foreignRequests).toEqual([]);
    });
  });

  test("sends no key from a page that was loaded over http, and says what to do", async () => {
    const opened = await openConsole(chromium ?? "", service.url);
    const { page } = opened;
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await page.route("http://console.example/**", async (route) => {
      const { pathname } = new URL(route.request().url());
      await route.fulfill({ response: await route.fetch({ url: service.url + pathname }) });
    });
    await page.goto("http://console.example/console/");
    await page.getByLabel("Partner id").fill("acme");
    await page.getByLabel("Key").fill("a key");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("Open this page with https://").waitFor();
    expect(requests).toContain("/console/app.js");
    expect(requests.filter((path) => path.startsWith("/api/"))).toEqual([]);
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await opened.close();
  });

  test("sends requests to the service only, and logs only the errors that these tests cause", () => {
    expect(shared.foreignRequests).toEqual([]);
    for (const error of shared.errors) expect(error).toMatch(/status of (?:400|401|404|422)/);
  });

  test("is served with and without a trailing slash, under a policy that blocks all other hosts", async () => {
    for (const address of ["/console", "/console/", "/console/app.js"]) {
      const response = await fetch(service.url + address);
      expect([address, response.status]).toEqual([address, 200]);
      const policy = response.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
      expect(policy).not.toContain("unsafe");
    }
  });

  test("keeps the view of an address without the trailing slash through sign-in", async () => {
    const opened = await openConsole(chromium ?? "", service.url);
    const { page } = opened;
    await page.goto(`${service.url}/console#/files?status=held`);
    await page.getByLabel("Partner id").fill(credentials.partner_id);
    await page.getByLabel("Key").fill(credentials.auth_key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Files" }).waitFor();
    expect(page.url()).toBe(`${service.url}/console/#/files?status=held`);
    await opened.close();
  });

  test("deletes the key on sign-out", async () => {
    const opened = await open();
    await opened.page.getByRole("button", { name: "Sign out" }).click();
    await opened.page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
    expect(await opened.page.evaluate(() => JSON.stringify(sessionStorage))).toBe("{}");
    await opened.close();
  });
});
