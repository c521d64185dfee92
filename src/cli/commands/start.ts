import path from "node:path";
import process from "node:process";
import { DEFAULT_STATE, exitWith, misuse, readFlags } from "../commandLine.ts";
import { demoCommands } from "../demo/demoPartner.ts";
import { playFirstDay } from "../demo/firstDay.ts";
import { startPartnerHost } from "../demo/partnerHost.ts";
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
  exitWith(misuse(`--port takes a number from 1 to 65535, not ${JSON.stringify(port)}.`));
}
if (state === "") exitWith(misuse("--state takes a folder."));

// A service that is stopped while it starts has nothing to close: storage recovers from any moment.
const endNow = () => process.exit(0);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, endNow);

const host = empty ? null : await startPartnerHost();
const service = await startService({
  port: Number(port),
  state: path.resolve(state),
  demoEventUrl: host?.eventUrl ?? null,
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
  process.off(signal, endNow);
  process.on(signal, () => void stop(0));
}

console.log(`The partner API listens on ${service.url} (log: ${service.logPath})`);
console.log(`Documentation: ${service.url}/docs/`);
console.log(`Console: ${service.url}/console/`);
if (service.demo !== null && host !== null) {
  console.log("");
  await playFirstDay(service.url, service.demo, host);
  const { importRide, readActivity } = demoCommands(service.url, service.demo);
  console.log(
    [
      "",
      `Partner-Id:  ${service.demo.partner_id}`,
      `Key:         ${service.demo.auth_key}`,
      "",
      "Import a ride:",
      importRide,
      "",
      "Read the activity it became:",
      readActivity,
    ].join("\n"),
  );
} else if (!empty) {
  console.log("\nThe partner demo has a key of its own here, which this command does not know.");
}
console.log("\nCtrl-C stops it.");

const why = await service.stuck;
process.stderr.write(`${why} Its log is ${service.logPath}.\n`);
await stop(1);
