import path from "node:path";
import process from "node:process";
import { DEFAULT_STATE, exitWith, readFlags, refuse } from "./command.ts";
import { demoCommands } from "./demo/demoPartner.ts";
import { startService } from "./service.ts";

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
  exitWith(refuse(`--port takes a number from 1 to 65535, not ${JSON.stringify(port)}.`));
}
if (state === "") exitWith(refuse("--state takes a folder."));

// A service that is stopped while it starts has nothing to close: storage recovers from any moment.
const endNow = () => process.exit(0);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, endNow);

const service = await startService({ port: Number(port), state: path.resolve(state), empty });
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

const lines = [
  `The partner API listens on ${service.url} (log: ${service.logPath})`,
  `Documentation: ${service.url}/docs/`,
  `Console: ${service.url}/console/`,
];
if (service.demo !== null) {
  const { importRide, readActivity } = demoCommands(service.url, service.demo);
  lines.push(
    "",
    `Partner-Id:  ${service.demo.partner_id}`,
    `Key:         ${service.demo.auth_key}`,
    "",
    "Import a ride:",
    importRide,
    "",
    "Read the activity it became:",
    readActivity,
  );
} else if (!empty) {
  lines.push("", "The partner demo has a key of its own here, which this command does not know.");
}
lines.push("", "Ctrl-C stops it.");
console.log(lines.join("\n"));

const why = await service.silent;
process.stderr.write(`${why} Its log is ${service.logPath}.\n`);
await stop(1);
