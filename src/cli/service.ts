import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import process from "node:process";
import { refuse, ROOT, systemCode, type Refusal } from "./commandLine.ts";
import { demoPartner, type DemoPartner } from "./demo/demoPartner.ts";
import { applyMigrations, loadWrangler, openLocalStores } from "./localState.ts";
import { LOCAL_CLOCK_MS } from "./target.ts";
import { lockState } from "./stateLock.ts";
import { Watchdog } from "./watchdog.ts";

/** A first answer takes about a second; a busy machine may take many. */
const START_DEADLINE_MS = 30_000;
/** The isolate may decode for a second or two at a time, and is started anew if it dies: neither lasts this long. */
const SCHEDULED_TIMEOUT_MS = 20_000;
/** Storage closes in well under a second. */
const STOP_DEADLINE_MS = 5_000;

const HOST = "127.0.0.1";

export interface ServiceOptions {
  port: number;
  /** The folder that holds everything the service keeps. */
  state: string;
  /** Where the partner `demo` receives events; null: without that partner. */
  demoEventUrl: string | null;
}

export interface Service {
  ok: true;
  /** `http://127.0.0.1:8787`, without a slash at its end. */
  url: string;
  /** One JSON line for each unit of work. */
  logPath: string;
  /** Null where none was asked for, and when `demo` is registered with a key that is not known here. */
  demo: DemoPartner | null;
  /** Resolves, with why, when the service is stuck. */
  stuck: Promise<string>;
  stop(): Promise<void>;
}

/** Starts the service on this machine; what the caller can put right is refused in one line. */
export async function startService({
  port,
  state,
  demoEventUrl,
}: ServiceOptions): Promise<Service | Refusal> {
  const portFault = await faultOfPort(port);
  if (portFault !== null) return refuse(portFault);
  const lock = lockState(state);
  if (!lock.ok) return lock;
  process.once("exit", lock.release);
  const stores = await openLocalStores(state);
  if (!stores.ok) return stores;
  await applyMigrations(stores.database);
  const demo =
    demoEventUrl === null ? null : await demoPartner(state, stores.partners, demoEventUrl, new Date());
  await stores.close();

  const logPath = path.join(state, "service.log");
  const log = createWriteStream(logPath, { flags: "a" });
  const url = `http://${HOST}:${port}`;
  const watchdog = new Watchdog(
    async () => answers(`${url}/cdn-cgi/handler/scheduled`, SCHEDULED_TIMEOUT_MS),
    path.join(state, "v3"),
  );
  const worker = await startWorker(port, state, (line) => {
    log.write(`${line}\n`);
    watchdog.sawLine();
  });
  const stopped = new AbortController();
  const stop = async () => {
    stopped.abort();
    await Promise.race([worker.teardown(), delay(STOP_DEADLINE_MS)]);
    log.end();
  };
  if (worker.buildFault !== null) {
    await stop();
    return refuse(`The service could not be built: ${worker.buildFault}`);
  }
  if (!(await answers(`${url}/health/`, START_DEADLINE_MS))) {
    await stop();
    return refuse(`The service does not answer; its log is ${logPath}.`);
  }
  return { ok: true, url, logPath, demo, stuck: keepTime(watchdog, stopped.signal), stop };
}

/** Builds and starts the Worker. `buildFault` says why it could not be built; null when it was. */
async function startWorker(
  port: number,
  state: string,
  write: (line: string) => void,
): Promise<{ buildFault: string | null; teardown(): Promise<void> }> {
  const wrangler = await loadWrangler(state);
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

/** Null when the port can be listened on; otherwise why it cannot. */
async function faultOfPort(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (fault) => {
      const code = systemCode(fault);
      resolve(
        code === "EADDRINUSE"
          ? `Port ${port} is taken: choose another with --port.`
          : `Port ${port} cannot be listened on (${code}).`,
      );
    });
    probe.listen(port, HOST, () => probe.close(() => resolve(null)));
  });
}

/** The service logs JSON, to which the platform would add the time; whatever else the runtime says becomes JSON here. */
function logLine(level: string, message: string): string {
  const line =
    message.startsWith("{") && !message.includes("\n") ? message : JSON.stringify({ level, message });
  return `{"at":"${new Date().toISOString()}",${line.slice(1)}`;
}

/** The innermost reason, which for a build names file and line. */
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

async function answers(address: string, withinMs: number): Promise<boolean> {
  try {
    await (await fetch(address, { signal: AbortSignal.timeout(withinMs) })).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/**
 * Calls the scheduled handler now and at every interval, which local workerd never does; ends with the service. The
 * calls also show whether the service is stuck.
 */
async function keepTime(watchdog: Watchdog, stopped: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    let calling = false;
    const tick = async () => {
      if (calling) return;
      calling = true;
      const isStuck = await watchdog.isStuck();
      calling = false;
      if (isStuck && !stopped.aborted)
        resolve("The service is stuck: it answers nothing and writes nothing.");
    };
    const timer = setInterval(() => void tick(), LOCAL_CLOCK_MS);
    stopped.addEventListener("abort", () => clearInterval(timer));
    void tick();
  });
}
