import { createServer } from "node:net";
import path from "node:path";
import process from "node:process";
import { refuse, ROOT, systemCode, type Refusal } from "./commandLine.ts";
import { readCommit } from "./commit.ts";
import { demoPartner, type DemoPartner } from "./demo/demoPartner.ts";
import { applyMigrations, loadWrangler, openLocalStores } from "./localState.ts";
import { registryOfStores } from "./registries.ts";
import { LOCAL_CLOCK_MS } from "./target.ts";
import { endLeftRuntimes, listeningRuntimeEnded } from "./runtimeProcesses.ts";
import { ServiceLog } from "./serviceLog.ts";
import { lockState, unwritableState } from "./stateLock.ts";
import { Watchdog } from "./watchdog.ts";

/** The first response takes about a second, and longer on a busy machine. */
const START_DEADLINE_MS = 30_000;
/** Longer than decoding blocks the isolate (1 to 2 s), and longer than a restart of the isolate. */
const SCHEDULED_TIMEOUT_MS = 20_000;
/** Storage closes in less than a second. */
const STOP_DEADLINE_MS = 5_000;

const HOST = "127.0.0.1";

export interface ServiceOptions {
  port: number;
  /** Folder of everything that the service stores. */
  state: string;
  /** Event URL of the partner `demo`. Null: the partner is not created. */
  demoEventUrl: string | null;
  /** The planner of the demo. Null: no plan is requested. */
  planner: PlannerAddress | null;
}

/** Where plan requests are sent, and the secret that signs them. */
export interface PlannerAddress {
  url: string;
  secret: string;
}

export interface Service {
  ok: true;
  /** `http://127.0.0.1:8787`, without a trailing slash. */
  url: string;
  /** Path of the log, which has one JSON line for each unit of work. */
  logPath: string;
  /** Null without `demoEventUrl`, and when `demo` is registered with another key. */
  demo: DemoPartner | null;
  /** Resolves when the service is stuck. */
  stuck: Promise<void>;
  /** Resolves with the process id when the runtime that listens on the port has ended. */
  runtimeEnded: Promise<number>;
  stop(): Promise<void>;
}

/** Starts the service on this machine. Refuses when the port, the folder or the build prevents it. */
export async function startService({
  port,
  state,
  demoEventUrl,
  planner,
}: ServiceOptions): Promise<Service | Refusal> {
  const left = await endLeftRuntimes(state, port);
  if (left.length > 0) {
    report(`Ended the runtime that a killed service had left (workerd, process ${left.join(" and ")}).`);
  }
  const problem = await portProblem(port);
  if (problem !== null) return refuse(problem);
  const lock = lockState(state);
  if (!lock.ok) return lock;
  process.once("exit", lock.release);
  const prepared = await prepareStores(state, demoEventUrl);
  if (!prepared.ok) return prepared;
  const { demo } = prepared;

  const logPath = path.join(state, "service.log");
  const log = new ServiceLog(logPath, report);
  const url = `http://${HOST}:${port}`;
  const watchdog = new Watchdog(
    async () => responds(`${url}/cdn-cgi/handler/scheduled`, SCHEDULED_TIMEOUT_MS),
    path.join(state, "v3"),
  );
  const worker = await startWorker(port, state, planner, (line) => {
    log.write(line);
    watchdog.sawLine();
  });
  const stopped = new AbortController();
  const stop = async () => {
    stopped.abort();
    await Promise.race([worker.teardown(), delay(STOP_DEADLINE_MS)]);
    log.close();
  };
  if (worker.buildFault !== null) {
    await stop();
    return refuse(`The service could not be built: ${worker.buildFault}`);
  }
  if (!(await responds(`${url}/health/`, START_DEADLINE_MS))) {
    await stop();
    return refuse(
      `The service did not respond within ${START_DEADLINE_MS / 1_000} seconds. Read its log: ${logPath}`,
    );
  }
  const stuck = runClock(watchdog, stopped.signal);
  const runtimeEnded = listeningRuntimeEnded(port, report, stopped.signal);
  return { ok: true, url, logPath, demo, stuck, runtimeEnded, stop };
}

/** Creates the stores, migrates them, and creates the demo's partner. */
async function prepareStores(
  state: string,
  demoEventUrl: string | null,
): Promise<{ ok: true; demo: DemoPartner | null } | Refusal> {
  try {
    const stores = await openLocalStores(state);
    if (!stores.ok) return stores;
    for (const { database } of stores.databases) await applyMigrations(database);
    const demo =
      demoEventUrl === null
        ? null
        : await demoPartner(state, registryOfStores(stores), demoEventUrl, new Date());
    await stores.close();
    return { ok: true, demo };
  } catch (fault) {
    if (isDiskFull(fault)) return refuse(unwritableState(state, "ENOSPC"));
    throw fault;
  }
}

/** Returns whether a store failed because the disk is full: SQLite reports it in its own words. */
function isDiskFull(fault: unknown): boolean {
  return /ENOSPC|SQLITE_FULL|database or disk is full|disk I\/O error/i.test(String(fault));
}

/** Prints a line about the service to stderr. */
function report(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Builds and starts the Worker. `buildFault` is the build's error, or null after a successful build. */
async function startWorker(
  port: number,
  state: string,
  planner: PlannerAddress | null,
  write: (line: string) => void,
): Promise<{ buildFault: string | null; teardown(): Promise<void> }> {
  const [wrangler, commit] = await Promise.all([loadWrangler(state), readCommit()]);
  const version = { id: "local", tag: commit?.tag ?? "", timestamp: new Date().toISOString() };
  const environment = new wrangler.unstable_DevEnv();
  const built = new Promise<string | null>((resolve) => {
    environment.once("reloadComplete", () => resolve(null));
    environment.once("buildFailed", (fault: unknown) => resolve(reasonOf(fault)));
    environment.on("error", (fault: unknown) => resolve(reasonOf(fault)));
  });
  const buildFault = await environment
    .startWorker({
      config: path.join(ROOT, "wrangler.toml"),
      envFiles: [],
      bindings: {
        ENVIRONMENT: { type: "plain_text", value: "local" },
        OWN_HOSTS: { type: "plain_text", value: `${HOST}:${port}` },
        TRAINING_PLAN_URL: { type: "plain_text", value: planner?.url ?? "" },
        TRAINING_PLAN_SECRET: { type: "plain_text", value: planner?.secret ?? "" },
        CF_VERSION_METADATA: { type: "json", value: version },
      },
      dev: {
        watch: false,
        liveReload: false,
        inspector: false,
        persist: state,
        server: { hostname: HOST, port },
        structuredLogsHandler: ({ level, message }: { level: string; message: string }) =>
          write(logLine(level, message)),
      },
    })
    .then(async () => built)
    .catch((fault: unknown) => reasonOf(fault));
  return { buildFault, teardown: async () => environment.teardown() };
}

/** Returns why the service cannot listen on the port. Returns null when it can. */
async function portProblem(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (fault) => {
      const code = systemCode(fault);
      resolve(
        code === "EADDRINUSE"
          ? `Port ${port} is in use by another program. Choose another port with --port.`
          : `Cannot listen on port ${port} (${code}). Choose another port with --port.`,
      );
    });
    probe.listen(port, HOST, () => probe.close(() => resolve(null)));
  });
}

/** Adds the time to a JSON line of the service, as the platform does. Wraps any other text of the runtime in JSON. */
function logLine(level: string, message: string): string {
  const line =
    message.startsWith("{") && !message.includes("\n") ? message : JSON.stringify({ level, message });
  return `{"at":"${new Date().toISOString()}",${line.slice(1)}`;
}

/** Returns the message of the innermost cause, which for a build error names the file and the line. */
function reasonOf(fault: unknown): string {
  if (typeof fault === "object" && fault !== null) {
    if ("cause" in fault && fault.cause !== undefined) return reasonOf(fault.cause);
    if ("message" in fault) return String(fault.message);
  }
  return String(fault);
}

async function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

async function responds(address: string, withinMs: number): Promise<boolean> {
  try {
    await (await fetch(address, { signal: AbortSignal.timeout(withinMs) })).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/**
 * Calls the scheduled handler now and at every interval, because local workerd runs no cron. Stops with the service.
 * Resolves when the service is stuck.
 */
async function runClock(watchdog: Watchdog, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let calling = false;
    const tick = async () => {
      if (calling) return;
      calling = true;
      const isStuck = await watchdog.isStuck();
      calling = false;
      if (isStuck && !stopped.aborted) resolve();
    };
    const timer = setInterval(() => void tick(), LOCAL_CLOCK_MS);
    stopped.addEventListener("abort", () => clearInterval(timer));
    void tick();
  });
}
