import { readFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import {
  alertsSchema,
  firedAlerts,
  linesOfLog,
  logSource,
  workersLogsSource,
  type LineSource,
} from "../alerts.ts";
import {
  CommandFault,
  exitWith,
  misuse,
  readFlags,
  refusalOf,
  refuse,
  systemCode,
  type Refusal,
} from "../commandLine.ts";
import { TARGET_FLAGS, readTarget, type Target } from "../target.ts";

const USAGE = `Usage: npm run alerts -- [--json] [--local [--state DIR] | --remote [--env staging]]
  Compares the log with the thresholds of src/cli/alerts.json. Exit code 1 when an alert fires. Run it every five minutes.
  --remote needs CLOUDFLARE_API_TOKEN (Workers Observability: read) and CLOUDFLARE_ACCOUNT_ID.`;

async function main(): Promise<Refusal | null> {
  const flags = readFlags({
    options: { json: { type: "boolean", default: false }, ...TARGET_FLAGS },
    allowPositionals: true,
  });
  if (!flags.ok) return flags;
  if (flags.positionals.length > 0) return misuse(USAGE);
  const target = readTarget(flags.values);
  if (!target.ok) return target;
  try {
    const alerts = alertsSchema.parse(
      JSON.parse(await readFile(path.join(import.meta.dirname, "..", "alerts.json"), "utf8")),
    );
    const nowMs = Date.now();
    const fired = await firedAlerts(alerts, await sourceOf(target, nowMs), nowMs);
    if (flags.values.json) console.log(JSON.stringify(fired));
    else {
      for (const { alert, measured } of fired) {
        const when = alert.wake ? "NOW  " : "TODAY";
        console.log(
          `${when}  ${alert.name}: ${measured} in ${alert.minutes} minutes. src/cli/OPERATIONS.md#${alert.case}`,
        );
      }
    }
    return fired.length === 0 ? null : refuse(`Alerts: ${fired.length}.`);
  } catch (fault) {
    return refusalOf(fault);
  }
}

async function sourceOf(target: Target, nowMs: number): Promise<LineSource> {
  if (!target.remote) {
    const file = path.join(target.state, "service.log");
    try {
      return logSource(linesOfLog(await readFile(file, "utf8")));
    } catch (fault) {
      throw new CommandFault(`Cannot read ${file} (${systemCode(fault) ?? String(fault)}).`, {
        cause: fault,
      });
    }
  }
  const { CLOUDFLARE_API_TOKEN: token, CLOUDFLARE_ACCOUNT_ID: account } = process.env;
  if (token === undefined || account === undefined) {
    throw new CommandFault("Set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID.");
  }
  const worker = target.environment === "production" ? "partner-api" : `partner-api-${target.environment}`;
  return workersLogsSource(
    worker,
    async (below, body) => {
      const response = await fetch(`https://api.cloudflare.com/client/v4/accounts/${account}/${below}`, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new CommandFault(`Cloudflare's API responded with status ${response.status}.`);
      return response.json();
    },
    nowMs,
  );
}

const refusal = await main();
if (refusal !== null) exitWith(refusal);
