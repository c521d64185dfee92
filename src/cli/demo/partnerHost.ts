import { createServer, type Server } from "node:http";
import { z } from "zod";
import { isSigned, secretBytes } from "../../deliveries/sign.ts";

/** Path of the event receiver. A start recognizes an event URL of an earlier start by it. */
export const EVENT_PATH = "/demo/events";

export interface ReceivedEvent {
  verified: boolean;
  body: string;
}

/** A partner's servers on one loopback port: a file host and an event receiver. */
export interface PartnerHost {
  eventUrl: string;
  /** Serves a file and returns its URL. */
  serve(name: string, bytes: Uint8Array): string;
  /** Returns the URL of a file that does not exist. */
  missing(name: string): string;
  /** Calls the listener for each received event. `verified`: the signature matches the secret. Replaces the listener. */
  onEvent(secret: string, listener: (event: ReceivedEvent) => void): void;
}

/** Listens until the process ends, and does not keep the process running. */
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
        const verified = isVerified(request.headers, body, secret);
        listener({ body, verified });
        if (verified) response.writeHead(200).end(responseTo(body));
        else response.writeHead(401).end();
      });
      return;
    }
    const bytes = files.get(path);
    if (bytes === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  });
  const url = await listen(server);
  const pathOf = (name: string) => `/files/${name}`;
  return {
    eventUrl: url + EVENT_PATH,
    serve: (name, bytes) => {
      files.set(pathOf(name), bytes);
      return url + pathOf(name);
    },
    missing: (name) => url + pathOf(name),
    onEvent: (partnerSecret, eventListener) => {
      secret = partnerSecret;
      listener = eventListener;
    },
  };
}

/** Listens on a loopback port and returns the server's address. The server does not keep the process running. */
export async function listen(server: Server): Promise<string> {
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("no port"));
      else resolve(`http://127.0.0.1:${address.port}`);
    });
  });
}

const challengeSchema = z.object({ data: z.object({ challenge: z.string() }) });

/** Returns the response body for an event, with the challenge of a test event. */
function responseTo(body: string): string {
  const event = challengeSchema.safeParse(JSON.parse(body));
  return JSON.stringify(event.success ? { challenge: event.data.data.challenge } : {});
}

/** Returns whether a request is signed with the secret, and its timestamp is recent. */
export function isVerified(headers: NodeJS.Dict<string | string[]>, body: string, secret: string): boolean {
  const sent = new Headers();
  for (const [name, value] of Object.entries(headers)) sent.set(name, String(value));
  return isSigned(sent, body, secretBytes(secret), Date.now());
}
