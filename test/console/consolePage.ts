import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { z } from "zod";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface ConsolePage {
  page: Page;
  /** Errors in the console of the browser, and uncaught errors of the page. */
  errors: readonly string[];
  /** Addresses requested from hosts other than the service. */
  foreignRequests: readonly string[];
  /** Serious and critical violations found by axe, as `rule: element`. */
  violations(): Promise<string[]>;
  close(): Promise<void>;
}

const findings = z.object({
  violations: z.array(
    z.object({
      id: z.string(),
      impact: z.string().nullish(),
      nodes: z.array(z.object({ html: z.string() })),
    }),
  ),
});

/** Opens the console of the service in a new browser with an empty profile. */
export async function openConsole(
  executablePath: string,
  url: string,
  { dark = false, width = 1280 }: { dark?: boolean; width?: number } = {},
): Promise<ConsolePage> {
  const profile = await mkdtemp(path.join(tmpdir(), "console-"));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: FLAGS,
    headless: true,
    viewport: { width, height: 900 },
    colorScheme: dark ? "dark" : "light",
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const errors: string[] = [];
  const foreignRequests: string[] = [];
  page.on("pageerror", (fault) => errors.push(fault.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("request", (request) => {
    const address = request.url();
    if (!address.startsWith(`${url}/`) && !/^(?:data|blob):/.test(address)) foreignRequests.push(address);
  });
  const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await page.goto(`${url}/console/`);
  return {
    page,
    errors,
    foreignRequests,
    async violations() {
      // The page's Content-Security-Policy does not apply to scripts that the debugger evaluates.
      await page.evaluate(axe);
      const options = { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } };
      const found = findings.parse(await page.evaluate(`axe.run(document, ${JSON.stringify(options)})`));
      return found.violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
    },
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

export async function signIn(page: Page, partnerId: string, key: string): Promise<void> {
  await page.getByLabel("Partner id").fill(partnerId);
  await page.getByLabel("Key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
}

/** Opens a place of the console, and waits until it has loaded. */
export async function visit(page: Page, place: string, title: string | RegExp): Promise<void> {
  await page.evaluate((hash) => location.assign(hash), `#/${place}`);
  await page.getByRole("heading", { level: 1, name: title }).waitFor();
  await page.getByText("Loading…").first().waitFor({ state: "detached" });
}
