import path from "node:path";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";

const root = path.join(import.meta.dirname, "..");

/** Builds the console, because the Worker's configuration needs its folder. */
const CONSOLE_BUILD = path.join(root, "src/console/build.mjs");

/** Long timeouts, so that a busy machine does not fail a test. */
const PATIENCE = { testTimeout: 60_000, hookTimeout: 60_000 };

/** Queues in tests deliver nothing. Tests pass messages to the consumers themselves. */
const GATHER = { maxBatchSize: 100, maxBatchTimeout: 60 };
const QUEUES = ["priority", "bulk", "retry", "deliveries", "dispatches-dead", "deliveries-dead", "jobs"];

/**
 * Stories of the intake's model, in memory and on the real bindings. Usual runs repeat the same stories, so that a
 * failure is caused by the change. INTAKE_RUNS sets a number of new ones. INTAKE_REPLAY repeats one story by the
 * seed and path that its failure printed.
 */
const EVERYDAY_SEED = 20_261_125;
const hunting = process.env["INTAKE_RUNS"] !== undefined;
const [replaySeed, replayPath] = process.env["INTAKE_REPLAY"]?.split(" ") ?? [];
const intake = {
  runsInMemory: Number(process.env["INTAKE_RUNS"] ?? 2_000),
  realRuns: Number(process.env["INTAKE_RUNS"] ?? 150),
  replay: replaySeed === undefined ? everyday() : { seed: Number(replaySeed), path: replayPath ?? "0" },
};

function everyday(): { seed: number; path?: string } {
  return { seed: hunting ? Date.now() % 2 ** 31 : EVERYDAY_SEED };
}

declare module "vitest" {
  interface ProvidedContext {
    intake: typeof intake;
  }
}

/**
 * Four projects: tests on workerd with the real bindings, tests on Node (decoding, commands, documents, pure
 * decisions), the started service, and the console in a browser.
 */
export default defineConfig(async () => {
  await import(CONSOLE_BUILD);
  const migrations = await readD1Migrations(path.join(root, "migrations"));
  return {
    root,
    test: {
      // Most tests wait for a runtime or a process of their own, so that one file for each core leaves none idle.
      maxWorkers: "100%",
      // Log lines help only when a test fails.
      silent: "passed-only" as const,
      provide: { intake },
      projects: [
        {
          plugins: [
            cloudflareTest({
              wrangler: { configPath: path.join(root, "wrangler.toml") },
              miniflare: {
                bindings: {
                  ENVIRONMENT: "local",
                  OWN_HOSTS: "api.example.com",
                  TEST_MIGRATIONS: migrations,
                  TRAINING_PLAN_URL: "",
                  TRAINING_PLAN_SECRET: "",
                },
                queueConsumers: Object.fromEntries(QUEUES.map((name) => [`partner-api-${name}`, GATHER])),
                compatibilityFlags: ["global_fetch_strictly_public", "service_binding_extra_handlers"],
                // No test uses the network. A test that needs a host replaces fetch.
                outboundService: () => new Response("no network in tests", { status: 599 }),
              },
            }),
          ],
          test: {
            name: "worker",
            root,
            ...PATIENCE,
            include: ["test/**/*.test.ts"],
            exclude: [
              "test/fit/**",
              "test/cli/**",
              "test/documents/**",
              "test/conformance/**",
              "test/console/**",
              "test/**/*.pure.test.ts",
            ],
            setupFiles: ["test/support/seed.ts", "test/support/setup.ts"],
            // A rejecting Durable Object call that the test has caught is reported a second time by the runtime.
            onUnhandledError: (error: object) => !("remote" in error || "durableObjectId" in error),
          },
        },
        {
          test: {
            name: "node",
            root,
            ...PATIENCE,
            environment: "node",
            setupFiles: ["test/support/seed.ts"],
            alias: { "cloudflare:workers": path.join(root, "test/support/memory/cloudflareWorkers.ts") },
            include: [
              "test/fit/**/*.test.ts",
              "test/cli/**/*.test.ts",
              "test/documents/**/*.test.ts",
              "test/**/*.pure.test.ts",
            ],
          },
        },
        {
          test: {
            name: "conformance",
            root,
            environment: "node",
            alias: { "cloudflare:workers": path.join(root, "test/support/memory/cloudflareWorkers.ts") },
            include: ["test/conformance/**/*.test.ts"],
            ...PATIENCE,
          },
        },
        {
          test: {
            name: "console",
            root,
            environment: "node",
            include: ["test/console/**/*.test.ts"],
            globalSetup: ["test/support/browserSetup.ts"],
            // A busy machine draws a page in seconds.
            expect: { poll: { timeout: 20_000 } },
            testTimeout: 120_000,
            hookTimeout: 180_000,
          },
        },
      ],
    },
  };
});
