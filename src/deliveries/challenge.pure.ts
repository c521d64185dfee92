// Without zod, because the integration check in the console uses this file: zod would triple the console's script.

/** Returns the challenge in a receiver's response, or null. */
export function challengeIn(answer: string | null): string | null {
  return challengeOf(jsonOf(answer));
}

/** Returns whether a receiver's response contains the challenge of the test event that it received. */
export function returnsChallenge(body: string, answer: string | null): boolean {
  const sent = challengeOf(memberOf(jsonOf(body), "data"));
  return sent !== null && challengeIn(answer) === sent;
}

function challengeOf(value: unknown): string | null {
  const challenge = memberOf(value, "challenge");
  return typeof challenge === "string" ? challenge : null;
}

function memberOf(value: unknown, name: string): unknown {
  return Object.entries(Object(value)).find(([key]) => key === name)?.[1];
}

function jsonOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return null;
  }
}
