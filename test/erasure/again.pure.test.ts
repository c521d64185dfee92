import { expect, test } from "vitest";
import { userHash } from "../../src/identifiers.ts";
import { erasedAgain } from "../../src/erasure/again.ts";

const erased = (user: string, before_version: number) => ({
  partner_id: "p",
  user_hash: userHash("p", user),
  before_version,
});
const user = (user_id: string, partner_id = "p") => ({ partner_id, user_id });

test("a restored database's users are erased again, up to the erasure's bound, only if the erasure is newer than the backup", () => {
  const saved = [
    erased("since-then", 50),
    erased("again-since-then", 60),
    erased("long-ago-and-back", 10),
    erased("gone", 55),
  ];
  const restored = [erased("again-since-then", 20), erased("long-ago-and-back", 10)];
  const users = [
    user("since-then"),
    user("again-since-then"),
    user("long-ago-and-back"),
    user("never-erased"),
    user("since-then", "another-partner"),
  ];
  expect(erasedAgain(saved, restored, users)).toEqual([
    { ...user("since-then"), user_hash: userHash("p", "since-then"), before_version: 50 },
    { ...user("again-since-then"), user_hash: userHash("p", "again-since-then"), before_version: 60 },
  ]);
});
