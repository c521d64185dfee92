import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import { rideFile } from "../support/rideFile.ts";

/** A ride of about 100 KB: an hour of records with what a head unit adds to them. */
const RIDE = { seconds: 3_600, heartRate: 140, paddingBytes: 15 };

export interface Host {
  url: URL;
  bytesEach: number;
  close(): Promise<void>;
}

/** A host on this machine that hands the same file out at every address: a ride, unless it is given another. */
export async function startHost(bytes: Uint8Array = rideFile(RIDE)): Promise<Host> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server that listens has such an address
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    bytesEach: bytes.length,
    close: async () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
