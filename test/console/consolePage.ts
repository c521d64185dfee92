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
  /** Errors that the console or the page has reported. */
  errors: readonly string[];
  /** Addresses that were asked of any host but the service. */
  strangers: readonly string[];
  /** What axe finds that is serious or critical, as `rule: element`. */
  faults(): Promise<string[]>;
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

/** A browser of its own at the console of the service, with nothing remembered. */
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
  const strangers: string[] = [];
  page.on("pageerror", (fault) => errors.push(fault.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("request", (request) => {
    const address = request.url();
    if (!address.startsWith(`${url}/`) && !/^(?:data|blob):/.test(address)) strangers.push(address);
  });
  const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await page.goto(`${url}/console/`);
  return {
    page,
    errors,
    strangers,
    async faults() {
      // Evaluated by the browser's own tools, which the page's policy does not bind.
      await page.evaluate(axe);
      const found = findings.parse(await page.evaluate("axe.run(document, { resultTypes: ['violations'] })"));
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
