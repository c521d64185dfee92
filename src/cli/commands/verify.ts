import process from "node:process";
import { summaryOf, type StepStatus } from "../../verify/report.ts";
import { verify } from "../../verify/verify.ts";
import { exitWith, misuse, readFlags } from "../commandLine.ts";

/** npm run verify -- --base URL --partner ID [--key KEY] [--json]; the key may come as AUTH_KEY instead. */
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
  exitWith(misuse("--base takes the service's address, such as https://api.example.com."));
}
if (partner === undefined) exitWith(misuse("--partner takes your partner id."));
if (key === undefined || !/^[\x21-\x7e]+$/.test(key))
  exitWith(misuse("The key is missing: set AUTH_KEY, or give --key."));

const MARKS: Readonly<Record<StepStatus, string>> = { passed: "ok  ", failed: "FAIL", skipped: "--  " };

const target = { base: base.replace(/\/+$/, ""), partnerId: partner, key };
const report = await verify(target, ({ status, title, detail }) => {
  if (!json) console.log(`${MARKS[status]}  ${title}\n      ${detail}`);
});
if (json) console.log(JSON.stringify(report, null, 2));
else console.log(`\n${summaryOf(report)}`);
process.exitCode = report.ok ? 0 : 1;
