import { expect, test } from "vitest";
import { collectorListed, collectorNamed } from "../src/collector/client.ts";
import { jurisdictionOf } from "../src/jurisdiction.ts";
import type { Env } from "../src/env.ts";

/** Returns a namespace that answers with the way to each object. */
function namespace(place: string): Env["COLLECTOR"] {
  return {
    jurisdiction: (name: string) => namespace(name),
    getByName: (name: string) => `${place}/${name}`,
    idFromString: (id: string) => `${place}:${id}`,
    get: (id: string) => id,
  } as never;
}

const ID = "a".repeat(64);

test.each([
  ["production", "eu", "eu"],
  ["production", "", "anywhere"],
  ["local", "eu", "anywhere"],
])("collectors of %s with the jurisdiction %j are %s", (ENVIRONMENT, JURISDICTION, place) => {
  const env = { ENVIRONMENT, JURISDICTION, COLLECTOR: namespace("anywhere") };
  expect(collectorNamed(env, "p/x")).toBe(`${place}/p/x`);
  expect(collectorListed(env, ID)).toBe(`${place}:${ID}`);
});

test("an unknown jurisdiction is an error, and never another place", () => {
  expect(() => jurisdictionOf({ JURISDICTION: "mars" })).toThrow("unknown jurisdiction");
});
