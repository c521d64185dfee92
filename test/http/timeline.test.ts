import { afterEach, expect, test, vi } from "vitest";
import { timelineSchema } from "../../src/files/timeline.ts";
import { answerOf, send } from "../support/http.ts";
import { playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { seedFile, UNKNOWN_ID } from "../support/rows.ts";
import { collectorOf, settle } from "../support/world.ts";
import { base64, HOST, ping, SOURCE, task } from "../flows/partnerActs.ts";
import { guardsItself } from "./strangers.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

guardsItself("reading a file's timeline", {
  method: "GET",
  paths: async (owner) => {
    const id = await seedFile({ partnerId: owner.partnerId, userId: "u", source: "s", summaryId: "1" });
    return { path: `/api/files/${id}/timeline/`, unknown: `/api/files/${UNKNOWN_ID}/timeline/` };
  },
});

async function timelineOf(who: TestPartner, fileId: string | undefined) {
  return (await answerOf(await send(who, "GET", `/api/files/${fileId}/timeline/`), 200, timelineSchema)).data;
}

test("the timeline of a history file shows when it was pinged, held, released and imported, and its import", async () => {
  const who = await newPartner();
  const [file] = await ping(who, { summary_id: "1", callback_url: base64(rideFile()), priority: 0 });
  expect((await timelineOf(who, file?.file_id)).map((step) => step.what)).toEqual(["pinged", "held"]);
  const { import_id } = await task(who);
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  const timeline = await timelineOf(who, file?.file_id);
  expect(timeline).toMatchObject([
    { what: "pinged" },
    { what: "held" },
    { what: "released", import_id },
    { what: "imported", attempt: 1 },
  ]);
  expect(timeline.map((step) => step.at)).toEqual(timeline.map((step) => step.at).toSorted());
});

test("the timeline of a failed file shows the code and the reason, and a retry is a further step", async () => {
  const who = await newPartner();
  let found = false;
  playOutside({
    [`${HOST}/1`]: () => (found ? new Response(rideFile()) : new Response(null, { status: 404 })),
  });
  const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  await settle(collector);
  found = true;
  expect((await send(who, "POST", `/api/files/${file?.file_id}/retry/`)).status).toBe(202);
  await settle(collector);
  expect(await timelineOf(who, file?.file_id)).toMatchObject([
    { what: "pinged" },
    { what: "dispatched" },
    { what: "failed", attempt: 1, code: "callback_gone" },
    { what: "retried" },
    { what: "imported", attempt: 2 },
  ]);
});

test("the timeline of a file that fails many times keeps the first step and the latest ones", async () => {
  const who = await newPartner();
  playOutside({ [`${HOST}/1`]: () => new Response(null, { status: 404 }) });
  const [file] = await ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  vi.useFakeTimers({ toFake: ["Date"] });
  for (let times = 0; times < 15; times += 1) {
    await settle(collector);
    vi.setSystemTime(Date.now() + 61_000);
    expect((await send(who, "POST", `/api/files/${file?.file_id}/retry/`)).status).toBe(202);
  }
  const timeline = await timelineOf(who, file?.file_id);
  expect(timeline).toHaveLength(22);
  expect(timeline.slice(0, 3)).toMatchObject([
    { what: "pinged" },
    { what: "dispatched" },
    { what: "failed" },
  ]);
  expect(timeline.at(-1)).toMatchObject({ what: "retried" });
});

test("the timeline of a file that is pinged after the erasure of its user begins again", async () => {
  const who = await newPartner();
  playOutside({ [`${HOST}/1`]: () => new Response(null, { status: 404 }) });
  const again = async () => ping(who, { summary_id: "1", callback_url: `${HOST}/1` });
  await again();
  await settle(collectorOf(who.partnerId, "user-1", SOURCE));
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
  const [file] = await again();
  expect((await timelineOf(who, file?.file_id)).map((step) => step.what)).toEqual(["pinged", "dispatched"]);
});
