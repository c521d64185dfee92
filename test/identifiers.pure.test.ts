import { expect, test } from "vitest";
import {
  collectorName,
  collectorNameOfId,
  fileId,
  idPrefix,
  isId,
  newImportId,
  userRoute,
} from "../src/identifiers.ts";

const name = { partnerId: "acme", userId: "user-1", source: "watch", summaryId: "ride-20261125-17" };

/** Returns the length of the common prefix of two ids. */
function shared(first: string, second: string): number {
  let length = 0;
  while (length < first.length && first[length] === second[length]) length += 1;
  return length;
}

test("a file's id depends only on its four names, and is the same on every runtime", () => {
  expect(fileId(name)).toBe("jaqq30wye6j789v6zg5keep8pmex8dbv281zc2smgt");
  expect(fileId(name)).toMatch(/^[0-9a-hjkmnp-tv-z]{42}$/);
  expect(fileId(name).startsWith(userRoute("acme", "user-1"))).toBe(true);
});

test("a file's and an import's id lead to the collector of their user and source, and to no other partner's", () => {
  const names: [string, string, string][] = [
    ["acme", "user-1", "watch"],
    ["acme", "user-1", "bike"],
    ["acme", "user-2", "watch"],
    ["acm", "euser-1", "watch"],
    ["acme", "", ""],
  ];
  // In turn and repeated, so that a wrongly cached result of the previous names is found.
  for (const [partnerId, userId, source] of [...names, ...names]) {
    const collector = collectorName(partnerId, userId, source);
    for (const id of [
      fileId({ partnerId, userId, source, summaryId: "1" }),
      newImportId(partnerId, userId, source),
    ]) {
      expect(collectorNameOfId(partnerId, id)).toBe(collector);
      expect(collectorNameOfId("other", id).startsWith("other/")).toBe(true);
      expect(id.startsWith(idPrefix(partnerId, userId, undefined))).toBe(true);
      expect(id.startsWith(idPrefix(partnerId, userId, source))).toBe(true);
    }
  }
  expect(new Set(names.map(([...of]) => collectorName(...of))).size).toBe(names.length);
});

test("a text of another length or alphabet is no id", () => {
  const id = fileId(name);
  expect(isId(id)).toBe(true);
  expect(isId(newImportId("acme", "user-1", "watch"))).toBe(true);
  for (const other of [
    "",
    id.slice(1),
    `${id}0`,
    `${id}\n`,
    id.toUpperCase(),
    `u${id.slice(1)}`,
    `/${id.slice(1)}`,
  ]) {
    expect([other, isId(other)]).toEqual([other, false]);
  }
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

test("ids of names that differ only in their last characters share a prefix; ids of other names do not", () => {
  const next = fileId({ ...name, summaryId: "ride-20261125-18" });
  const later = fileId({ ...name, summaryId: "ride-20261125-118" });
  const month = fileId({ ...name, summaryId: "ride-20261225-17" });
  expect(shared(fileId(name), next)).toBe(26);
  expect(shared(fileId(name), later)).toBe(20);
  expect(shared(fileId(name), month)).toBe(20);
});

test("ids do not reveal names: equal names have different ids for every user and source", () => {
  const others = [
    name,
    { ...name, userId: "user-2" },
    { ...name, source: "bike" },
    { ...name, partnerId: "b" },
  ];
  expect(new Set(others.map((other) => fileId(other).slice(8, 26))).size).toBe(4);
});

test("short names and names in any script have ids of the same form", () => {
  for (const summaryId of ["1", "é中🚴", "x".repeat(255)]) {
    expect(fileId({ ...name, summaryId })).toMatch(/^[0-9a-hjkmnp-tv-z]{42}$/);
  }
});
