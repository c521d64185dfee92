import { createServer } from "node:http";
import { z } from "zod";
import { newWebhookSecret } from "../../partners/partner.ts";
import { baselineSchema } from "../../training/baseline.ts";
import { isVerified, listen } from "./partnerHost.ts";

/** A plan request that the planner received. */
export interface ReceivedPlanRequest {
  /** Whether its signature matches the secret. */
  verified: boolean;
  body: string;
}

/** The demo's planner: a server on a loopback port. */
export interface PlannerHost {
  url: string;
  /** The secret that it shares with the service. */
  secret: string;
  /** Requests received so far. */
  received: readonly ReceivedPlanRequest[];
}

/** Listens until the process ends, and does not keep the process running. */
export async function startPlannerHost(): Promise<PlannerHost> {
  const secret = newWebhookSecret();
  const received: ReceivedPlanRequest[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts).toString();
      const verified = isVerified(request.headers, body, secret);
      received.push({ body, verified });
      response.writeHead(verified ? 202 : 401).end();
    });
  });
  return { url: await listen(server), secret, received };
}

const requestSchema = z.looseObject({
  data: z.looseObject({
    user_id: z.string(),
    training: baselineSchema,
  }),
});

/** Days that the line averages over. */
const DAYS = 42;

/** Returns what the planner learns from a request: a line about the user's training. */
export function planLine({ verified, body }: ReceivedPlanRequest): string {
  if (!verified)
    return "The planner received a plan request. Its signature does not match the planner's secret.";
  const { user_id, training } = requestSchema.parse(JSON.parse(body)).data;
  const average = training.averages.find(({ days }) => days === DAYS);
  const hours = ((average?.duration_in_seconds_per_day ?? 0) * 7) / 3_600;
  const load = average?.load_per_day ?? 0;
  const longest =
    Math.max(0, ...training.longest_sessions.map((session) => session.duration_in_seconds)) / 3_600;
  const { fitness, fatigue } = training.fitness;
  return [
    `The planner received a plan request for ${user_id} with its training: ${training.activities} activities`,
    `${hours.toFixed(1)} h and a load of ${(load * 7).toFixed(0)} a week over ${DAYS} days`,
    `longest ${longest.toFixed(1)} h`,
    `fitness ${fitness.toFixed(0)}, fatigue ${fatigue.toFixed(0)}`,
    `${training.left_out.duplicates} duplicates left out.`,
  ].join(", ");
}
