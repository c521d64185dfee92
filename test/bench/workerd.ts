import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type V4MiniflareOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions, unstable_readConfig } from "wrangler";
import { applyMigrations } from "../../src/cli/localState.ts";
import { ROOT } from "../../src/cli/commandLine.ts";
import { newPartner, USUAL_SETTINGS, type Credentials } from "../../src/cli/newPartner.ts";
import { partnerKey } from "../../src/partners/partner.ts";

export const WORKER_NAME = "bench";
/** The name of the one module that workerd runs. */
export const SCRIPT = "worker.js";

/** Disk waits of this machine would hide the Worker's cost. */
const MEMORY_DISK = "/dev/shm";

const CONFIG = path.join(ROOT, "wrangler.toml");

/** A Worker in workerd, with the bindings of wrangler.toml on a disk folder of its own. */
export interface Workerd {
  url: URL;
  /** The bundled module that workerd runs. */
  script: string;
  /** Address of workerd's inspector. Null without `inspector`. */
  inspector: URL | null;
  /** Credentials of a registered partner without limits. */
  credentials: Credentials;
  /**
   * The Worker's database, from outside the Worker. `prepare` and `bind` block this process until workerd responds.
   * Under load, workerd waits for this process to read its log, and both wait forever. So prepare statements before
   * the load.
   */
  database: D1Database;
  /** The folder with the Worker's stores. */
  state: string;
  /** Milliseconds from the start of workerd to its first response. */
  firstResponseMs: number;
  stop(): Promise<void>;
}

/** The local environment, because a deployed one rejects plain http. */
export const ENVIRONMENT = "local";

export interface WorkerdOptions {
  /** The Worker's module, from the root of the checkout. */
  entry: string;
  /** Without consumers, queues accept messages and deliver none. */
  consumers: boolean;
  /** Delay of a live ride's message in its queue, in seconds. */
  priorityDelaySeconds?: number;
  /** Whether held files of the partner are downloaded before their task. */
  prefetchHeld?: boolean;
  inspector?: boolean;
  /** Address to request as soon as workerd has started. */
  firstPath?: string;
  /** Receives each line of the Worker's log. */
  onLog?: (line: string) => void;
  /** Classes of Durable Objects instead of the service's own, as `{ BINDING: "Class" }`. */
  classes?: Record<string, string>;
}

export async function startWorkerd(options: WorkerdOptions): Promise<Workerd> {
  const state = await mkdtemp(path.join(existsSync(MEMORY_DISK) ? MEMORY_DISK : tmpdir(), "bench-"));
  const { workerOptions } = unstable_getMiniflareWorkerOptions(
    unstable_readConfig({ config: CONFIG }, { hideWarnings: true }),
  );
  const {
    queueConsumers,
    queueProducers,
    durableObjects,
    bindings,
    modulesRules: _ours,
    ...rest
  } = workerOptions;
  const script = await bundled(options.entry);
  const settings = {
    ...rest,
    name: WORKER_NAME,
    modules: [{ type: "ESModule" as const, path: SCRIPT, contents: script }],
    bindings: Object.assign({}, bindings, { ENVIRONMENT }),
    durableObjects: {
      ...Object.fromEntries(options.classes === undefined ? Object.entries(durableObjects ?? {}) : []),
      ...Object.fromEntries(
        Object.entries(options.classes ?? {}).map(([binding, className]) => [
          binding,
          { className, useSQLite: true },
        ]),
      ),
    },
    queueProducers: Object.assign({}, queueProducers, {
      PRIORITY: { queueName: "partner-api-priority", deliveryDelay: options.priorityDelaySeconds },
    }),
    ...(options.consumers ? { queueConsumers } : undefined),
    ...(options.inspector === true ? { inspectorPort: 0 } : undefined),
    resourcePersistencePath: state,
    cf: false,
    host: "127.0.0.1",
    port: 0,
    log: new Log(LogLevel.ERROR),
    // Logging is part of the Worker's work, so the log is always read.
    handleStructuredLogs: ({ message }: { message: string }) => options.onLog?.(message),
  };
  const startedAt = performance.now();
  const miniflare = new Miniflare(
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the result of wrangler's reader is untyped
    convertV4MiniflareOptions(settings as V4MiniflareOptions),
  );
  const url = await miniflare.ready;
  if (options.firstPath !== undefined) await (await fetch(new URL(options.firstPath, url))).arrayBuffer();
  const firstResponseMs = performance.now() - startedAt;
  const database = await miniflare.getD1Database("DB");
  for (const binding of ["DB", "DB_2"]) await applyMigrations(await miniflare.getD1Database(binding));
  const { partner, credentials } = newPartner(
    {
      partner_id: "bench",
      name: null,
      ...USUAL_SETTINGS,
      prefetch_held: options.prefetchHeld ?? false,
    },
    new Date(),
  );
  const partners = await miniflare.getKVNamespace("PARTNERS");
  await partners.put(partnerKey(partner.partner_id), JSON.stringify(partner));
  return {
    url,
    script,
    inspector: options.inspector === true ? await miniflare.getInspectorURL() : null,
    credentials,
    database,
    state,
    firstResponseMs,
    stop: async () => {
      await miniflare.dispose();
      await rm(state, { recursive: true, force: true });
    },
  };
}

async function bundled(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(ROOT, entry)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    target: "es2024",
    external: ["cloudflare:*", "node:*", "buffer"],
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}
