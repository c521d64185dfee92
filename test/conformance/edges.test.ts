import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { STRICT_TRANSPORT_SECURITY } from "../../src/http/transport.ts";
import { ServiceProcess } from "../support/serviceProcess.ts";

let service: ServiceProcess;
beforeAll(async () => {
  service = await ServiceProcess.start();
}, 180_000);
afterAll(async () => {
  await service.stop();
}, 60_000);

/** Returns the status of a GET with this Host header. */
async function statusUnder(host: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(service.url + path, { headers: { Host: host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject).end();
  });
}

test("the local service rejects requests with a Host header other than loopback names", async () => {
  const { port } = new URL(service.url);
  for (const path of ["/health/", "/docs/", "/api/files/"]) {
    expect(await statusUnder(`rebound.example:${port}`, path)).toBe(403);
    for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
      expect(await statusUnder(`${host}:${port}`, path)).toBe(path === "/api/files/" ? 401 : 200);
    }
  }
});

test("the console's files have the same Strict-Transport-Security header as the responses of the Worker", async () => {
  for (const path of ["/console/", "/console", "/console/app.js", "/console/style.css"]) {
    const response = await fetch(service.url + path, { redirect: "manual" });
    expect([200, 307]).toContain(response.status);
    expect([path, response.headers.get("Strict-Transport-Security")]).toEqual([
      path,
      STRICT_TRANSPORT_SECURITY,
    ]);
  }
});
