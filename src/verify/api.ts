export interface Target {
  /** Base URL of the service, without a trailing slash. */
  base: string;
  partnerId: string;
  key: string;
}

/** A failed step. The message is for the partner. */
export class StepFailure extends Error {}

export function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

export interface ApiResponse {
  status: number;
  /** Empty when the response is not a JSON object. */
  body: Record<string, unknown>;
}

/** Sends a request and returns its body. Throws a StepFailure when the status is not `expected`. */
export async function sendExpecting(
  target: Target,
  method: string,
  path: string,
  expected: number,
  body?: unknown,
): Promise<ApiResponse["body"]> {
  const response = await send(target, method, path, body);
  if (response.status === expected) return response.body;
  const { title, detail, code, errors } = response.body;
  const first = object(Array.isArray(errors) ? errors[0] : null);
  const received = `${response.status}${typeof code === "string" ? ` ${code}` : ""}`;
  const firstError = [first["pointer"], first["detail"]].filter((part) => typeof part === "string").join(" ");
  const reasons = [title, detail, firstError]
    .filter((reason) => typeof reason === "string" && reason !== "")
    .map((reason) => (/[.!?]$/.test(String(reason)) ? String(reason) : `${String(reason)}.`));
  throw new StepFailure(
    [`${method} ${path.split("?")[0]} returned ${received}; ${expected} was expected.`, ...reasons].join(" "),
  );
}

/** Sends a request. Throws a StepFailure when no response arrives in time. */
export async function send(
  target: Target,
  method: string,
  path: string,
  body?: unknown,
): Promise<ApiResponse> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(target.base + path, {
      method,
      headers: {
        Authorization: `Bearer ${target.key}`,
        "Partner-Id": target.partnerId,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    text = await response.text();
  } catch {
    throw new StepFailure(
      `${target.base} did not respond. Check the address and your connection, then run the check again.`,
    );
  }
  try {
    const parsed: unknown = JSON.parse(text);
    return { status: response.status, body: object(parsed) };
  } catch {
    return { status: response.status, body: {} };
  }
}

/** Responses take well under a second, or a few seconds when a store is slow. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Time between two polls. A live ride takes about a second. */
const POLL_EVERY_MS = 500;

/** Next step for a partner when the failure is probably not in the integration. */
export const RUN_AGAIN = "Run the check again. If it fails again, send us this report.";

/**
 * Calls `poll` until it returns a value, and returns that value. Throws a StepFailure after the deadline.
 * `problem` is the start of the failure's sentence: "The import did not complete".
 */
export async function waitFor<T>(
  problem: string,
  deadlineInSeconds: number,
  poll: () => Promise<T | null>,
): Promise<T> {
  const deadline = Date.now() + deadlineInSeconds * 1000;
  for (;;) {
    const found = await poll();
    if (found !== null) return found;
    if (Date.now() > deadline) {
      throw new StepFailure(`${problem} within ${deadlineInSeconds} s. ${RUN_AGAIN}`);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_EVERY_MS);
    });
  }
}
