import { expect, test } from "vitest";
import { userAgent } from "../../src/outbound/userAgent.ts";

test("The User-Agent of downloads and events names the service, the version of the API and the documentation", () => {
  const address = (ownHosts: string[], local = false) => userAgent({ local, ownHosts });
  expect(address(["api.example.com", "partner-api.example.workers.dev"])).toBe(
    "endurance-partner-api/1.0.0 (+https://api.example.com/docs/)",
  );
  expect(address(["127.0.0.1:8787"], true)).toBe(
    "endurance-partner-api/1.0.0 (+http://127.0.0.1:8787/docs/)",
  );
  expect(address([])).toBe("endurance-partner-api/1.0.0");
});
