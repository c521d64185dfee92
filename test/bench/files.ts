import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import { rideFile } from "../support/rideFile.ts";

/** A ride of about 100 KB: an hour of records with what a head unit adds to them. */
const RIDE = { seconds: 3_600, heartRate: 140, paddingBytes: 15 };

export interface Host {
  url: URL;
  bytesEach: number;
  /** Returns the number of requests so far. */
  requests: () => number;
  close(): Promise<void>;
}

/** Number of rides, each of another day. Rides of one day would be duplicates. */
const DAYS = 60;
const DAY_SECONDS = 86_400;

function rides(): Uint8Array[] {
  return Array.from({ length: DAYS }, (_, day) =>
    rideFile({ ...RIDE, startInSeconds: 1_750_000_000 + day * DAY_SECONDS }),
  );
}

/** Starts a host on this machine that returns these files in turn for any address (default: rides). */
export async function startHost(files: readonly Uint8Array[] = rides()): Promise<Host> {
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume();
    const bytes = files[asked % files.length] ?? new Uint8Array();
    asked += 1;
    response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server that listens has such an address
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    bytesEach: files[0]?.length ?? 0,
    requests: () => asked,
    close: async () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
