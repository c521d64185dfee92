import process from "node:process";
import { summaryOf, type StepStatus } from "../../verify/report.ts";
import { verify } from "../../verify/verify.ts";
import { exitWith, misuse, readFlags } from "../commandLine.ts";

/** npm run verify -- --base URL --partner ID [--key KEY] [--json]. AUTH_KEY replaces --key. */
const flags = readFlags({
  options: {
    base: { type: "string" },
    partner: { type: "string" },
    key: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
if (!flags.ok) exitWith(flags);
const { base, partner, json } = flags.values;
const key = flags.values.key ?? process.env["AUTH_KEY"];
if (base === undefined || !URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
  exitWith(
    misuse(
      `--base must be the service's address, such as https://api.example.com; received ${received(base)}.`,
    ),
  );
}
if (partner === undefined) exitWith(misuse("--partner must be your partner id; received nothing."));
if (key === undefined || key === "") exitWith(misuse("The key is missing. Set AUTH_KEY, or give --key."));
if (!/^[\x21-\x7e]+$/.test(key)) {
  exitWith(misuse("The key contains a space or a character outside ASCII. Copy it again as it was shown."));
}

const MARKS: Readonly<Record<StepStatus, string>> = { passed: "ok  ", failed: "FAIL", skipped: "--  " };

const target = { base: base.replace(/\/+$/, ""), partnerId: partner, key };
const report = await verify(target, ({ status, title, detail }) => {
  if (!json) console.log(`${MARKS[status]}  ${title}\n      ${detail}`);
});
if (json) console.log(JSON.stringify(report, null, 2));
else console.log(`\n${summaryOf(report)}`);
process.exitCode = report.ok ? 0 : 1;

function received(value: string | undefined): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}
