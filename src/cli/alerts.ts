import { z } from "zod";

const value = z.union([z.string(), z.number()]);
const condition = z.tuple([z.string(), z.enum(["eq", "gte"]), value]);

/** An alert of `alerts.json`: a measure of the log lines of the last minutes, and the threshold at which it fires. */
const alertSchema = z.strictObject({
  name: z.string(),
  /** Whether it must wake an operator. The others can wait for the day. */
  wake: z.boolean(),
  /** Heading of OPERATIONS.md that describes what to do. */
  case: z.string(),
  minutes: z.number().int().positive(),
  /** Conditions of the measured lines; all must hold. */
  where: z.array(condition),
  measure: z.enum(["count", "share", "p99"]),
  /** `share`: conditions of the lines that the measured lines are a part of. */
  of: z.array(condition).optional(),
  /** `p99`: the field with the numbers. */
  of_field: z.string().optional(),
  fires: z.tuple([z.enum(["lt", "gt", "gte"]), z.number()]),
});
export type Alert = z.infer<typeof alertSchema>;
export type Condition = z.infer<typeof condition>;

export const alertsSchema = z.array(alertSchema);

/** What a source of log lines can measure in the time from `fromMs`. */
export interface LineSource {
  count(where: readonly Condition[], fromMs: number): Promise<number>;
  /** Returns 0 without lines. */
  p99(where: readonly Condition[], field: string, fromMs: number): Promise<number>;
}

export interface FiredAlert {
  alert: Alert;
  measured: number;
}

/** Returns the alerts that fire now. */
export async function firedAlerts(
  alerts: readonly Alert[],
  source: LineSource,
  nowMs: number,
): Promise<FiredAlert[]> {
  const fired: FiredAlert[] = [];
  for (const alert of alerts) {
    const measured = await measure(alert, source, nowMs - alert.minutes * 60_000);
    const [comparison, threshold] = alert.fires;
    if (COMPARISONS[comparison](measured, threshold)) fired.push({ alert, measured });
  }
  return fired;
}

const COMPARISONS = {
  lt: (measured: number, threshold: number) => measured < threshold,
  gt: (measured: number, threshold: number) => measured > threshold,
  gte: (measured: number, threshold: number) => measured >= threshold,
};

async function measure({ measure, where, of, of_field }: Alert, source: LineSource, fromMs: number) {
  if (measure === "p99") return source.p99(where, of_field ?? "milliseconds", fromMs);
  const count = await source.count(where, fromMs);
  if (measure === "count" || count === 0) return count;
  return count / Math.max(1, await source.count(of ?? [], fromMs));
}

type Line = Record<string, unknown>;

/** Returns the lines of a local log. Skips lines without a time, and a last line that is being written. */
export function linesOfLog(log: string): Line[] {
  return log.split("\n").flatMap((text) => {
    try {
      const line = z.looseObject({ at: z.string() }).parse(JSON.parse(text));
      return [line];
    } catch {
      return [];
    }
  });
}

/** Returns the lines of a local log as a source. */
export function logSource(lines: readonly Line[]): LineSource {
  const matching = (where: readonly Condition[], fromMs: number) =>
    lines.filter(
      (line) => Date.parse(String(line["at"])) >= fromMs && where.every((one) => holds(one, line)),
    );
  return {
    count: async (where, fromMs) => matching(where, fromMs).length,
    p99: async (where, field, fromMs) => {
      const numbers = matching(where, fromMs)
        .flatMap((line) => (typeof line[field] === "number" ? [line[field]] : []))
        .toSorted((a, b) => a - b);
      return numbers[Math.floor(numbers.length * 0.99)] ?? 0;
    },
  };
}

function holds([field, operation, expected]: Condition, line: Line): boolean {
  const found = line[field];
  if (operation === "eq") return found === expected;
  return typeof found === "number" && typeof expected === "number" && found >= expected;
}

const queryResult = z.object({
  success: z.literal(true),
  result: z.object({
    calculations: z.array(z.object({ aggregates: z.array(z.object({ value: z.number() })) })),
  }),
});

/** A POST to Cloudflare's API: a path below the account, and the body. Returns the parsed response. */
export type PostToAccount = (path: string, body: object) => Promise<unknown>;

/** Returns the stored lines of a deployed Worker as a source, through the query API of Workers Logs. */
export function workersLogsSource(worker: string, post: PostToAccount, nowMs: number): LineSource {
  const query = async (where: readonly Condition[], calculation: object, fromMs: number) => {
    const filters = [["$metadata.service", "eq", worker] as const, ...where].map(
      ([key, operation, expected]) => ({
        key,
        operation,
        type: typeof expected,
        value: expected,
      }),
    );
    const response = queryResult.parse(
      await post("workers/observability/telemetry/query", {
        queryId: "alerts",
        timeframe: { from: fromMs, to: nowMs },
        view: "calculations",
        parameters: {
          datasets: ["cloudflare-workers"],
          filters,
          filterCombination: "and",
          calculations: [calculation],
        },
      }),
    );
    return response.result.calculations[0]?.aggregates[0]?.value ?? 0;
  };
  return {
    count: async (where, fromMs) => query(where, { operator: "count" }, fromMs),
    p99: async (where, field, fromMs) =>
      query(where, { operator: "p99", key: field, keyType: "number" }, fromMs),
  };
}
