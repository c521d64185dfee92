import { describe, expect, test } from "vitest";
import { problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";

/** A route under /api/, for the tests that every such route must pass. */
export interface GuardedRoute {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  body?: unknown;
  /** A path to a resource of the owner, and the same path with an unknown id. Null for a route without an id. */
  paths: (owner: TestPartner) => Promise<{ path: string; unknown: string | null }>;
}

/** Tests what every route under /api/ must do for callers without access. */
export function guardsItself(title: string, route: GuardedRoute): void {
  const ask = (who: Pick<TestPartner, "headers"> | null, path: string) =>
    send(who, route.method, path, route.body === undefined ? {} : { body: route.body });

  describe(title, () => {
    test("rejects requests without a key, and with another partner's key", async () => {
      const owner = await newPartner();
      const other = await newPartner();
      const { path } = await route.paths(owner);
      const wrong = { ...owner.headers, Authorization: `Bearer ${other.authKey}` };
      for (const headers of [{}, wrong]) {
        const refused = await ask({ headers }, path);
        await problemOf(refused, 401, "unauthorized");
        expect(refused.headers.get("WWW-Authenticate")).toBe("Bearer");
      }
    });

    test("returns partner_suspended to a suspended partner", async () => {
      const owner = await newPartner({ status: "suspended" });
      const { path } = await route.paths(owner);
      await problemOf(await ask(owner, path), 403, "partner_suspended");
    });

    test("rejects unknown parameters", async () => {
      const owner = await newPartner();
      const { path } = await route.paths(owner);
      const refused = await problemOf(
        await ask(owner, `${path}?__proto__=1&colour=red`),
        400,
        "validation_failed",
      );
      expect(refused.errors?.map((fault) => [fault.pointer, fault.code])).toEqual([
        ["/__proto__", "unknown_parameter"],
        ["/colour", "unknown_parameter"],
      ]);
    });

    test("returns the same response for another partner's resource as for an unknown one", async () => {
      const owner = await newPartner();
      const other = await newPartner();
      const { path, unknown } = await route.paths(owner);
      if (unknown === null) return;
      const { request_id: _, ...foreign } = await problemOf(await ask(other, path), 404, "not_found");
      const { request_id: __, ...missing } = await problemOf(await ask(other, unknown), 404, "not_found");
      expect(foreign).toEqual(missing);
    });
  });
}
