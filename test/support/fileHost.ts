import { randomUUID } from "node:crypto";
import { listenOnLoopback } from "./loopback.ts";

export interface Serving {
  /** Default: 200. */
  status?: number;
  /** Delay of the response in milliseconds. */
  delayInMs?: number;
  /** Redirects to the file this many times first. */
  redirects?: number;
  /** Without Content-Length, in pieces. */
  chunked?: boolean;
}

export interface FileHost {
  /** Adds a file. Its URL has a token that must never appear in a log line or a response. */
  serve(bytes: Uint8Array, serving?: Serving): string;
  /** Returns the number of requests for this URL. */
  asked(url: string): number;
  /** Returns the number of files sent completely. */
  completeDownloads(): number;
  close(): Promise<void>;
}

/** Starts a partner's host for FIT files. Each URL works once; the next GET gets 410. */
export async function startFileHost(): Promise<FileHost> {
  const files = new Map<string, { bytes: Uint8Array; serving: Serving; asked: number }>();
  let completeDownloads = 0;
  const server = await listenOnLoopback((request, response) => {
    const address = new URL(request.url ?? "/", "http://host");
    const file = files.get(address.pathname);
    if (file === undefined) return void response.writeHead(404).end();
    const { status = 200, delayInMs = 0, redirects = 0, chunked = false } = file.serving;
    const hop = Number(address.searchParams.get("hop") ?? 0);
    if (hop < redirects) {
      address.searchParams.set("hop", String(hop + 1));
      return void response.writeHead(302, { location: address.pathname + address.search }).end();
    }
    file.asked += 1;
    if (file.asked > 1) return void response.writeHead(410).end();
    setTimeout(() => {
      response.on("finish", () => (completeDownloads += status === 200 ? 1 : 0));
      if (!chunked) {
        response.writeHead(status, { "content-length": file.bytes.length }).end(file.bytes);
        return;
      }
      response.writeHead(status);
      for (let start = 0; start < file.bytes.length; start += 500) {
        response.write(file.bytes.subarray(start, start + 500));
      }
      response.end();
    }, delayInMs);
  });
  const found = (url: string) => files.get(new URL(url).pathname);
  return {
    serve(bytes, serving = {}) {
      const pathname = `/${files.size}.fit`;
      files.set(pathname, { bytes, serving, asked: 0 });
      return `${server.url}${pathname}?token=${randomUUID()}`;
    },
    asked: (url) => found(url)?.asked ?? 0,
    completeDownloads: () => completeDownloads,
    close: async () => server.close(),
  };
}
