import { z } from "zod";

const answerSchema = z.object({ challenge: z.string() });
const eventSchema = z.object({ data: answerSchema });

/** Returns the challenge in a receiver's response, or null. */
export function challengeIn(answer: string | null): string | null {
  const parsed = answerSchema.safeParse(jsonOf(answer));
  return parsed.success ? parsed.data.challenge : null;
}

/** Returns whether a receiver's response contains the challenge of the test event that it received. */
export function returnsChallenge(body: string, answer: string | null): boolean {
  const sent = eventSchema.safeParse(jsonOf(body));
  return sent.success && challengeIn(answer) === sent.data.data.challenge;
}

function jsonOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return null;
  }
}
