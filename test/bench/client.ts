import { Agent, request } from "node:http";
import type { Credentials } from "../../src/cli/newPartner.ts";

/** Keeps connections, so that handshakes are not measured. */
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

export interface Answer {
  status: number;
  text: string;
}

/** Sends one request over a kept connection. Uses node:http because it costs the least CPU. */
export async function send(
  method: "GET" | "POST",
  url: URL,
  credentials: Credentials,
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url.href, { method, agent, headers: headersOf(credentials, body) }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function headersOf({ auth_key, partner_id }: Credentials, body: string | undefined): Record<string, string> {
  return {
    Authorization: `Bearer ${auth_key}`,
    "Partner-Id": partner_id,
    ...(body === undefined
      ? undefined
      : { "Content-Type": "application/json", "Content-Length": String(Buffer.byteLength(body)) }),
  };
}

/** Sends a request. Throws if the response has another status. */
export async function expectStatus(
  status: number,
  method: "GET" | "POST",
  url: URL,
  credentials: Credentials,
  body?: unknown,
): Promise<string> {
  const answer = await send(method, url, credentials, body === undefined ? undefined : JSON.stringify(body));
  if (answer.status !== status) {
    throw new Error(`${method} ${url.pathname} answered ${answer.status}: ${answer.text.slice(0, 300)}`);
  }
  return answer.text;
}

export interface PingOf {
  user_id: string;
  summary_id: string;
  priority: 0 | 1;
  callback_url: string;
}

export const SOURCE = "bench-computer";

/** Returns a ping as partners send it. */
export function pingOf(own: PingOf) {
  return {
    file_type: "FIT",
    activity_name: "Afternoon Ride",
    source: SOURCE,
    overwrite_mode: false,
    start_time_in_seconds: "1760000000",
    ...own,
  };
}

/** Returns a URL as long and as random as a signed URL. */
export function signedUrl(number: number): string {
  const token = String(number).padStart(12, "0").repeat(24);
  return `https://files.partner.example/export/v2/activities/${number}.fit?X-Expires=3600&X-Signature=${token}`;
}
