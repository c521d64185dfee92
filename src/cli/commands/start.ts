import path from "node:path";
import process from "node:process";
import { DEFAULT_STATE, exitWith, misuse, readFlags } from "../commandLine.ts";
import { demoCommands } from "../demo/demoPartner.ts";
import { playFirstDay } from "../demo/firstDay.ts";
import { startPartnerHost } from "../demo/partnerHost.ts";
import { startPlannerHost } from "../demo/plannerHost.ts";
import { startService } from "../service.ts";

/** npm start [-- --port N] [--state DIR] [--empty] */
const flags = readFlags({
  options: {
    port: { type: "string", default: "8787" },
    state: { type: "string", default: DEFAULT_STATE },
    empty: { type: "boolean", default: false },
  },
});
if (!flags.ok) exitWith(flags);
const { port, state, empty } = flags.values;
if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) {
  exitWith(misuse(`--port must be a number from 1 to 65535; received ${JSON.stringify(port)}.`));
}
if (state === "") exitWith(misuse("--state must be the path of a folder; received an empty string."));

// The stores recover from a crash at any moment, so a service that is still starting needs no cleanup.
const exitNow = () => process.exit(0);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, exitNow);

const host = empty ? null : await startPartnerHost();
const planner = empty ? null : await startPlannerHost();
const service = await startService({
  port: Number(port),
  state: path.resolve(state),
  demoEventUrl: host?.eventUrl ?? null,
  planner,
});
if (!service.ok) exitWith(service);

let stopping = false;
const stop = async (exitCode: number) => {
  if (stopping) return;
  stopping = true;
  await service.stop();
  process.exit(exitCode);
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.off(signal, exitNow);
  process.on(signal, () => void stop(0));
}

console.log(`The partner API listens on ${service.url}`);
console.log(`Documentation:  ${service.url}/docs/`);
console.log(`Console:        ${service.url}/console/`);
console.log(`Log:            ${service.logPath}`);
if (service.demo !== null && host !== null && planner !== null) {
  console.log("");
  await playFirstDay(service.url, service.demo, host, planner);
  const { importRide, readActivity } = demoCommands(service.url, service.demo);
  console.log(
    [
      "",
      `Partner-Id:  ${service.demo.partner_id}`,
      `Key:         ${service.demo.auth_key}`,
      "",
      "For the commands of the documentation:",
      `export PARTNER_ID=${service.demo.partner_id} AUTH_KEY=${service.demo.auth_key}`,
      "",
      "Send a ride and import it:",
      importRide,
      "",
      "Read the activity of that ride:",
      readActivity,
    ].join("\n"),
  );
} else if (!empty) {
  console.log(
    "\nThe demo is skipped: the partner demo is registered with another key. Use your key, or see the demo in a new folder with --state.",
  );
}
console.log("\nPress Ctrl-C to stop the service.");

const problem = await Promise.race([
  service.stuck.then(
    () =>
      `The service is stuck: it neither responds nor writes to its stores or its log. Read its log: ${service.logPath}`,
  ),
  service.runtimeEnded.then(
    (pid) =>
      `The runtime that listens on the port (workerd, process ${pid}) was killed. The service stops; nothing is lost. Start it again with npm start.`,
  ),
]);
process.stderr.write(`${problem}\n`);
await stop(1);
