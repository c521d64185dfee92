import { Webhook } from "standardwebhooks";
import { z } from "zod";
import { listenOnLoopback } from "./loopback.ts";

const trialSchema = z.object({ type: z.literal("test.ping"), data: z.object({ challenge: z.string() }) });

export interface ReceivedEvent {
  id: string;
  body: unknown;
}

export interface EventReceiver {
  url: string;
  /** The secret that the partner was given; until it is known nothing verifies. */
  expect(secret: string): void;
  /** What came with a good signature, in order; repetitions too. */
  received: readonly ReceivedEvent[];
  /** How many came whose signature was not good. */
  refused(): number;
  close(): Promise<void>;
}

/** A partner's receiver: takes what verifies by Standard Webhooks, answers 400 to anything else. */
export async function startEventReceiver(): Promise<EventReceiver> {
  const received: ReceivedEvent[] = [];
  let webhook: Webhook | null = null;
  let refused = 0;
  const server = await listenOnLoopback((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const header = (name: string) => String(request.headers[name]);
      try {
        if (webhook === null) throw new Error("no secret");
        const body = webhook.verify(Buffer.concat(parts), {
          "webhook-id": header("webhook-id"),
          "webhook-timestamp": header("webhook-timestamp"),
          "webhook-signature": header("webhook-signature"),
        });
        received.push({ id: header("webhook-id"), body });
        const trial = trialSchema.safeParse(body);
        if (trial.success) response.end(JSON.stringify({ challenge: trial.data.data.challenge }));
        else response.writeHead(204).end();
      } catch {
        refused += 1;
        response.writeHead(400).end();
      }
    });
  });
  return {
    url: `${server.url}/events`,
    expect: (secret) => {
      webhook = new Webhook(secret);
    },
    received,
    refused: () => refused,
    close: async () => server.close(),
  };
}
