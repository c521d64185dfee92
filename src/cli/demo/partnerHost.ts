import { createServer } from "node:http";
import { z } from "zod";
import { signedHeaders } from "../../deliveries/sign.ts";

/** Events come here; by it a start knows the address that an earlier one gave the partner. */
export const EVENT_PATH = "/demo/events";
/** Receivers refuse events that are older; so does this one. */
const EVENT_MAX_AGE_SECONDS = 5 * 60;

export interface ReceivedEvent {
  verified: boolean;
  body: string;
}

/** What a partner runs: a host of files and a receiver of events, on one loopback port. */
export interface PartnerHost {
  eventUrl: string;
  /** Puts a file up and answers its URL. */
  serve(name: string, bytes: Uint8Array): string;
  /** The URL of a file that is not there. */
  missing(name: string): string;
  /** Every event taken is told to this one, with whether its signature is good by the partner's secret. */
  onEvent(secret: string, listener: (event: ReceivedEvent) => void): void;
}

/** Listens for as long as the process lives, and does not keep it alive. */
export async function startPartnerHost(): Promise<PartnerHost> {
  const files = new Map<string, Uint8Array>();
  let secret = "";
  let listener = (_event: ReceivedEvent): void => {};
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (request.method === "POST" && path === EVENT_PATH) {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const body = Buffer.concat(parts).toString();
        const verified = isSigned(request.headers, body, secret);
        listener({ body, verified });
        if (verified) response.writeHead(200).end(answerTo(body));
        else response.writeHead(401).end();
      });
      return;
    }
    const bytes = files.get(path);
    if (bytes === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  });
  server.unref();
  const url = await new Promise<string>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("no port"));
      else resolve(`http://127.0.0.1:${address.port}`);
    });
  });
  const pathOf = (name: string) => `/files/${name}`;
  return {
    eventUrl: url + EVENT_PATH,
    serve: (name, bytes) => {
      files.set(pathOf(name), bytes);
      return url + pathOf(name);
    },
    missing: (name) => url + pathOf(name),
    onEvent: (partnersSecret, told) => {
      secret = partnersSecret;
      listener = told;
    },
  };
}

const challengeSchema = z.object({ data: z.object({ challenge: z.string() }) });

/** The answer to an event: a test event may ask for its challenge back. */
function answerTo(body: string): string {
  const asked = challengeSchema.safeParse(JSON.parse(body));
  return JSON.stringify(asked.success ? { challenge: asked.data.data.challenge } : {});
}

/** Standard Webhooks: one of the signatures is the secret's over id, time and body, and the time is now. */
function isSigned(headers: NodeJS.Dict<string | string[]>, body: string, secret: string): boolean {
  const id = String(headers["webhook-id"]);
  const timestamp = Number(headers["webhook-timestamp"]);
  const signatures = String(headers["webhook-signature"]).split(" ");
  const expected = signedHeaders({ id, atMs: timestamp * 1000, body, secrets: [secret] });
  const ageInSeconds = Math.abs(Date.now() / 1000 - timestamp);
  return ageInSeconds <= EVENT_MAX_AGE_SECONDS && signatures.includes(expected["webhook-signature"]);
}
