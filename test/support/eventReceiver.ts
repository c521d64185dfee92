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
  /** The partner's webhook secret. Nothing verifies before it is set. */
  expect(secret: string): void;
  /** Events with a valid signature, in order, with repetitions. */
  received: readonly ReceivedEvent[];
  /** Number of requests with an invalid signature. */
  refused(): number;
  close(): Promise<void>;
}

/** Starts a partner's receiver. It accepts requests that verify by Standard Webhooks and returns 400 otherwise. */
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
