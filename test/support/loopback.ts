import { createServer, type RequestListener } from "node:http";

export interface LoopbackServer {
  /** `http://127.0.0.1:…`, without a slash at its end. */
  url: string;
  close(): Promise<void>;
}

/** An HTTP server on a free port of this machine. */
export async function listenOnLoopback(listener: RequestListener): Promise<LoopbackServer> {
  const server = createServer(listener);
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("no port"));
      else resolve(address.port);
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = await listenOnLoopback(() => {});
  await server.close();
  return Number(new URL(server.url).port);
}
