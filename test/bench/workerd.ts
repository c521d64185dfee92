import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare, type V4MiniflareOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions, unstable_readConfig } from "wrangler";
import { applyMigrations } from "../../src/cli/localState.ts";
import { ROOT } from "../../src/cli/commandLine.ts";
import { newPartner, type Credentials } from "../../src/cli/newPartner.ts";
import { partnerKey } from "../../src/partners/partner.ts";

export const WORKER_NAME = "bench";
/** The name of the one module that workerd runs. */
export const SCRIPT = "worker.js";

/** Waiting for this machine's disk would hide what the Worker costs, and says nothing of the platform's. */
const MEMORY_DISK = "/dev/shm";

const CONFIG = path.join(ROOT, "wrangler.toml");

/** A Worker in workerd, with the bindings of wrangler.toml on a disk folder of its own. */
export interface Workerd {
  url: URL;
  /** The bundled module that workerd runs. */
  script: string;
  /** Where workerd's inspector listens; null unless it was asked for. */
  inspector: URL | null;
  /** A partner without limits, known to the Worker from now on. */
  credentials: Credentials;
  /**
   * The Worker's database, from outside of it. `prepare` and `bind` block this process until workerd answers, and nobody
   * reads its log meanwhile: under load, workerd then waits for ever. So prepare statements before the load.
   */
  database: D1Database;
  /** From the start of workerd to its first answer. */
  firstAnswerMs: number;
  stop(): Promise<void>;
}

/** A deployed service refuses plain http, which is all that a benchmark speaks. */
export const ENVIRONMENT = "local";

export interface WorkerdOptions {
  /** The Worker's module, from the root of the checkout. */
  entry: string;
  /** Without consumers, messages are taken and nothing is done about them. */
  consumers: boolean;
  /** How long a live ride's message waits in its queue before a consumer gets it. */
  priorityDelaySeconds?: number;
  inspector?: boolean;
  /** Asked for as soon as workerd has started. */
  firstAsk?: string;
  /** Takes what the Worker logs, line by line. */
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
    // What the Worker logs is part of its work, whether or not somebody reads it here.
    handleStructuredLogs: ({ message }: { message: string }) => options.onLog?.(message),
  };
  const startedAt = performance.now();
  const miniflare = new Miniflare(
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what wrangler's own reader answers is untyped
    convertV4MiniflareOptions(settings as V4MiniflareOptions),
  );
  const url = await miniflare.ready;
  if (options.firstAsk !== undefined) await (await fetch(new URL(options.firstAsk, url))).arrayBuffer();
  const firstAnswerMs = performance.now() - startedAt;
  const database = await miniflare.getD1Database("DB");
  await applyMigrations(database);
  const { partner, credentials } = newPartner(
    {
      partner_id: "bench",
      name: null,
      event_url: null,
      callback_hosts: [],
      limits: { requests_per_minute: null, files_per_minute: null },
      quotas: { files: null, stored_bytes: null },
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
    firstAnswerMs,
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
