import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { Locator, Page } from "playwright-core";
import { z } from "zod";
import { poolSwimFile, triathlonFile } from "../../src/cli/demo/workouts.ts";
import { activityFile, type Reading } from "../../src/fitWriter/activityFile.ts";
import { partnerClient, type PartnerClient } from "../conformance/partnerClient.ts";
import { startFileHost, type FileHost } from "../support/fileHost.ts";
import { ServiceProcess, type PartnerCredentials } from "../support/serviceProcess.ts";
import { openConsole, signIn, visit, type ConsolePage } from "./consolePage.ts";

const chromium = inject("chromium");
const START = 1_760_000_000;
const RUNNING = 1;

const METERS_PER_SECOND = 3;
const PAUSE = { from: 600, to: 900 };
const END = 1_500;
const METERS = (END - (PAUSE.to - PAUSE.from)) * METERS_PER_SECOND;

/**
 * A run on a loop below sea level, with a pause. For 200 s after the pause the positions are 2 km further north. The power
 * meter measures nothing. The heart rate is 120 before the pause and 160 after it, on average.
 */
function runFile(): Uint8Array<ArrayBuffer> {
  const readings: Reading[] = [];
  for (let seconds = 0; seconds <= END; seconds += 2) {
    if (seconds > PAUSE.from && seconds < PAUSE.to) continue;
    const isBefore = seconds <= PAUSE.from;
    const distance = (isBefore ? seconds : seconds - PAUSE.to + PAUSE.from) * METERS_PER_SECOND;
    const angle = (2 * Math.PI * distance) / METERS;
    const isAstray = seconds >= PAUSE.to && seconds < PAUSE.to + 200;
    readings.push({
      seconds,
      latitudeInDegrees: 52 + 0.005 * Math.sin(angle) + (isAstray ? 0.02 : 0),
      longitudeInDegrees: 5 + 0.008 * Math.cos(angle),
      altitudeInMeters: -10 + 5 * Math.cos(angle),
      heartRate: (isBefore ? 120 : 160) + (seconds % 4 === 0 ? 2 : -2),
      cadence: 85,
      distanceInMeters: distance,
      speedInMetersPerSecond: METERS_PER_SECOND,
      powerInWatts: 0,
    });
  }
  return activityFile(START, [
    {
      sport: RUNNING,
      startSeconds: 0,
      seconds: END,
      readings,
      laps: [
        { startSeconds: 0, seconds: PAUSE.from, distanceInMeters: METERS / 2 },
        { startSeconds: PAUSE.to, seconds: END - PAUSE.to, distanceInMeters: METERS / 2 },
      ],
      totals: {
        distanceInMeters: METERS,
        averageSpeedInMetersPerSecond: METERS_PER_SECOND,
        averageHeartRate: 140,
        averageCadence: 85,
        averagePowerInWatts: 0,
      },
    },
  ]);
}

const CYCLING = 2;
const HILL_SECONDS = 1_000;

/** A ride up a hill of 200 m on a straight road, and down the other side, both of 10 %. */
function hillFile(): Uint8Array<ArrayBuffer> {
  const readings = Array.from({ length: HILL_SECONDS + 1 }, (_, seconds): Reading => {
    const distance = seconds * 4;
    return {
      seconds,
      latitudeInDegrees: 47,
      longitudeInDegrees: 8 + distance * 1e-5,
      altitudeInMeters: 500 + 0.1 * Math.min(distance, 4 * HILL_SECONDS - distance),
      distanceInMeters: distance,
      speedInMetersPerSecond: 4,
    };
  });
  return activityFile(START, [
    {
      sport: CYCLING,
      startSeconds: 0,
      seconds: HILL_SECONDS,
      readings,
      laps: [],
      totals: { distanceInMeters: 4 * HILL_SECONDS },
    },
  ]);
}

/** A ride indoors with a constant altitude, a speed every 30 s, and none from a third to two thirds of the time. */
function sparseFile(): Uint8Array<ArrayBuffer> {
  const readings = Array.from({ length: 901 }, (_, seconds): Reading => {
    const isRest = seconds > 300 && seconds < 600;
    const speed = seconds % 30 === 0 && !isRest ? { speedInMetersPerSecond: 5 + (seconds % 60) / 30 } : {};
    return { seconds, heartRate: 120, altitudeInMeters: 100, ...speed };
  });
  return activityFile(START, [
    {
      sport: CYCLING,
      startSeconds: 0,
      seconds: 900,
      readings,
      laps: [],
      totals: { averageHeartRate: 120 },
    },
  ]);
}

const swim = { startInSeconds: START + 100_000, seconds: 600, secondsApart: 1, effort: 1 };
const triathlon = { startInSeconds: START + 200_000, seconds: 3_000, secondsApart: 4, effort: 1 };

let service: ServiceProcess;
let host: FileHost;
let partner: PartnerClient;
let credentials: PartnerCredentials;
let opened: ConsolePage;
let page: Page;
let runId: string;
let hillId: string;
let sparseId: string;
let swimId: string;
let triathlonId: string;

async function imported(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const { files } = await partner.ping({
    summary_id: name,
    activity_name: name,
    callback_url: host.serve(bytes),
    priority: 1,
    user_id: "athlete",
    start_time_in_seconds: String(START),
  });
  const id = files[0]?.file_id ?? "";
  await partner.settledFile(id);
  return id;
}

/** Opens an activity, and waits until its last part is shown. */
async function show(fileId: string, title: string, session = 0): Promise<void> {
  await visit(page, "overview", "Overview");
  await visit(page, `activities/${fileId}.${session}`, title);
  await page.locator(".exports").waitFor();
}

const chart = (title: string): Locator => page.locator(".chart").filter({ hasText: title });

/** Color of a canvas at shares of the plotted area, as red, green, blue and opacity. */
async function colorAt(title: string, across: number, down: number): Promise<number[]> {
  return chart(title).evaluate(
    (figure, [x, y]) => {
      const canvas = figure.querySelector("canvas");
      const over = figure.querySelector(".u-over");
      const context = canvas?.getContext("2d");
      if (canvas == null || over === null || context == null) throw new Error("no chart");
      const [outer, inner] = [canvas.getBoundingClientRect(), over.getBoundingClientRect()];
      const scale = canvas.width / outer.width;
      const left = (inner.left - outer.left + inner.width * x) * scale;
      const top = (inner.top - outer.top + inner.height * y) * scale;
      return [...context.getImageData(Math.round(left), Math.round(top), 1, 1).data];
    },
    [across, down] as const,
  );
}

/** Drags across a part of a chart. */
async function drag(title: string, from: number, to: number): Promise<void> {
  const over = chart(title).locator(".u-over");
  await over.scrollIntoViewIfNeeded();
  const box = await over.boundingBox();
  if (box === null) throw new Error("no chart");
  await page.mouse.move(box.x + box.width * from, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * to, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
}

const range = () => page.locator(".cursor .range");
/** Value of a trace in the readout, at the cursor. */
const reading = (title: string) => page.locator(".cell").filter({ hasText: title }).locator("strong");

/** Number of pixels of a color in a screenshot of an element. */
async function pixelsOf(element: Locator, color: readonly number[]): Promise<number> {
  const shot = (await element.screenshot()).toString("base64");
  return page.evaluate(
    async ([base64, wanted]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${base64}`;
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      const context = canvas.getContext("2d");
      context?.drawImage(image, 0, 0);
      const pixels = context?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      let found = 0;
      for (let at = 0; at < pixels.length; at += 4) {
        if (wanted.every((part, index) => pixels[at + index] === part)) found += 1;
      }
      return found;
    },
    [shot, color] as const,
  );
}

describe.skipIf(chromium === null)("The page of an activity", () => {
  beforeAll(async () => {
    [service, host] = await Promise.all([ServiceProcess.start(), startFileHost()]);
    credentials = await service.createPartner("acme", "--local");
    partner = partnerClient(service.url, credentials);
    runId = await imported("Loop", runFile());
    hillId = await imported("Hill", hillFile());
    sparseId = await imported("Indoors", sparseFile());
    swimId = await imported("Pool", poolSwimFile(swim));
    triathlonId = await imported("Olympic", triathlonFile(triathlon));
    opened = await openConsole(chromium ?? "", service.url);
    page = opened.page;
    await signIn(page, credentials.partner_id, credentials.auth_key);
  }, 180_000);

  afterAll(async () => {
    expect(opened.errors).toEqual([]);
    expect(opened.foreignRequests).toEqual([]);
    await opened.close();
    await Promise.all([service.stop(), host.close()]);
  });

  test("shows a run in minutes per kilometer and steps per minute, and nothing that is zero throughout", async () => {
    await show(runId, "Loop");
    expect(await page.locator(".large dt").allTextContents()).toEqual([
      "Distance",
      "Time",
      "Average pace",
      "Average heart rate",
      "Ascent",
    ]);
    const large = await page.locator(".large dd").allTextContents();
    expect(large.map((text) => text.replaceAll("\u00a0", " "))).toEqual([
      "3.60 km",
      "25:00",
      "5:33 min/km",
      "140 bpm",
      "10 m",
    ]);
    expect(await page.locator(".cell").last().textContent()).toContain("avg 170");
    expect(await page.locator(".number-groups").textContent()).toContain("170\u00a0spm");
    expect(await page.getByText("Elapsed time").isVisible()).toBe(false);
    await page.getByText("All numbers").click();
    await page.getByText("Elapsed time").waitFor();
    for (const part of [".totals", ".charts", ".route", ".laps"]) {
      expect(await page.locator(part).textContent()).not.toMatch(/power|km\/h/i);
    }
    expect(await page.locator(".chart strong").allTextContents()).toEqual([
      "Pace",
      "Heart rate",
      "Altitude",
      "Cadence",
    ]);
  });

  test("interrupts lines at a pause and shades it, and fills altitudes below zero from the bottom", async () => {
    await show(runId, "Loop");
    const PAUSE_COLOR = [228, 232, 238, 255];
    // The pause is from 40 to 60 % of the time.
    for (const down of [0.1, 0.9]) {
      expect(await colorAt("Heart rate", 0.5, down)).toEqual(PAUSE_COLOR);
      expect(await colorAt("Altitude", 0.5, down)).toEqual(PAUSE_COLOR);
    }
    expect(await colorAt("Heart rate", 0.3, 0.97)).not.toEqual(PAUSE_COLOR);
    const [, , , above] = await colorAt("Altitude", 0.33, 0.04);
    const [red = 0, green = 0, , below] = await colorAt("Altitude", 0.33, 0.97);
    expect([above, below]).toEqual([0, expect.toSatisfy((opacity: number) => opacity > 20)]);
    expect(green).toBeGreaterThan(red);
  });

  test("interrupts the route at a pause and at jumps, and shows start and finish of a loop apart", async () => {
    await show(runId, "Loop");
    await page.getByText("Plain").click();
    const line = await page.locator(".route > svg .line").getAttribute("d");
    expect(line?.split("M").length).toBe(4);
    const [start, finish] = await Promise.all(
      [".start", ".finish"].map(async (mark) => page.locator(`.route > svg ${mark}`).boundingBox()),
    );
    expect((finish?.x ?? 0) - (start?.x ?? 0)).toBeGreaterThanOrEqual(12);
    expect(await page.locator(".mark-km text").allTextContents()).toEqual(["1", "2", "3"]);
    await page.locator(".scale-bar").getByText("200 m").waitFor();
    expect(await page.locator(".route .arrow").count()).toBeGreaterThan(5);
  });

  test("colors the route by heart rate", async () => {
    await show(runId, "Loop");
    await page.locator(".route .switch").getByText("Heart rate").click();
    const map = page.locator(".route > svg");
    const SLOWEST_BLUE = [59, 76, 192];
    const FASTEST_RED = [184, 20, 44];
    expect(await pixelsOf(map, SLOWEST_BLUE)).toBeGreaterThan(100);
    expect(await pixelsOf(map, FASTEST_RED)).toBeGreaterThan(100);
    await page.locator(".color-scale").getByText("118\u00a0bpm").waitFor();
    await page.locator(".route .switch").getByText("Plain").click();
    expect(await pixelsOf(map, FASTEST_RED)).toBe(0);
  });

  test("shows the elevation under the route in the colors of the gradient, with the cursor of map and charts", async () => {
    await show(hillId, "Hill");
    await page.locator(".route .switch").getByText("Gradient").click();
    await page.locator(".color-scale").getByText("-10\u00a0%").waitFor();
    const profile = page.locator(".profile svg");
    const DOWN_BLUE = [59, 76, 192];
    const UP_RED = [184, 20, 44];
    const extentOf = async (color: readonly number[]) =>
      profile.locator(`path.c${color === UP_RED ? 5 : 0}`).evaluate((line) => {
        if (!(line instanceof SVGGraphicsElement)) throw new Error("no line");
        const { x, width } = line.getBBox();
        return [Math.round(x), Math.round(x + width)];
      });
    expect(await pixelsOf(profile, UP_RED)).toBeGreaterThan(100);
    expect(await pixelsOf(profile, DOWN_BLUE)).toBeGreaterThan(100);
    const [[upFrom = 0, upTo = 0], [downFrom = 0, downTo = 0]] = [
      await extentOf(UP_RED),
      await extentOf(DOWN_BLUE),
    ];
    expect([upFrom, upTo < 205, downFrom > 195, downTo]).toEqual([0, true, true, 400]);

    await profile.hover({ position: { x: ((await profile.boundingBox())?.width ?? 0) / 4, y: 30 } });
    await page.locator(".profile p", { hasText: /(59|60)\d\sm/ }).waitFor();
    expect(await page.locator(".cursor .at").textContent()).toMatch(/^4:\d\d · (99\d\sm|1\.0\d\skm)$/);
    expect(await page.locator(".route .here").count()).toBe(1);
    await page.getByLabel("Position in the activity").focus();
    await page.keyboard.press("End");
    await expect.poll(async () => page.locator(".profile .cursor-line").getAttribute("x1")).toBe("400");
    await page.mouse.move(0, 0);
  });

  test("draws no line over a rest without readings, and at first no chart of a constant altitude", async () => {
    await show(sparseId, "Indoors");
    expect(await page.locator(".chart strong").allTextContents()).toEqual(["Heart rate", "Speed"]);
    expect((await colorAt("Speed", 0.2, 0.95))[3]).toBeGreaterThan(20);
    expect((await colorAt("Speed", 0.5, 0.95))[3]).toBe(0);
    await page.getByLabel("Altitude", { exact: true }).check();
    await chart("Altitude").getByText("100\u00a0m", { exact: true }).waitFor();
  });

  test("zooms all charts by dragging, with the averages of the selection, until a double click", async () => {
    await show(runId, "Loop");
    await range().getByText("Whole activity").waitFor();
    await drag("Heart rate", 0.1, 0.3);
    await range().getByText("Selection").waitFor();
    expect(await range().textContent()).toMatch(/Selection (4:5\d|5:0\d) · (89\d|90\d)\sm/);
    await page.locator(".cell").filter({ hasText: "Heart rate" }).getByText("avg 120").waitFor();
    // The pause is outside of the zoomed part, in every chart.
    expect((await colorAt("Pace", 0.5, 0.05))[3]).toBe(0);
    await chart("Altitude").locator(".u-over").dblclick();
    await range().getByText("Whole activity").waitFor();
  });

  test("zooms with buttons for people without a pointer, and to a lap", async () => {
    await show(runId, "Loop");
    await page.getByLabel("Position in the activity").focus();
    await page.keyboard.press("PageUp");
    await page.getByRole("button", { name: "Zoom in" }).click();
    await range().getByText("Selection").waitFor();
    await page.getByRole("button", { name: "Show all" }).click();
    await range().getByText("Whole activity").waitFor();
    expect(await page.locator(".laps .bar").count()).toBe(2);
    await page
      .locator(".laps .plot > svg")
      .first()
      .click({ position: { x: 600, y: 60 } });
    await page.locator(".laps output").getByText("Lap 2 · 10:00 · 1.80").waitFor();
    expect(await range().textContent()).toMatch(/^Selection 10:00/);
    await page.locator(".cell").filter({ hasText: "Heart rate" }).getByText("avg 160").waitFor();
  });

  test("smooths lines over 30 seconds, and draws each trace that is chosen", async () => {
    await show(runId, "Loop");
    await page.getByLabel("Position in the activity").focus();
    await page.keyboard.press("PageUp");
    expect(await reading("Heart rate").textContent()).toMatch(/118|122/);
    await page.getByText("30 s").click();
    await expect.poll(async () => reading("Heart rate").textContent()).toBe("120\u00a0bpm");
    expect(await page.locator(".chart").count()).toBe(4);
    await page.getByLabel("Cadence", { exact: true }).uncheck();
    expect(await page.locator(".chart").count()).toBe(3);
  });

  test("keeps the cursor when the axis changes, and the readout in sight while the charts scroll", async () => {
    await show(runId, "Loop");
    await page.getByLabel("Position in the activity").focus();
    for (let press = 0; press < 3; press += 1) await page.keyboard.press("PageUp");
    const share = async () =>
      page.locator(".u-cursor-x").evaluateAll((lines) =>
        lines.map((line) => {
          const left = new DOMMatrix(getComputedStyle(line).transform).e;
          return Math.round((100 * left) / (line.parentElement?.clientWidth ?? 1));
        }),
      );
    const position = async () => page.locator(".cursor .at").textContent();
    const before = await position();
    expect(before).toMatch(/km|m$/);
    await page.getByText("over distance").click();
    expect(await position()).toBe(before);
    const covered =
      Number(/([\d.]+)\skm/.exec(before ?? "")?.[1]) * 1000 || Number(/(\d+)\sm/.exec(before ?? "")?.[1]);
    const wanted = Math.round((100 * covered) / METERS);
    await expect.poll(async () => (await share()).every((left) => Math.abs(left - wanted) <= 1)).toBe(true);
    await page.setViewportSize({ width: 390, height: 700 });
    await chart("Cadence").scrollIntoViewIfNeeded();
    const readout = await page.locator(".cursor").boundingBox();
    expect(readout?.y).toBeGreaterThanOrEqual(0);
    expect((readout?.y ?? 0) + (readout?.height ?? 0)).toBeLessThan(350);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("shows a pool swim as bars of each length with pace and SWOLF, and rests as gaps", async () => {
    await show(swimId, "Pool");
    const bars = page.locator(".pool .bars").first();
    const edges = await bars
      .locator(".bar")
      .evaluateAll((rects) =>
        rects.map((rect) => [Number(rect.getAttribute("x")), Number(rect.getAttribute("width"))]),
      );
    const gaps = edges.slice(1).map(([x = 0], index) => x - (edges[index] ?? []).reduce((a, b) => a + b, 0));
    // Eight lengths in a row, then a rest, and four more.
    const rests = gaps.slice(0, 12).flatMap((gap, index) => (gap > 5 ? [index] : []));
    expect(rests).toEqual([7, 11]);
    await bars.getByRole("slider").focus();
    await page.keyboard.press("ArrowRight");
    await bars
      .getByText(/^Length 2 · lap 1 · 0:2\d · 1:[34]\d\smin\/100 m · \d+ strokes · SWOLF 3\d/)
      .waitFor();
    await page.locator(".large").getByText("min/100 m").waitFor();
    expect(await page.locator("main").textContent()).not.toContain("km/h");
  });

  test("shows a triathlon as a strip of linked legs with its sum", async () => {
    await show(triathlonId, "Olympic", 0);
    const legs = page.locator(".legs");
    await legs.getByText("Triathlon").waitFor();
    expect(await legs.locator("li strong").allTextContents()).toEqual([
      "Swimming",
      "T1",
      "Cycling",
      "T2",
      "Running",
    ]);
    expect(await legs.locator("p").textContent()).toMatch(/Triathlon \d+\.\d\d\skm · 49:52$/);
    await legs.getByRole("link", { name: "Running" }).click();
    await page.locator(".legs [aria-current]").getByText("Running").waitFor();
    expect(page.url()).toContain(`${triathlonId}.4`);
  });

  test("downloads the original bytes, and the activity as JSON", async () => {
    await show(runId, "Loop");
    const saved = async (name: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name }).click(),
      ]);
      return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
    };
    const original = await saved("Original file");
    expect(original.name).toBe(`${runId}.fit`);
    expect(original.bytes.equals(runFile())).toBe(true);
    const json = await saved("JSON");
    expect(z.object({ activity_id: z.string() }).parse(JSON.parse(json.bytes.toString()))).toEqual({
      activity_id: `${runId}.0`,
    });
  });

  test("moves nothing while it loads, and has no accessibility violation at three widths in both schemes", async () => {
    const findings = z.object({
      violations: z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) })),
    });
    const activities = [
      [`${runId}.0`, "Loop"],
      [`${swimId}.0`, "Pool"],
      [`${triathlonId}.2`, "Olympic"],
    ] as const;
    for (const dark of [false, true]) {
      const own = await openConsole(chromium ?? "", service.url, { dark });
      await signIn(own.page, credentials.partner_id, credentials.auth_key);
      for (const [width, count] of [
        [1440, 1],
        [1024, 1],
        [390, 3],
      ] as const) {
        await own.page.setViewportSize({ width, height: 900 });
        for (const [id, title] of activities.slice(0, count)) {
          await own.page.goto("about:blank");
          await own.page.goto(`${service.url}/console/#/activities/${id}`);
          await own.page.locator(".exports").waitFor();
          const shift = await own.page.evaluate(
            async () =>
              new Promise<number>((resolve) => {
                let sum = 0;
                new PerformanceObserver((list) => {
                  for (const entry of list.getEntries()) sum += Number(Reflect.get(entry, "value"));
                }).observe({ type: "layout-shift", buffered: true });
                requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
              }),
          );
          expect([title, width, shift < 0.1]).toEqual([title, width, true]);
          await own.violations();
          const found = findings.parse(
            await own.page.evaluate(
              "axe.run('main', { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })",
            ),
          );
          const said = found.violations.map(
            (one) => `${one.id}: ${one.nodes.map(({ html }) => html).join(" ")}`,
          );
          expect([title, width, dark, said]).toEqual([title, width, dark, []]);
          const wide = await own.page.evaluate(() => document.documentElement.scrollWidth);
          expect([title, wide]).toEqual([title, width]);
        }
      }
      await own.close();
    }
  }, 240_000);
});
