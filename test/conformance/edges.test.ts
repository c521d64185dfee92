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

/** The status of a GET whose Host header says what a browser under that name would say. */
async function statusUnder(host: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(service.url + path, { headers: { Host: host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject).end();
  });
}

test("the started service answers to loopback names only, on every address of its own", async () => {
  const { port } = new URL(service.url);
  for (const path of ["/health/", "/docs/", "/api/files/"]) {
    expect(await statusUnder(`rebound.example:${port}`, path)).toBe(403);
    for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
      expect(await statusUnder(`${host}:${port}`, path)).toBe(path === "/api/files/" ? 401 : 200);
    }
  }
});

test("the console's files carry the Strict-Transport-Security that the deployed Worker's answers have", async () => {
  for (const path of ["/console/", "/console", "/console/app.js", "/console/style.css"]) {
    const response = await fetch(service.url + path, { redirect: "manual" });
    expect([200, 307]).toContain(response.status);
    expect([path, response.headers.get("Strict-Transport-Security")]).toEqual([
      path,
      STRICT_TRANSPORT_SECURITY,
    ]);
  }
});
