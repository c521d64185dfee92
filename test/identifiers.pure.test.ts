import { expect, test } from "vitest";
import { fileId, userRoute } from "../src/identifiers.ts";

const name = { partnerId: "acme", userId: "user-1", source: "watch", summaryId: "ride-20261125-17" };

/** How many characters two ids have in common before they part. */
function shared(first: string, second: string): number {
  let length = 0;
  while (length < first.length && first[length] === second[length]) length += 1;
  return length;
}

test("a file's id is fixed by its four names, whatever runs it", () => {
  expect(fileId(name)).toBe("jaqq30wyrc5w1r70z9v0er791k6ffrzjp2");
  expect(fileId(name)).toMatch(/^[0-9a-hjkmnp-tv-z]{34}$/);
  expect(fileId(name).startsWith(userRoute("acme", "user-1"))).toBe(true);
});

test("each of the four names makes another file", () => {
  const others = [
    { ...name, partnerId: "acm" },
    { ...name, userId: "user-2" },
    { ...name, source: "bike" },
    { ...name, summaryId: "ride-20261125-18" },
    { ...name, source: "watchr", summaryId: "ide-20261125-17" },
    { ...name, summaryId: "ride-20261125-17 " },
  ];
  expect(new Set([name, ...others].map(fileId)).size).toBe(1 + others.length);
});

test("files whose names differ in their end lie together among their user's, and others apart", () => {
  const next = fileId({ ...name, summaryId: "ride-20261125-18" });
  const later = fileId({ ...name, summaryId: "ride-20261125-118" });
  const month = fileId({ ...name, summaryId: "ride-20261225-17" });
  expect(shared(fileId(name), next)).toBe(18);
  expect(shared(fileId(name), later)).toBe(8);
  expect(shared(fileId(name), month)).toBe(8);
});

test("no letter of a name shows in an id: the same beginning looks different for every user and source", () => {
  const others = [
    name,
    { ...name, userId: "user-2" },
    { ...name, source: "bike" },
    { ...name, partnerId: "b" },
  ];
  expect(new Set(others.map((other) => fileId(other).slice(8, 18))).size).toBe(4);
});

test("short names and names in any script have ids of the same form", () => {
  for (const summaryId of ["1", "é中🚴", "x".repeat(255)]) {
    expect(fileId({ ...name, summaryId })).toMatch(/^[0-9a-hjkmnp-tv-z]{34}$/);
  }
});
