import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { ServiceProcess } from "../support/serviceProcess.ts";

const executablePath = inject("chromium");
const WIDTHS = [1440, 1024, 390];
const PAGES = ["/", "/docs/", "/docs/schemas/", "/docs/changelog/"];
/** Rules of WCAG 2.2 A and AA, target size included, and best practices. */
const AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const findings = z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) }));

let service: ServiceProcess;
let browser: Browser;
let axe: string;

interface View {
  width?: number;
  dark?: boolean;
  script?: boolean;
}

async function open(path: string, { width = 1440, dark = false, script = true }: View = {}): Promise<Page> {
  const context: BrowserContext = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: dark ? "dark" : "light",
    javaScriptEnabled: script,
    permissions: script ? ["clipboard-read", "clipboard-write"] : [],
  });
  const page = await context.newPage();
  await page.goto(service.url + path);
  return page;
}

/** Runs an expression in the page. */
async function valueOf<T>(page: Page, expression: string, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(await page.evaluate(expression));
}

describe.skipIf(executablePath === null)("The documentation in a browser", () => {
  beforeAll(async () => {
    service = await ServiceProcess.start();
    browser = await chromium.launch({
      executablePath: executablePath ?? "",
      args: ["--no-sandbox", "--disable-gpu"],
    });
    axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  }, 180_000);

  afterAll(async () => {
    await browser.close();
    await service.stop();
  });

  describe.for(PAGES)("%s", (path) => {
    test.for([
      { width: 1440, dark: false },
      { width: 1024, dark: true },
      { width: 390, dark: false },
    ])("has no finding of axe at $width px (dark: $dark)", { timeout: 300_000 }, async (view) => {
      const page = await open(path, view);
      // The page's Content-Security-Policy does not apply to scripts that the debugger evaluates.
      await page.evaluate(axe);
      const found = await valueOf(
        page,
        `axe.run(document, { runOnly: ${JSON.stringify(AXE_TAGS)}, resultTypes: ["violations"] }).then(({ violations }) => violations)`,
        findings,
      );
      await page.context().close();
      expect(found.map(({ id, nodes }) => [id, nodes.slice(0, 3).map(({ html }) => html)])).toEqual([]);
    });

    test.for([...WIDTHS, 320])("scrolls only vertically, and breaks no name, at %s px", async (width) => {
      const page = await open(path, { width });
      const wide = await valueOf(page, "document.documentElement.scrollWidth", z.number());
      const broken = await valueOf(
        page,
        `[...document.querySelectorAll("main code:not(.long)")].filter((code) => code.getClientRects().length > 1).map((code) => code.textContent)`,
        z.array(z.string()),
      );
      await page.context().close();
      expect([wide, broken]).toEqual([width, []]);
    });

    test("is complete and opens its tabs without a script", async () => {
      const page = await open(path, { script: false });
      expect(await page.getByRole("heading", { level: 1 }).count()).toBe(1);
      const python = page.locator("pre.python").first();
      if ((await python.count()) > 0) {
        expect(await python.isVisible()).toBe(false);
        await page.getByRole("radio", { name: "Python" }).first().check();
        expect([await python.isVisible(), await page.locator("pre.curl").first().isVisible()]).toEqual([
          true,
          false,
        ]);
      }
      await page.context().close();
    });
  });

  test("the documentation does not shift while it loads on a processor that is four times slower", async () => {
    const page = await open("/health/");
    const client = await page.context().newCDPSession(page);
    await client.send("Emulation.setCPUThrottlingRate", { rate: 4 });
    for (let visit = 0; visit < 3; visit += 1) {
      await page.goto(`${service.url}/docs/`);
      const measured = await valueOf(
        page,
        `new Promise((resolve) => {
          let shift = 0;
          new PerformanceObserver((list) => { for (const entry of list.getEntries()) shift += entry.value; }).observe({ type: "layout-shift", buffered: true });
          new PerformanceObserver(() => {
            setTimeout(() => resolve({ shift }), 500);
          }).observe({ type: "largest-contentful-paint", buffered: true });
        })`,
        z.object({ shift: z.number() }),
      );
      expect(measured.shift).toBeLessThan(0.1);
    }
    await page.context().close();
  });

  test("one choice of a language changes every listing, and is kept for the next visit", async () => {
    const page = await open("/docs/#getFile");
    await page.locator("#getFile").getByRole("radio", { name: "Python" }).check({ force: true });
    expect(await page.locator("#first-ping pre.python").first().isVisible()).toBe(true);
    expect(await page.locator("pre.curl:visible").count()).toBe(0);
    expect(await page.locator("#getFile").evaluate((each) => each.getBoundingClientRect().top < 900)).toBe(
      true,
    );
    await page.goto(`${service.url}/`);
    expect(await page.locator("pre.python").isVisible()).toBe(true);
    await page.context().close();
  });

  test("a listing is copied exactly as shown", async () => {
    const page = await open("/docs/#getHealth");
    const article = page.locator("#getHealth");
    await article.getByRole("button", { name: "Copy" }).first().click();
    await article.getByRole("button", { name: "Copied" }).waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(`curl -sS "${service.url}/health/"\n`);
    await page.context().close();
  });

  test("the search finds operations, codes, and fields of the other page", async () => {
    const page = await open("/docs/");
    await page.keyboard.press("/");
    for (const [words, to] of [
      ["retry /api/files", "#retryFile"],
      ["quota_exceeded", "#problem-quota_exceeded"],
      ["FileStatus", "/docs/schemas/#FileStatus"],
    ] as const) {
      await page.getByRole("searchbox").fill(words);
      await page.locator(`#results a[href="${to}"]`).first().waitFor();
    }
    await page.getByRole("searchbox").fill("quota_exceeded");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    expect(page.url()).toBe(`${service.url}/docs/#problem-quota_exceeded`);
    await page.context().close();
  });

  test("the contents mark the section that is read", async () => {
    const page = await open("/docs/");
    await page
      .getByRole("navigation", { name: "Contents" })
      .getByRole("link", { name: "Polling instead of events" })
      .click();
    await page.locator('#contents a[href="#polling"][aria-current="true"]').waitFor();
    await page.evaluate(`document.getElementById("getActivity").scrollIntoView()`);
    await page.locator('#contents a[href="#getActivity"][aria-current="true"]').waitFor();
    expect(await page.locator("#contents [aria-current]").count()).toBe(1);
    await page.context().close();
  });

  test("closing the contents on a phone returns to where the reader was", async () => {
    const page = await open("/docs/", { width: 390 });
    await page.evaluate(`document.getElementById("getActivity").scrollIntoView()`);
    const before = await valueOf(page, "scrollY", z.number());
    expect(before).toBeGreaterThan(1_000);
    // The driver of the browser scrolls before it clicks a link of the sticky header.
    await page.evaluate(`document.querySelector(".open-contents").click()`);
    await page.getByRole("navigation", { name: "Contents" }).waitFor();
    await page.evaluate(`document.querySelector("#contents .close").click()`);
    await expect.poll(async () => valueOf(page, "scrollY", z.number())).toBe(before);
    expect(await page.getByRole("navigation", { name: "Contents" }).isVisible()).toBe(false);
    await page.context().close();
  });
});
