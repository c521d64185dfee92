import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { sweepMissing } from "../../src/imports/sweep.ts";
import { MISSING_CHARACTERS } from "../../src/imports/write.ts";
import { read, task } from "../flows/partnerActs.ts";
import { send } from "../support/http.ts";
import { newPartner } from "../support/partner.ts";
import { databaseOf } from "../support/databases.ts";

const DAY_MS = 24 * 60 * 60_000;

const keptCharacters = async (partnerId: string) =>
  (
    await databaseOf(partnerId)
      .prepare("SELECT missing_bytes FROM partner_usage WHERE partner_id = ?")
      .bind(partnerId)
      .first<{ missing_bytes: number }>()
  )?.missing_bytes;

test("missing files are listed for 30 days", async () => {
  const who = await newPartner();
  const expected_summary_ids = ["never-1", "never-2"];
  const { import_id } = await task(who, { expected_summary_ids });
  const importOf = async () => read(who, `/api/imports/${import_id}/`);
  await sweepMissing(env, Date.now() + 29 * DAY_MS);
  expect(await importOf()).toMatchObject({ missing_summary_ids: expected_summary_ids });
  expect(await keptCharacters(who.partnerId)).toBe(JSON.stringify(expected_summary_ids).length);
  await sweepMissing(env, Date.now() + 31 * DAY_MS);
  expect(await importOf()).not.toHaveProperty("missing_summary_ids");
  expect(await keptCharacters(who.partnerId)).toBe(0);
});

test("a partner with too many missing ids has no further lists stored, and other partners have", async () => {
  const [greedy, other] = [await newPartner(), await newPartner()];
  const expected_summary_ids = ["never"];
  await task(greedy, { expected_summary_ids, user_id: "first" });
  await databaseOf(greedy)
    .prepare("UPDATE partner_usage SET missing_bytes = ? WHERE partner_id = ?")
    .bind(MISSING_CHARACTERS, greedy.partnerId)
    .run();
  for (const [who, kept] of [
    [greedy, false],
    [other, true],
  ] as const) {
    const { import_id, ...answer } = await task(who, { expected_summary_ids, user_id: "second" });
    expect(answer).toMatchObject({ missing_summary_ids: expected_summary_ids });
    expect("missing_summary_ids" in (await read(who, `/api/imports/${import_id}/`))).toBe(kept);
  }
  expect((await send(greedy, "DELETE", "/api/users/first/")).status).toBe(202);
  expect(await keptCharacters(greedy.partnerId)).toBe(
    MISSING_CHARACTERS - JSON.stringify(expected_summary_ids).length,
  );
});
