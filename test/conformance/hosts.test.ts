import { createServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { rideFile } from "../support/rideFile.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";
import { partnerClient, type PartnerClient } from "./partnerClient.ts";

const FILE = Buffer.from(rideFile());
const OK = "HTTP/1.1 200 OK\r\n";
const length = (bytes: number) => `Content-Length: ${bytes}\r\n\r\n`;
const chunk = (bytes: Buffer) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
const HALF = FILE.subarray(0, FILE.length / 2);

/** Hosts that violate HTTP or use it in unusual ways. Each writes its response to the socket. */
const HOSTS: Record<string, { respond: (socket: Socket) => void; becomes: string }> = {
  "declares more than it sends": {
    respond: (socket) => socket.end(Buffer.concat([Buffer.from(OK + length(FILE.length + 1)), FILE])),
    becomes: "callback_unreachable",
  },
  "sends more than it declares": {
    respond: (socket) =>
      socket.end(Buffer.concat([Buffer.from(OK + length(FILE.length)), FILE, Buffer.alloc(500)])),
    becomes: "imported",
  },
  "ends in the middle of its chunks": {
    respond: (socket) =>
      socket.end(Buffer.concat([Buffer.from(`${OK}Transfer-Encoding: chunked\r\n\r\n`), chunk(HALF)])),
    becomes: "callback_unreachable",
  },
  "breaks the connection in the middle": {
    respond: (socket) =>
      socket.write(Buffer.concat([Buffer.from(OK + length(FILE.length)), HALF]), () =>
        setTimeout(() => socket.resetAndDestroy(), 100),
      ),
    becomes: "callback_unreachable",
  },
  "breaks the connection at once": {
    respond: (socket) => socket.resetAndDestroy(),
    becomes: "callback_unreachable",
  },
  "does not use HTTP": {
    respond: (socket) => socket.end("220 mail.example.com ESMTP\r\n"),
    becomes: "callback_unreachable",
  },
  "sends chunks": {
    respond: (socket) =>
      socket.end(
        Buffer.concat([
          Buffer.from(`${OK}Transfer-Encoding: chunked\r\n\r\n`),
          chunk(HALF),
          chunk(FILE.subarray(HALF.length)),
          Buffer.from("0\r\n\r\n"),
        ]),
      ),
    becomes: "imported",
  },
  "declares no length and closes the connection": {
    respond: (socket) => socket.end(Buffer.concat([Buffer.from(`${OK}Connection: close\r\n\r\n`), FILE])),
    becomes: "imported",
  },
  "compresses without a request for it": {
    respond: (socket) => {
      const body = gzipSync(FILE);
      socket.end(Buffer.concat([Buffer.from(`${OK}Content-Encoding: gzip\r\n${length(body.length)}`), body]));
    },
    becomes: "imported",
  },
  "returns HTML with status 200": {
    respond: (socket) => socket.end(`${OK}Content-Type: text/html\r\n${length(22)}<html>Log in!</html>\r\n`),
    becomes: "not_fit",
  },
  "redirects to an HTML page": {
    respond: (socket) => socket.end(`HTTP/1.1 302 Found\r\nLocation: ${page}\r\n${length(0)}`),
    becomes: "not_fit",
  },
};

/** Address of the HTML page. */
let page = "";
let service: ServiceProcess;
let partner: PartnerClient;
const closing: (() => void)[] = [];

beforeAll(async () => {
  service = await ServiceProcess.start();
  partner = partnerClient(service.url, await service.createPartner("acme"));
  page = await listen((socket) =>
    socket.end(`${OK}Content-Type: text/html\r\n${length(22)}<html>Log in!</html>\r\n`),
  );
}, 180_000);

afterAll(async () => {
  for (const close of closing) close();
  await service.stop();
}, 60_000);

async function listen(respond: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => respond(socket));
  });
  closing.push(() => server.close());
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  return `http://127.0.0.1:${port}/ride.fit`;
}

test.each(Object.entries(HOSTS))("a host that %s", async (name, { respond, becomes }) => {
  const { files } = await partner.ping({
    summary_id: name,
    callback_url: await listen(respond),
    priority: 1,
    user_id: "rider",
    start_time_in_seconds: "1760000000",
  });
  const file = await eventually(`${name}: the first attempt has ended`, 45, async () => {
    const found = await partner.readFile(files[0]?.file_id ?? "");
    return found.status === "queued" && found.last_error === null ? undefined : found;
  });
  expect((file.error ?? file.last_error)?.code ?? file.status).toBe(becomes);
  // A retryable failure stays queued.
  expect(file.status).toBe(
    { imported: "imported", callback_unreachable: "queued", not_fit: "failed" }[becomes],
  );
  const original = await partner.send("GET", `/api/files/${file.file_id}/original/`);
  if (becomes === "imported") {
    expect(file.sha256).toBe(createHash("sha256").update(FILE).digest("hex"));
    expect(original.status).toBe(200);
  } else {
    expect(original.status).toBe(becomes === "not_fit" ? 409 : 404);
    expect(await original.text()).not.toContain("Log in");
  }
});
