import { describe, expect, test } from "vitest";
import { problemOf, send } from "../support/http.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";

/** A route as the common promises need it: something of the owner's to ask for, and its like that does not exist. */
export interface GuardedRoute {
  method: "GET" | "POST" | "DELETE";
  body?: unknown;
  /** Paths below which the owner finds something, and what nobody has; without a second, there is nothing to guess. */
  paths: (owner: TestPartner) => Promise<{ path: string; unknown: string | null }>;
}

/** What every route under /api/ promises, whatever it does for those who may use it. */
export function guardsItself(title: string, route: GuardedRoute): void {
  const ask = (who: Pick<TestPartner, "headers"> | null, path: string) =>
    send(who, route.method, path, route.body === undefined ? {} : { body: route.body });

  describe(title, () => {
    test("nobody gets in without a key, with a wrong one, or with somebody else's", async () => {
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

    test("a suspended partner is told so", async () => {
      const owner = await newPartner({ status: "suspended" });
      const { path } = await route.paths(owner);
      await problemOf(await ask(owner, path), 403, "partner_suspended");
    });

    test("a parameter that nobody knows is refused", async () => {
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

    test("what is another partner's looks exactly like what does not exist", async () => {
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
