import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess, type PartnerCredentials } from "../support/serviceProcess.ts";
import { partnerClient, type PartnerClient } from "./partnerClient.ts";

const MIB = 1024 * 1024;
const INSPECT = "/api/fit/inspect/";
const PINGS = "/api/fit_partner_ping/";
/** A file of about 30 MB. */
const LARGE = rideFile({ seconds: 120_000, paddingBytes: 235 });
let service: ServiceProcess;
let slow: PartnerCredentials;
let slowClient: PartnerClient;
let other: PartnerClient;
beforeAll(async () => {
  service = await ServiceProcess.start();
  slow = await service.createPartner("slow");
  slowClient = partnerClient(service.url, slow);
  other = partnerClient(service.url, await service.createPartner("other"));
}, 180_000);
afterAll(async () => {
  await service.stop();
}, 60_000);

/** A connection of the slow partner with the header of a POST that declares this number of bytes. */
class RawPost {
  readonly socket: Socket;
  received = "";
  readonly startedAt = Date.now();
  endedAt = 0;

  constructor(path: string, declaredBytes: number, type = "application/octet-stream") {
    const { hostname, port } = new URL(service.url);
    this.socket = connect(Number(port), hostname);
    this.socket.setNoDelay();
    this.socket.on("error", () => undefined);
    this.socket.on("data", (bytes) => {
      if (this.received === "") this.endedAt = Date.now();
      this.received += bytes.toString("latin1");
    });
    this.socket.write(
      [
        `POST ${path} HTTP/1.1`,
        `Host: ${hostname}:${port}`,
        `Authorization: Bearer ${slow.auth_key}`,
        `Partner-Id: ${slow.partner_id}`,
        `Content-Type: ${type}`,
        `Content-Length: ${declaredBytes}`,
        "",
        "",
      ].join("\r\n"),
    );
  }

  async response(): Promise<string> {
    return eventually("a response", 40, () =>
      this.received.includes("\r\n\r\n") && this.received.includes("}") ? this.received : undefined,
    );
  }
}

function expectTooSlow(response: string): void {
  expect(response).toMatch(/^HTTP\/1\.1 408 /);
  expect(response).toMatch(/\r\nretry-after: 1\r\n/i);
  expect(response).toContain('"code":"body_too_slow"');
}

const inspect = async (client: PartnerClient) => (await client.sendFile(INSPECT, LARGE)).status;

test.each([1, 40])(
  "%i idle connections that declare 32 MiB end with 408, and another partner's large requests succeed",
  async (connections) => {
    const idle = Array.from({ length: connections }, () => new RawPost(INSPECT, 32 * MIB));
    expect(await inspect(other)).toBe(200);
    for (const post of idle) {
      expectTooSlow(await post.response());
      post.socket.destroy();
    }
    expect(await inspect(slowClient)).toBe(200);
  },
  120_000,
);

test.each([
  [INSPECT, "application/octet-stream", 32 * MIB],
  [PINGS, "application/json", 16 * MIB],
  [PINGS, "application/json", 1_000],
])(
  "a body to %s as %s of %i bytes, sent at one byte per second, ends with 408",
  async (path, type, bytes) => {
    const post = new RawPost(path, bytes, type);
    const timer = setInterval(() => post.socket.write("["), 1_000);
    const response = await post.response();
    clearInterval(timer);
    post.socket.destroy();
    expectTooSlow(response);
    expect(post.endedAt - post.startedAt).toBeGreaterThan(1_900);
  },
  60_000,
);

test("interrupted bodies release their memory", async () => {
  const broken = Array.from({ length: 2 }, () => new RawPost(INSPECT, LARGE.byteLength));
  for (const post of broken) {
    await new Promise((resolve) => post.socket.write(LARGE.subarray(0, 9 * MIB), resolve));
  }
  for (const post of broken) post.socket.destroy();
  await eventually("memory for a large request", 20, async () =>
    (await inspect(other)) === 200 ? true : undefined,
  );
  expect(await inspect(slowClient)).toBe(200);
}, 60_000);
