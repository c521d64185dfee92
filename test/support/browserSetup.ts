import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Path of a Chromium. Null without one. */
    chromium: string | null;
  }
}

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const installed = (): string | null => PLACES.find((place) => existsSync(place)) ?? null;

/** Finds a Chromium. Root on Debian gets it installed. */
export default function setup(project: TestProject): void {
  if (installed() === null && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    process.stderr.write("Installing chromium for the console's tests, once …\n");
    const apt = (...args: string[]) => spawnSync("apt-get", ["-qq", ...args], { stdio: "ignore" });
    apt("update");
    apt("install", "-y", "--no-install-recommends", "chromium");
  }
  const chromium = installed();
  if (chromium === null) {
    process.stderr.write("No Chromium was found: the console's tests are skipped.\n");
  }
  project.provide("chromium", chromium);
}
