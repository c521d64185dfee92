export interface Target {
  /** The service's address, without a slash at its end. */
  base: string;
  partnerId: string;
  key: string;
}

/** A step that did not go as it must; the message is for the partner. */
export class StepFailure extends Error {}

export function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** Sends one request; an answer of another status than `expected` ends the step, with the problem's own words. */
export async function call(
  target: Target,
  method: string,
  path: string,
  expected: number,
  body?: unknown,
): Promise<Answer["body"]> {
  const answer = await ask(target, method, path, body);
  if (answer.status === expected) return answer.body;
  const { title, detail, code, errors } = answer.body;
  const first = object(Array.isArray(errors) ? errors[0] : null);
  const words = [title, detail, first["pointer"], first["detail"]].filter((word) => typeof word === "string");
  throw new StepFailure(
    `${method} ${path.split("?")[0]} was answered with ${answer.status}${typeof code === "string" ? ` ${code}` : ""}. ${words.join(" ")}`.trim(),
  );
}

export async function ask(target: Target, method: string, path: string, body?: unknown): Promise<Answer> {
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
    throw new StepFailure(`${target.base} does not answer.`);
  }
  try {
    const parsed: unknown = JSON.parse(text);
    return { status: response.status, body: object(parsed) };
  } catch {
    return { status: response.status, body: {} };
  }
}

/** An answer comes in well under a second, and in a few when a store is slow. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Between two looks: a live ride takes about a second. */
const LOOK_EVERY_MS = 500;

/** Looks until there is something; a step that waits longer than this has failed. */
export async function eventually<T>(
  what: string,
  deadlineInSeconds: number,
  look: () => Promise<T | null>,
): Promise<T> {
  const deadline = Date.now() + deadlineInSeconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > deadline) throw new StepFailure(`Not within ${deadlineInSeconds} s: ${what}.`);
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_EVERY_MS);
    });
  }
}
